"""States and prices move from templates to their versions, and the database holds the versions to
the order of states.
"""

import django.db.models.deletion
from django.db import migrations, models

MOVE = """
DROP TRIGGER refuse_change ON marketplace_templateversion;
UPDATE marketplace_templateversion v SET
    plan = t.plan,
    price_microcredits = t.price_microcredits,
    call_price_microcredits = t.call_price_microcredits,
    review_note = t.review_note,
    status = CASE t.status WHEN 'public' THEN 'published' WHEN 'in_review' THEN 'submitted' ELSE t.status END,
    submitted_at = v.created_at,
    published_at = CASE t.status WHEN 'public' THEN coalesce(t.published_at, v.created_at) END
FROM marketplace_template t WHERE t.id = v.template_id;
UPDATE marketplace_template t SET
    published_at = coalesce(t.published_at, t.created_at),
    current_id = (
        SELECT v.id FROM marketplace_templateversion v
        WHERE v.template_id = t.id ORDER BY v.number DESC LIMIT 1
    )
WHERE t.status = 'public';
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
"""

# OLD to NEW; what is not here is refused.
STEPS = {
    "draft": ["submitted"],
    "submitted": ["draft", "in_review", "changes_requested", "approved", "rejected"],
    "in_review": ["draft", "changes_requested", "approved", "rejected"],
    "changes_requested": ["submitted"],
    "approved": ["published", "withdrawn"],
    "published": ["deprecated", "withdrawn"],
    "deprecated": ["published", "withdrawn"],
}
ALLOWED = ", ".join(f"('{old}', '{new}')" for old, news in STEPS.items() for new in news)
TERMS = [
    "template_id", "number", "model_id", "plan", "price_microcredits", "call_price_microcredits",
    "monthly_calls", "changelog", "created_at",
]
OLD, NEW = (", ".join(f"{row}.{name}" for name in TERMS) for row in ("OLD", "NEW"))

HOLD = f"""
CREATE FUNCTION marketplace_hold_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.status <> 'draft' OR OLD.submitted_at IS NOT NULL THEN
            RAISE EXCEPTION 'version % was submitted and stays', OLD.id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'submitted_version_stays';
        END IF;
        RETURN OLD;
    END IF;
    IF OLD.status <> NEW.status AND (OLD.status, NEW.status) NOT IN ({ALLOWED}) THEN
        RAISE EXCEPTION 'version %: no step from % to %', OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'version_takes_known_steps';
    END IF;
    IF OLD.status NOT IN ('draft', 'changes_requested') AND (
        ({OLD}) IS DISTINCT FROM ({NEW})
        OR (NEW.status <> 'draft' AND OLD.validation_id IS DISTINCT FROM NEW.validation_id)
    ) THEN
        RAISE EXCEPTION 'version % was submitted and stays as it is', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'submitted_version_stays_as_it_is';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER hold_version BEFORE UPDATE OR DELETE ON marketplace_templateversion
    FOR EACH ROW EXECUTE FUNCTION marketplace_hold_version();
"""
RELEASE = """
DROP TRIGGER hold_version ON marketplace_templateversion;
DROP FUNCTION marketplace_hold_version();
"""


class Migration(migrations.Migration):
    dependencies = [("marketplace", "0003_descriptions"), ("training", "0018_splits_by_no_column")]

    operations = [
        migrations.AddField(
            model_name='template',
            name='current',
            field=models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='marketplace.templateversion'),
        ),
        migrations.AddField(
            model_name='template',
            name='withdrawn_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='template',
            name='withdrawn_reason',
            field=models.TextField(blank=True, editable=False),
        ),
        migrations.AddField(
            model_name='templateversion',
            name='call_price_microcredits',
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='templateversion',
            name='ended_reason',
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name='templateversion',
            name='monthly_calls',
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='templateversion',
            name='plan',
            field=models.CharField(choices=[('free', 'Free'), ('standard', 'Standard'), ('premium', 'Premium'), ('custom', 'Custom')], default='free', max_length=10),
        ),
        migrations.AddField(
            model_name='templateversion',
            name='price_microcredits',
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='templateversion',
            name='published_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='templateversion',
            name='review_note',
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name='templateversion',
            name='status',
            field=models.CharField(choices=[('draft', 'Draft'), ('submitted', 'Submitted'), ('in_review', 'In review'), ('changes_requested', 'Changes requested'), ('approved', 'Approved'), ('rejected', 'Rejected'), ('published', 'Published'), ('deprecated', 'Deprecated'), ('withdrawn', 'Withdrawn')], default='draft', max_length=17),
        ),
        migrations.AddField(
            model_name='templateversion',
            name='submitted_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='template',
            name='description',
            field=models.TextField(blank=True),
        ),
        migrations.AlterField(
            model_name='templateversion',
            name='validation',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='training.validation'),
        ),
        migrations.RunSQL(MOVE),
        migrations.RemoveConstraint(
            model_name='template',
            name='template_prices_are_not_negative',
        ),
        migrations.RemoveConstraint(
            model_name='template',
            name='template_of_the_free_plan_costs_nothing',
        ),
        migrations.RemoveIndex(
            model_name='template',
            name='public_templates',
        ),
        migrations.RemoveField(
            model_name='template',
            name='call_price_microcredits',
        ),
        migrations.RemoveField(
            model_name='template',
            name='plan',
        ),
        migrations.RemoveField(
            model_name='template',
            name='price_microcredits',
        ),
        migrations.RemoveField(
            model_name='template',
            name='review_note',
        ),
        migrations.RemoveField(
            model_name='template',
            name='status',
        ),
        migrations.AddIndex(
            model_name='template',
            index=models.Index(condition=models.Q(('current__isnull', False), ('hidden_at', None), ('withdrawn_at', None)), fields=['-published_at'], name='templates_on_offer'),
        ),
        migrations.AddConstraint(
            model_name='template',
            constraint=models.CheckConstraint(condition=models.Q(('current', None), ('published_at__isnull', False), _connector='OR'), name='template_with_a_current_version_was_published'),
        ),
        migrations.AddConstraint(
            model_name='templateversion',
            constraint=models.UniqueConstraint(condition=models.Q(('status__in', ['draft', 'changes_requested', 'submitted', 'in_review', 'approved'])), fields=('template',), name='one_open_version_per_template'),
        ),
        migrations.AddConstraint(
            model_name='templateversion',
            constraint=models.CheckConstraint(condition=models.Q(('call_price_microcredits__gte', 0), ('price_microcredits__gte', 0)), name='version_prices_are_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='templateversion',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('plan', 'free'), _negated=True), ('price_microcredits', 0), _connector='OR'), name='version_of_the_free_plan_costs_nothing'),
        ),
        migrations.AddConstraint(
            model_name='templateversion',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['draft', 'changes_requested']), models.Q(('submitted_at__isnull', False), ('validation__isnull', False)), _connector='OR'), name='submitted_version_is_measured'),
        ),
        migrations.AddConstraint(
            model_name='templateversion',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('status__in', ['published', 'deprecated']), _negated=True), ('published_at__isnull', False), _connector='OR'), name='published_version_says_since_when'),
        ),
        migrations.RunSQL(HOLD, RELEASE),
    ]
