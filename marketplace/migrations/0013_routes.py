"""A deployment answers through routes, of which it has one set after the other.

What was deployed so far gets a set with one route. The database holds the shares of a set to 100 at
COMMIT, a set to what it was made as, and a deployment's stable route to its own sets.
"""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

MOVE = """
UPDATE marketplace_deployment d SET template_id = v.template_id
    FROM marketplace_templateversion v WHERE v.id = d.version_id;
UPDATE marketplace_deployment d SET considered_id = t.current_id
    FROM marketplace_template t WHERE t.id = d.template_id;
-- A name stands for one open deployment now: the later ones of a name get a number.
UPDATE marketplace_deployment d SET name = left(d.name, 72) || ' ' || n.number FROM (
    SELECT id, row_number() OVER (PARTITION BY owner_id, name ORDER BY created_at, id) AS number
    FROM marketplace_deployment WHERE stopped_at IS NULL
) n WHERE n.id = d.id AND n.number > 1;
INSERT INTO marketplace_routeset (deployment_id, number, cause, at)
    SELECT id, 1, 'deployed', created_at FROM marketplace_deployment;
INSERT INTO marketplace_route
    (route_set_id, version_id, model_id, role, share, price_microcredits, earns)
    SELECT s.id, d.version_id, d.model_id, 'stable', 100, d.call_price_microcredits,
        t.owner_id <> d.owner_id AND v.call_price_microcredits > 0
    FROM marketplace_deployment d
        JOIN marketplace_routeset s ON s.deployment_id = d.id
        JOIN marketplace_templateversion v ON v.id = d.version_id
        JOIN marketplace_template t ON t.id = v.template_id;
UPDATE marketplace_deployment d SET stable_id = r.id
    FROM marketplace_route r JOIN marketplace_routeset s ON s.id = r.route_set_id
    WHERE s.deployment_id = d.id;
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
"""

HOLD = """
CREATE FUNCTION marketplace_hold_routes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    set_id bigint := CASE TG_OP WHEN 'DELETE' THEN OLD.route_set_id ELSE NEW.route_set_id END;
    total bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM marketplace_routeset WHERE id = set_id) THEN
        RETURN NULL;  -- gone with its deployment
    END IF;
    SELECT coalesce(sum(share), 0) INTO total FROM marketplace_route WHERE route_set_id = set_id;
    IF total <> 100 THEN
        RAISE EXCEPTION 'the shares of route set % sum to %, not to 100', set_id, total
            USING ERRCODE = 'check_violation', CONSTRAINT = 'shares_sum_to_100';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER hold_routes AFTER INSERT OR DELETE ON marketplace_route
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION marketplace_hold_routes();
CREATE TRIGGER refuse_change BEFORE UPDATE ON marketplace_route
    FOR EACH ROW EXECUTE FUNCTION governance_refuse_change();
CREATE TRIGGER refuse_change BEFORE UPDATE ON marketplace_routeset
    FOR EACH ROW EXECUTE FUNCTION governance_refuse_change();

CREATE FUNCTION marketplace_hold_stable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM marketplace_route r JOIN marketplace_routeset s ON s.id = r.route_set_id
        WHERE r.id = NEW.stable_id AND s.deployment_id = NEW.id AND r.role = 'stable'
    ) THEN
        RAISE EXCEPTION 'route % is no stable route of deployment %', NEW.stable_id, NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'stable_route_is_its_own';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER hold_stable BEFORE INSERT OR UPDATE OF stable_id ON marketplace_deployment
    FOR EACH ROW WHEN (NEW.stable_id IS NOT NULL) EXECUTE FUNCTION marketplace_hold_stable();
"""
RELEASE = """
DROP TRIGGER hold_stable ON marketplace_deployment;
DROP FUNCTION marketplace_hold_stable();
DROP TRIGGER refuse_change ON marketplace_routeset;
DROP TRIGGER refuse_change ON marketplace_route;
DROP TRIGGER hold_routes ON marketplace_route;
DROP FUNCTION marketplace_hold_routes();
"""


class Migration(migrations.Migration):
    dependencies = [
        ('marketplace', '0012_listings_inline'),
        ('training', '0018_splits_by_no_column'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='deployment',
            name='one_active_deployment_per_version',
        ),
        migrations.CreateModel(
            name='Call',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('event_id', models.UUIDField()),
                ('at', models.DateTimeField()),
                ('rows', models.PositiveIntegerField()),
                ('milliseconds', models.FloatField()),
                ('outcome', models.CharField(blank=True, max_length=60)),
                ('asked', models.TextField(blank=True)),
            ],
            options={
                'ordering': ['-at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='Route',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('role', models.CharField(choices=[('stable', 'Stable'), ('canary', 'Canary'), ('member', 'Member')], default='stable', max_length=6)),
                ('share', models.PositiveSmallIntegerField(default=100)),
                ('price_microcredits', models.BigIntegerField()),
                ('earns', models.BooleanField(default=False)),
            ],
            options={
                'ordering': ['pk'],
            },
        ),
        migrations.CreateModel(
            name='RouteSet',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('cause', models.CharField(choices=[('deployed', 'Deployed'), ('canary', 'Canary started'), ('promoted', 'Canary promoted'), ('aborted', 'Canary aborted'), ('changed', 'Versions changed'), ('followed', 'Followed the current version'), ('rolled_back', 'Rolled back')], max_length=11)),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
            ],
            options={
                'ordering': ['-number'],
            },
        ),
        migrations.CreateModel(
            name='Served',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('span', models.CharField(choices=[('minute', 'Minute'), ('hour', 'Hour')], max_length=6)),
                ('at', models.DateTimeField()),
                ('outcome', models.CharField(blank=True, max_length=60)),
                ('calls', models.PositiveIntegerField()),
                ('rows', models.PositiveBigIntegerField()),
                ('latencies', django.contrib.postgres.fields.ArrayField(base_field=models.PositiveIntegerField(), size=None)),
            ],
        ),
        migrations.AddField(
            model_name='deployment',
            name='aggregation',
            field=models.CharField(blank=True, choices=[('', 'One version answers each call'), ('mean', 'Mean of all versions'), ('majority', 'Majority of all versions'), ('weighted', 'Mean, weighted by share'), ('ensemble', "Mean, with each version's own answer")], default='', max_length=8),
        ),
        migrations.AddField(
            model_name='deployment',
            name='batch_limit',
            field=models.PositiveIntegerField(default=1000),
        ),
        migrations.AddField(
            model_name='deployment',
            name='considered',
            field=models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='marketplace.templateversion'),
        ),
        migrations.AddField(
            model_name='deployment',
            name='follows',
            field=models.CharField(choices=[('pinned', 'Stay with this version'), ('current', "Follow the template's current version")], default='pinned', max_length=8),
        ),
        migrations.AddField(
            model_name='deployment',
            name='inputs_logged_until',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name='deployment',
            name='job',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='training.job'),
        ),
        migrations.AddField(
            model_name='deployment',
            name='spend_cap_microcredits',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='deployment',
            name='spend_period',
            field=models.CharField(choices=[('month', 'each month'), ('total', 'in all')], default='month', max_length=5),
        ),
        migrations.AddField(
            model_name='deployment',
            name='stopped_reason',
            field=models.TextField(blank=True, editable=False),
        ),
        migrations.AddField(
            model_name='deployment',
            name='template',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='deployments', to='marketplace.template'),
        ),
        migrations.AddField(
            model_name='deployment',
            name='timeout_ms',
            field=models.PositiveIntegerField(default=60000),
        ),
        migrations.AddField(
            model_name='call',
            name='deployment',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='calls', to='marketplace.deployment'),
        ),
        migrations.AddField(
            model_name='route',
            name='model',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='routes', to='training.model'),
        ),
        migrations.AddField(
            model_name='route',
            name='version',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='routes', to='marketplace.templateversion'),
        ),
        migrations.AddField(
            model_name='call',
            name='route',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='marketplace.route'),
        ),
        migrations.AddField(
            model_name='deployment',
            name='stable',
            field=models.OneToOneField(editable=False, null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='marketplace.route'),
        ),
        migrations.AddField(
            model_name='routeset',
            name='deployment',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='route_sets', to='marketplace.deployment'),
        ),
        migrations.AddField(
            model_name='route',
            name='route_set',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='routes', to='marketplace.routeset'),
        ),
        migrations.AddField(
            model_name='served',
            name='deployment',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='served', to='marketplace.deployment'),
        ),
        migrations.AddField(
            model_name='served',
            name='route',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='marketplace.route'),
        ),
        migrations.RunSQL(MOVE),
        migrations.AlterField(
            model_name='deployment',
            name='template',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='deployments', to='marketplace.template'),
        ),
        migrations.RemoveField(
            model_name='deployment',
            name='call_price_microcredits',
        ),
        migrations.RemoveField(
            model_name='deployment',
            name='model',
        ),
        migrations.RemoveField(
            model_name='deployment',
            name='version',
        ),
        migrations.AddIndex(
            model_name='deployment',
            index=models.Index(fields=['owner', '-created_at'], name='deployments_of_owner'),
        ),
        migrations.AddIndex(
            model_name='deployment',
            index=models.Index(condition=models.Q(('follows', 'current'), ('stopped_at', None)), fields=['template'], name='following_deployments'),
        ),
        migrations.AddConstraint(
            model_name='deployment',
            constraint=models.UniqueConstraint(condition=models.Q(('stopped_at', None)), fields=('owner', 'name'), name='one_open_deployment_per_name'),
        ),
        migrations.AddConstraint(
            model_name='deployment',
            constraint=models.CheckConstraint(condition=models.Q(('batch_limit__gte', 1), ('batch_limit__lte', 1000)), name='deployment_batch_limit_is_within_a_call'),
        ),
        migrations.AddConstraint(
            model_name='deployment',
            constraint=models.CheckConstraint(condition=models.Q(('timeout_ms__gte', 1), ('timeout_ms__lte', 60000)), name='deployment_timeout_is_within_a_minute'),
        ),
        migrations.AddConstraint(
            model_name='deployment',
            constraint=models.CheckConstraint(condition=models.Q(('spend_cap_microcredits', None), ('spend_cap_microcredits__gte', 0), _connector='OR'), name='deployment_spend_cap_is_not_negative'),
        ),
        migrations.AddIndex(
            model_name='call',
            index=models.Index(fields=['deployment', '-at', '-id'], name='calls_of_deployment'),
        ),
        migrations.AddIndex(
            model_name='call',
            index=models.Index(condition=models.Q(('asked', ''), _negated=True), fields=['at'], name='calls_with_inputs'),
        ),
        migrations.AddConstraint(
            model_name='routeset',
            constraint=models.UniqueConstraint(fields=('deployment', 'number'), name='one_route_set_per_number'),
        ),
        migrations.AddConstraint(
            model_name='route',
            constraint=models.UniqueConstraint(fields=('route_set', 'model'), name='one_route_per_model'),
        ),
        migrations.AddConstraint(
            model_name='route',
            constraint=models.UniqueConstraint(condition=models.Q(('role', 'stable')), fields=('route_set',), name='one_stable_route_per_set'),
        ),
        migrations.AddConstraint(
            model_name='route',
            constraint=models.CheckConstraint(condition=models.Q(('share__gte', 1), ('share__lte', 100)), name='share_is_a_percentage'),
        ),
        migrations.AddConstraint(
            model_name='route',
            constraint=models.CheckConstraint(condition=models.Q(('price_microcredits__gt', 0)), name='route_has_a_price'),
        ),
        migrations.AddIndex(
            model_name='served',
            index=models.Index(fields=['span', 'at'], name='served_by_age'),
        ),
        migrations.AddConstraint(
            model_name='served',
            constraint=models.UniqueConstraint(fields=('deployment', 'span', 'at', 'route', 'outcome'), name='one_sum_per_span'),
        ),
        migrations.RunSQL(HOLD, RELEASE),
    ]
