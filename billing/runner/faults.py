"""Recounts the whole ledger from its legs and names what does not fit.

The database refuses to write any of these faults. This is the second pair of eyes: it sees what a
disk, a restore or a hand with triggers switched off has done. It is one statement, so it sees one
moment of a ledger in use.
"""

from django.db import connection

# Each gives the place and the fault.
CHECKS = (
    """
    SELECT 'ledger', format('all legs sum to %s, not 0', sum(amount_microcredits))
    FROM billing_leg HAVING sum(amount_microcredits) <> 0
    """,
    """
    SELECT format('transfer %s', t.key),
        format('has %s legs that sum to %s, not at least 2 that sum to 0',
            count(l.id), coalesce(sum(l.amount_microcredits), 0))
    FROM billing_transfer t LEFT JOIN billing_leg l ON l.transfer_id = t.id
    GROUP BY t.id HAVING count(l.id) < 2 OR sum(l.amount_microcredits) <> 0
    """,
    """
    SELECT format('transfer %s', t.key), 'makes earned credits of promotional ones'
    FROM billing_transfer t JOIN billing_leg l ON l.transfer_id = t.id
        JOIN billing_account a ON a.id = l.account_id
    GROUP BY t.id
    HAVING sum(l.amount_microcredits) FILTER (
            WHERE l.amount_microcredits > 0 AND a.kind = 'wallet_earned')
        > -coalesce(sum(l.amount_microcredits) FILTER (
            WHERE l.amount_microcredits < 0 AND a.kind IN ('wallet_paid', 'wallet_earned')), 0)
    """,
    """
    SELECT format('%s of %s', a.kind, a.owner_id),
        format('has a balance of %s, and legs that sum to %s', b.posted_microcredits,
            coalesce(l.sum, 0))
    FROM billing_account a LEFT JOIN billing_balance b ON b.account_id = a.id
        LEFT JOIN (SELECT account_id, sum(amount_microcredits) AS sum
            FROM billing_leg GROUP BY account_id) l ON l.account_id = a.id
    WHERE a.owner_id IS NOT NULL AND b.posted_microcredits IS DISTINCT FROM coalesce(l.sum, 0)
    """,
    """
    SELECT format('leg %s', id),
        format('leaves a balance of %s, and the legs so far sum to %s', balance_microcredits, sum)
    FROM (SELECT l.*, a.owner_id,
            sum(l.amount_microcredits) OVER (PARTITION BY l.account_id ORDER BY l.id) AS sum
        FROM billing_leg l JOIN billing_account a ON a.id = l.account_id) running
    WHERE owner_id IS NOT NULL AND balance_microcredits IS DISTINCT FROM sum
    """,
    """
    SELECT format('%s of %s', a.kind, a.owner_id),
        format('has %s held, and open holds of %s', b.held_microcredits, coalesce(p.sum, 0))
    FROM billing_balance b JOIN billing_account a ON a.id = b.account_id
        LEFT JOIN (SELECT p.account_id, sum(p.amount_microcredits - p.captured_microcredits) AS sum
            FROM billing_holdpart p JOIN billing_hold h ON h.id = p.hold_id
            WHERE h.state = 'open' GROUP BY p.account_id) p ON p.account_id = a.id
    WHERE b.held_microcredits <> coalesce(p.sum, 0)
    """,
    """
    SELECT format('hold %s', h.key),
        format('is %s with %s captured, and its parts are %s with %s captured',
            h.amount_microcredits, h.captured_microcredits,
            coalesce(sum(p.amount_microcredits), 0), coalesce(sum(p.captured_microcredits), 0))
    FROM billing_hold h LEFT JOIN billing_holdpart p ON p.hold_id = h.id
    GROUP BY h.id
    HAVING h.amount_microcredits <> coalesce(sum(p.amount_microcredits), 0)
        OR h.captured_microcredits <> coalesce(sum(p.captured_microcredits), 0)
    """,
    """
    SELECT format('hold %s', h.key),
        format('captured %s of account %s, and its transfers took %s', p.captured_microcredits,
            p.account_id, coalesce(l.sum, 0))
    FROM billing_holdpart p JOIN billing_hold h ON h.id = p.hold_id
        LEFT JOIN (SELECT t.hold_id, l.account_id, -sum(l.amount_microcredits) AS sum
            FROM billing_leg l JOIN billing_transfer t ON t.id = l.transfer_id
            WHERE t.hold_id IS NOT NULL AND l.amount_microcredits < 0
            GROUP BY t.hold_id, l.account_id) l
            ON l.hold_id = p.hold_id AND l.account_id = p.account_id
    WHERE p.captured_microcredits <> coalesce(l.sum, 0)
    """,
    """
    SELECT format('stream %s', s.id),
        format('has %s gross with %s for the author, and its legs %s with %s, by the formula %s',
            s.gross_microcredits, s.author_microcredits, coalesce(l.gross, 0),
            coalesce(l.author, 0), s.gross_microcredits - 3 * s.gross_microcredits / 10)
    FROM billing_stream s LEFT JOIN (
        SELECT t.stream_id, -sum(least(l.amount_microcredits, 0)) AS gross,
            sum(greatest(l.amount_microcredits, 0)) AS author
        FROM billing_leg l JOIN billing_transfer t ON t.id = l.transfer_id
            JOIN billing_account a ON a.id = l.account_id
        WHERE t.stream_id IS NOT NULL AND a.owner_id IS NOT NULL
        GROUP BY t.stream_id) l ON l.stream_id = s.id
    WHERE (s.gross_microcredits, s.author_microcredits)
            IS DISTINCT FROM (coalesce(l.gross, 0), coalesce(l.author, 0))
        OR s.author_microcredits <> s.gross_microcredits - 3 * s.gross_microcredits / 10
    """,
    """
    SELECT format('transfer %s', t.key),
        format('took %s for use worth %s', coalesce(l.sum, 0), coalesce(u.sum, 0))
    FROM billing_transfer t
        LEFT JOIN (SELECT l.transfer_id, -sum(least(l.amount_microcredits, 0)) AS sum
            FROM billing_leg l GROUP BY l.transfer_id) l ON l.transfer_id = t.id
        LEFT JOIN (SELECT settled_by_id, sum(units::numeric * price_microcredits) AS sum
            FROM billing_usageevent GROUP BY settled_by_id) u ON u.settled_by_id = t.id
    WHERE t.kind = 'usage' AND coalesce(l.sum, 0) <> coalesce(u.sum, 0)
    """,
    """
    SELECT format('hold %s', h.key),
        format('has %s left for use worth %s', CASE h.state WHEN 'open'
            THEN h.amount_microcredits - h.captured_microcredits ELSE 0 END,
            sum(u.units::numeric * u.price_microcredits))
    FROM billing_usageevent u JOIN billing_hold h ON h.id = u.hold_id
    WHERE u.settled_by_id IS NULL
    GROUP BY h.id
    HAVING sum(u.units::numeric * u.price_microcredits) > CASE h.state WHEN 'open'
        THEN h.amount_microcredits - h.captured_microcredits ELSE 0 END
    """,
)


def ledger_faults() -> list[str]:
    """Each line names a place in the ledger and what is wrong there; none when all is well."""
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(f"({check})" for check in CHECKS))
        return [f"{place}: {fault}" for place, fault in cursor.fetchall()]
