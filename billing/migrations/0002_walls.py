"""The ledger's rules, in the database so that no door can go around them.

What a table may do, from the facts to what follows from them:

- accounts, transfers, legs, leases, usage: rows are added, never changed or removed (usage may be
  marked as settled, once);
- `billing_stamp_leg` refuses a leg that its transfer must not have; `billing_move` then brings
  balance, hold and stream in line with it; those refuse every other hand;
- `billing_check_transfer` runs at COMMIT (a deferred trigger), when the legs are complete;
- a new account, hold or part of a hold is brought in line the same way.

Triggers of one event run in the order of their names; none here depends on that. A hand is told
from a trigger by `pg_trigger_depth()`: a statement of a client reaches a table's trigger at depth 1.
"""

from django.db import migrations

APPEND_ONLY = ("account", "transfer", "leg", "lease")
KEPT_BY_TRIGGERS = ("balance", "holdpart", "stream")
KEPT = (*APPEND_ONLY, *KEPT_BY_TRIGGERS, "hold", "usageevent")

REFUSALS = """
CREATE FUNCTION billing_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: its rows are never changed', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION billing_refuse_hand() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() < 2 THEN
        RAISE EXCEPTION '% of % is refused: its numbers follow from legs and holds',
            TG_OP, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION billing_this_transaction() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT pg_current_xact_id()::text::bigint
$$;
"""

ACCOUNTS = """
CREATE FUNCTION billing_open_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO billing_balance (account_id, posted_microcredits, held_microcredits)
    VALUES (NEW.id, 0, 0);
    RETURN NULL;
END $$;

CREATE TRIGGER open_account AFTER INSERT ON billing_account
    FOR EACH ROW WHEN (NEW.owner_id IS NOT NULL) EXECUTE FUNCTION billing_open_account();
CREATE TRIGGER refuse_hand BEFORE INSERT ON billing_balance
    FOR EACH ROW EXECUTE FUNCTION billing_refuse_hand();

CREATE FUNCTION billing_start_stream() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.gross_microcredits := 0;
    NEW.author_microcredits := 0;
    RETURN NEW;
END $$;

CREATE TRIGGER start_stream BEFORE INSERT ON billing_stream
    FOR EACH ROW EXECUTE FUNCTION billing_start_stream();
"""

TRANSFERS = """
CREATE FUNCTION billing_stamp_transfer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.at := clock_timestamp();
    NEW.written_in := billing_this_transaction();
    RETURN NEW;
END $$;

CREATE TRIGGER stamp BEFORE INSERT ON billing_transfer
    FOR EACH ROW EXECUTE FUNCTION billing_stamp_transfer();

CREATE FUNCTION billing_leg_allowed(transfer_kind text, account_kind text, amount bigint)
RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT (transfer_kind, account_kind, CASE WHEN amount < 0 THEN 'from' ELSE 'to' END) IN (
        ('issue', 'issuer', 'from'),
        ('issue', 'wallet_promo', 'to'), ('issue', 'wallet_paid', 'to'),
        ('sale', 'wallet_promo', 'from'), ('sale', 'wallet_paid', 'from'),
        ('sale', 'wallet_earned', 'from'),
        ('sale', 'wallet_promo', 'to'), ('sale', 'wallet_earned', 'to'), ('sale', 'fee', 'to'),
        ('capture', 'wallet_promo', 'from'), ('capture', 'wallet_paid', 'from'),
        ('capture', 'wallet_earned', 'from'),
        ('capture', 'compute', 'to'), ('capture', 'storage', 'to'),
        ('usage', 'wallet_promo', 'from'), ('usage', 'wallet_paid', 'from'),
        ('usage', 'wallet_earned', 'from'),
        ('usage', 'wallet_promo', 'to'), ('usage', 'wallet_earned', 'to'),
        ('usage', 'fee', 'to'), ('usage', 'compute', 'to')
    )
$$;

CREATE FUNCTION billing_stamp_leg() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    transfer billing_transfer;
    account billing_account;
    person uuid;
BEGIN
    SELECT * INTO transfer FROM billing_transfer WHERE id = NEW.transfer_id;
    SELECT * INTO account FROM billing_account WHERE id = NEW.account_id;
    IF transfer.written_in IS DISTINCT FROM billing_this_transaction() THEN
        RAISE EXCEPTION 'transfer % is complete: a mistake is corrected by another transfer',
            NEW.transfer_id USING ERRCODE = 'restrict_violation';
    END IF;
    IF NOT coalesce(
        billing_leg_allowed(transfer.kind, account.kind, NEW.amount_microcredits), false
    ) THEN
        RAISE EXCEPTION 'a transfer of kind % may not move % to an account of kind %',
            transfer.kind, NEW.amount_microcredits, account.kind
            USING ERRCODE = 'check_violation';
    END IF;
    -- Who is paid, and who pays into a stream, are the two people of the stream.
    IF transfer.kind <> 'issue' AND account.owner_id IS NOT NULL
        AND (transfer.stream_id IS NOT NULL OR NEW.amount_microcredits > 0)
    THEN
        SELECT CASE WHEN NEW.amount_microcredits < 0 THEN buyer_id ELSE author_id END
            INTO person FROM billing_stream WHERE id = transfer.stream_id;
        IF person IS DISTINCT FROM account.owner_id THEN
            RAISE EXCEPTION 'the wallet of % has no part in the stream of transfer %',
                account.owner_id, transfer.id USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    NEW.balance_microcredits := NULL;
    SELECT posted_microcredits + NEW.amount_microcredits INTO NEW.balance_microcredits
        FROM billing_balance WHERE account_id = NEW.account_id FOR UPDATE;
    RETURN NEW;
END $$;

CREATE TRIGGER stamp BEFORE INSERT ON billing_leg
    FOR EACH ROW EXECUTE FUNCTION billing_stamp_leg();

CREATE FUNCTION billing_move() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    transfer billing_transfer;
    captured bigint := 0;
BEGIN
    IF NEW.balance_microcredits IS NULL THEN
        RETURN NULL;  -- an account of the platform is the sum of its legs
    END IF;
    SELECT * INTO transfer FROM billing_transfer WHERE id = NEW.transfer_id;
    IF transfer.hold_id IS NOT NULL AND NEW.amount_microcredits < 0 THEN
        captured := -NEW.amount_microcredits;
        UPDATE billing_holdpart SET captured_microcredits = captured_microcredits + captured
            WHERE hold_id = transfer.hold_id AND account_id = NEW.account_id;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'hold % holds nothing of account %', transfer.hold_id, NEW.account_id
                USING ERRCODE = 'check_violation';
        END IF;
        UPDATE billing_hold SET captured_microcredits = captured_microcredits + captured
            WHERE id = transfer.hold_id;
    END IF;
    UPDATE billing_balance
        SET posted_microcredits = posted_microcredits + NEW.amount_microcredits,
            held_microcredits = held_microcredits - captured
        WHERE account_id = NEW.account_id;
    UPDATE billing_stream
        SET gross_microcredits = gross_microcredits - least(NEW.amount_microcredits, 0),
            author_microcredits = author_microcredits + greatest(NEW.amount_microcredits, 0)
        WHERE id = transfer.stream_id;
    RETURN NULL;
END $$;

CREATE TRIGGER move AFTER INSERT ON billing_leg
    FOR EACH ROW EXECUTE FUNCTION billing_move();

CREATE FUNCTION billing_check_transfer() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    transfer billing_transfer;
    legs record;
    used numeric;
BEGIN
    IF TG_TABLE_NAME = 'billing_leg' THEN
        SELECT * INTO transfer FROM billing_transfer WHERE id = NEW.transfer_id;
    ELSE
        transfer := NEW;
    END IF;
    SELECT count(*) AS count, coalesce(sum(l.amount_microcredits), 0) AS sum,
        -coalesce(sum(l.amount_microcredits) FILTER (
            WHERE l.amount_microcredits < 0 AND a.owner_id IS NOT NULL), 0) AS paid,
        -coalesce(sum(l.amount_microcredits) FILTER (
            WHERE l.amount_microcredits < 0 AND a.kind IN ('wallet_paid', 'wallet_earned')), 0)
            AS payable_from,
        coalesce(sum(l.amount_microcredits) FILTER (
            WHERE l.amount_microcredits > 0 AND a.kind = 'wallet_earned'), 0) AS payable_to
        INTO legs
        FROM billing_leg l JOIN billing_account a ON a.id = l.account_id
        WHERE l.transfer_id = transfer.id;
    IF legs.count < 2 OR legs.sum <> 0 THEN
        RAISE EXCEPTION 'transfer % has % legs that sum to %, not at least 2 that sum to 0',
            transfer.id, legs.count, legs.sum USING ERRCODE = 'check_violation';
    END IF;
    IF legs.payable_to > legs.payable_from THEN
        RAISE EXCEPTION 'transfer % makes % earned credits of % that were paid or earned',
            transfer.id, legs.payable_to, legs.payable_from USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (
        SELECT FROM billing_stream s WHERE s.id = transfer.stream_id
            AND s.author_microcredits <> s.gross_microcredits - 3 * s.gross_microcredits / 10
    ) THEN
        RAISE EXCEPTION 'transfer % does not give the author what is left of gross - 3 gross / 10',
            transfer.id USING ERRCODE = 'check_violation';
    END IF;
    IF transfer.kind = 'usage' THEN
        SELECT coalesce(sum(units::numeric * price_microcredits), 0) INTO used
            FROM billing_usageevent
            WHERE hold_id = transfer.hold_id AND settled_by_id = transfer.id;
        IF used <> legs.paid THEN
            RAISE EXCEPTION 'transfer % takes % for use worth %', transfer.id, legs.paid, used
                USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER check_transfer AFTER INSERT ON billing_transfer
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION billing_check_transfer();
CREATE CONSTRAINT TRIGGER check_transfer AFTER INSERT ON billing_leg
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION billing_check_transfer();
"""

HOLDS = """
CREATE FUNCTION billing_open_hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.captured_microcredits := 0;
    NEW.state := 'open';
    NEW.closed_at := NULL;
    NEW.opened_at := clock_timestamp();
    NEW.written_in := billing_this_transaction();
    RETURN NEW;
END $$;

CREATE TRIGGER open_hold BEFORE INSERT ON billing_hold
    FOR EACH ROW EXECUTE FUNCTION billing_open_hold();

CREATE FUNCTION billing_change_hold() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    expected billing_hold := OLD;
    part record;
BEGIN
    IF OLD.state = 'closed' THEN
        RAISE EXCEPTION 'hold % is closed', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    expected.state := NEW.state;
    IF NEW.state = 'closed' THEN
        NEW.closed_at := clock_timestamp();
        expected.closed_at := NEW.closed_at;
    END IF;
    IF pg_trigger_depth() >= 2 THEN
        expected.captured_microcredits := NEW.captured_microcredits;
    END IF;
    IF NEW IS DISTINCT FROM expected THEN
        RAISE EXCEPTION 'a hold can be closed; its numbers follow from legs'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 'closed' THEN
        FOR part IN SELECT * FROM billing_holdpart WHERE hold_id = OLD.id ORDER BY account_id LOOP
            UPDATE billing_balance SET held_microcredits = held_microcredits
                - (part.amount_microcredits - part.captured_microcredits)
                WHERE account_id = part.account_id;
        END LOOP;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER change_hold BEFORE UPDATE ON billing_hold
    FOR EACH ROW EXECUTE FUNCTION billing_change_hold();

CREATE FUNCTION billing_stamp_part() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.captured_microcredits := 0;
    IF NOT EXISTS (
        SELECT FROM billing_hold h JOIN billing_account a ON a.owner_id = h.owner_id
        WHERE h.id = NEW.hold_id AND a.id = NEW.account_id AND h.state = 'open'
            AND h.written_in = billing_this_transaction()
    ) THEN
        RAISE EXCEPTION 'hold % takes parts only when it is made, from wallets of its owner',
            NEW.hold_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER stamp BEFORE INSERT ON billing_holdpart
    FOR EACH ROW EXECUTE FUNCTION billing_stamp_part();

CREATE FUNCTION billing_set_aside() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE billing_balance SET held_microcredits = held_microcredits + NEW.amount_microcredits
        WHERE account_id = NEW.account_id;
    RETURN NULL;
END $$;

CREATE TRIGGER set_aside AFTER INSERT ON billing_holdpart
    FOR EACH ROW EXECUTE FUNCTION billing_set_aside();

CREATE FUNCTION billing_check_hold() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    hold bigint := CASE TG_TABLE_NAME WHEN 'billing_hold' THEN to_jsonb(NEW) -> 'id'
        ELSE to_jsonb(NEW) -> 'hold_id' END;
BEGIN
    IF EXISTS (
        SELECT FROM billing_hold h WHERE h.id = hold AND h.amount_microcredits <> coalesce(
            (SELECT sum(amount_microcredits) FROM billing_holdpart WHERE hold_id = h.id), 0)
    ) THEN
        RAISE EXCEPTION 'the parts of hold % do not sum to its amount', hold
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER check_hold AFTER INSERT ON billing_hold
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION billing_check_hold();
CREATE CONSTRAINT TRIGGER check_hold AFTER INSERT ON billing_holdpart
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION billing_check_hold();
"""

USAGE = """
CREATE FUNCTION billing_stamp_lease() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM billing_hold
        WHERE id = NEW.hold_id AND written_in = billing_this_transaction()
    ) THEN
        RAISE EXCEPTION 'hold % was made for something else', NEW.hold_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER stamp BEFORE INSERT ON billing_lease
    FOR EACH ROW EXECUTE FUNCTION billing_stamp_lease();

-- FOR KEY SHARE makes the row wait for whoever closes the hold, and whoever closes it wait for the
-- row: so no use is ever recorded on a hold that was given back.
CREATE FUNCTION billing_stamp_usage() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    hold billing_hold;
    lease billing_lease;
BEGIN
    NEW.settled_by_id := NULL;
    IF NEW.hold_id IS NULL THEN
        RETURN NEW;
    END IF;
    SELECT * INTO hold FROM billing_hold WHERE id = NEW.hold_id FOR KEY SHARE;
    SELECT * INTO lease FROM billing_lease WHERE hold_id = NEW.hold_id;
    IF hold.state IS DISTINCT FROM 'open' THEN
        RAISE EXCEPTION 'hold % is closed and pays for nothing more', NEW.hold_id
            USING ERRCODE = 'check_violation';
    END IF;
    IF (hold.owner_id, lease.source, lease.author_id, lease.price_microcredits)
        IS DISTINCT FROM (NEW.user_id, NEW.source, NEW.author_id, NEW.price_microcredits)
    THEN
        RAISE EXCEPTION 'hold % pays for other use', NEW.hold_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER stamp BEFORE INSERT ON billing_usageevent
    FOR EACH ROW EXECUTE FUNCTION billing_stamp_usage();

CREATE FUNCTION billing_settle_usage() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE expected billing_usageevent := OLD;
BEGIN
    expected.settled_by_id := NEW.settled_by_id;
    IF NEW IS DISTINCT FROM expected OR OLD.settled_by_id IS NOT NULL OR NOT EXISTS (
        SELECT FROM billing_transfer
        WHERE id = NEW.settled_by_id AND kind = 'usage' AND hold_id = NEW.hold_id
            AND written_in = billing_this_transaction()
    ) THEN
        RAISE EXCEPTION 'use % can be settled once, by the transfer that pays for it', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER settle BEFORE UPDATE ON billing_usageevent
    FOR EACH ROW EXECUTE FUNCTION billing_settle_usage();
"""

LOCKS = "".join(
    f"CREATE TRIGGER refuse_update BEFORE UPDATE ON billing_{table}"
    " FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();\n"
    for table in APPEND_ONLY
) + "".join(
    f"CREATE TRIGGER refuse_update BEFORE UPDATE ON billing_{table}"
    " FOR EACH ROW EXECUTE FUNCTION billing_refuse_hand();\n"
    for table in KEPT_BY_TRIGGERS
) + "".join(
    f"CREATE TRIGGER refuse_delete BEFORE DELETE ON billing_{table}"
    " FOR EACH ROW EXECUTE FUNCTION billing_refuse_change();\n"
    f"CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON billing_{table}"
    " FOR EACH STATEMENT EXECUTE FUNCTION billing_refuse_change();\n"
    for table in KEPT
)

FUNCTIONS = (
    "refuse_change()", "refuse_hand()", "open_account()", "start_stream()", "stamp_transfer()",
    "stamp_leg()", "move()", "check_transfer()", "open_hold()", "change_hold()", "stamp_part()",
    "set_aside()", "check_hold()", "stamp_lease()", "stamp_usage()", "settle_usage()",
    "leg_allowed(text, text, bigint)", "this_transaction()",
)
BACKWARD = "".join(f"DROP FUNCTION billing_{function} CASCADE;\n" for function in FUNCTIONS)


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial")]
    operations = [
        migrations.RunSQL(REFUSALS + ACCOUNTS + TRANSFERS + HOLDS + USAGE + LOCKS, BACKWARD)
    ]
