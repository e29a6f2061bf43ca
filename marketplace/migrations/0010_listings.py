"""What the catalogue searches. `pg_trgm` corrects spelling; a role that may create in the database may
add it, since PostgreSQL trusts it.
"""

import datetime
import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.contrib.postgres.search
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.contrib.postgres.operations import TrigramExtension
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('marketplace', '0009_free_tries'),
        ('training', '0018_splits_by_no_column'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        TrigramExtension(),
        migrations.CreateModel(
            name='Overview',
            fields=[
                ('id', models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ('listings', models.BigIntegerField(default=0)),
                ('sampled', models.BigIntegerField(default=0)),
                ('facets', models.JSONField(default=list)),
                ('counted_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('learned_at', models.DateTimeField(default=datetime.datetime(2000, 1, 1, 0, 0, tzinfo=datetime.timezone.utc))),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('pk', 1)), name='one_overview')],
            },
        ),
        migrations.CreateModel(
            name='Word',
            fields=[
                ('word', models.TextField(primary_key=True, serialize=False)),
                ('listings', models.IntegerField()),
            ],
            options={
                'indexes': [django.contrib.postgres.indexes.GistIndex(fields=['word'], name='words_by_spelling', opclasses=['gist_trgm_ops']), models.Index(fields=['word'], name='words_by_beginning', opclasses=['text_pattern_ops'])],
            },
        ),
        migrations.CreateModel(
            name='Listing',
            fields=[
                ('template', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='marketplace.template')),
                ('slug', models.TextField()),
                ('name', models.TextField()),
                ('summary', models.TextField()),
                ('author', models.TextField()),
                ('category', models.TextField(choices=[('classification', 'Classification'), ('regression', 'Regression'), ('timeseries', 'Time series'), ('nlp', 'Language'), ('vision', 'Vision'), ('anomaly', 'Anomaly'), ('generative', 'Generative'), ('reinforcement', 'Reinforcement'), ('custom', 'Custom')])),
                ('plan', models.TextField(choices=[('free', 'Free'), ('standard', 'Standard'), ('premium', 'Premium'), ('custom', 'Custom')])),
                ('price_microcredits', models.BigIntegerField()),
                ('call_price_microcredits', models.BigIntegerField()),
                ('architecture', models.TextField()),
                ('tier', models.TextField(choices=[('nano', 'Nano'), ('mini', 'Mini'), ('small', 'Small'), ('medium', 'Medium'), ('large', 'Large')])),
                ('size_bytes', models.BigIntegerField()),
                ('parameters', models.BigIntegerField()),
                ('licence', models.TextField(choices=[('Apache-2.0', 'Apache 2.0'), ('MIT', 'MIT'), ('BSD-3-Clause', 'BSD, 3 clauses'), ('MPL-2.0', 'Mozilla Public License 2.0'), ('GPL-3.0-or-later', 'GNU GPL 3 or later'), ('AGPL-3.0-or-later', 'GNU Affero GPL 3 or later'), ('CC0-1.0', 'CC0 1.0, no rights reserved'), ('CC-BY-4.0', 'CC BY 4.0'), ('CC-BY-SA-4.0', 'CC BY-SA 4.0'), ('CC-BY-NC-4.0', 'CC BY-NC 4.0, not for commerce'), ('other', 'Other, in my own words')])),
                ('latency_p50_ms', models.FloatField()),
                ('metric', models.TextField()),
                ('value', models.FloatField(null=True)),
                ('goodness', models.FloatField()),
                ('is_share', models.BooleanField()),
                ('dataset_slug', models.TextField()),
                ('dataset_name', models.TextField()),
                ('certificate', models.TextField(choices=[('platinum', 'Platinum'), ('gold', 'Gold'), ('silver', 'Silver'), ('bronze', 'Bronze'), ('basic', 'Basic')])),
                ('published_at', models.DateTimeField()),
                ('words', django.contrib.postgres.search.SearchVectorField()),
                ('rating_sum', models.IntegerField(db_default=0)),
                ('rating_count', models.IntegerField(db_default=0)),
                ('downloads', models.IntegerField(db_default=0)),
                ('downloads_7_days', models.IntegerField(db_default=0)),
                ('downloads_30_days', models.IntegerField(db_default=0)),
                ('trend', models.FloatField(db_default=0)),
                ('changed_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('tokens', models.GeneratedField(db_persist=True, expression=models.Func(output_field=django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None), template="(ARRAY['category:' || category, 'plan:' || plan, 'architecture:' || architecture, 'tier:' || tier, 'licence:' || licence, 'metric:' || metric, 'certificate:' || certificate, 'dataset:' || dataset_slug, 'author:' || author, 'price:' || width_bucket(price_microcredits::float8, ARRAY[1, 5000001, 20000001, 100000001]::float8[]), 'size:' || width_bucket(size_bytes::float8, ARRAY[10000, 100000, 1000000, 10000000]::float8[]), 'params:' || width_bucket(parameters::float8, ARRAY[1000, 10000, 100000, 1000000]::float8[]), 'latency:' || width_bucket(latency_p50_ms::float8, ARRAY[0.05, 0.1, 0.5, 1, 5]::float8[]), 'commercial:' || CASE WHEN licence IN ('', 'CC-BY-NC-4.0', 'other') THEN 'no' ELSE 'yes' END, CASE WHEN is_share THEN metric || ':' || width_bucket(goodness::float8, ARRAY[0.8, 0.9, 0.95, 0.99]::float8[]) ELSE 'share:no' END])::text[]"), output_field=django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None))),
                ('rating', models.GeneratedField(db_persist=True, expression=models.Func(output_field=models.FloatField(), template='((rating_sum + 17.5) / (rating_count + 5))::float8'), output_field=models.FloatField())),
                ('quality', models.GeneratedField(db_persist=True, expression=models.Func(output_field=models.FloatField(), template="(0.4 * CASE certificate WHEN 'platinum' THEN 1.0 WHEN 'gold' THEN 0.8 WHEN 'silver' THEN 0.6 WHEN 'bronze' THEN 0.4 WHEN 'basic' THEN 0.2 ELSE 0 END + 0.3 * ((rating_sum + 17.5) / (rating_count + 5) - 1) / 4 + 0.3 * least(1, ln(1 + downloads) / ln(10001)))::float8"), output_field=models.FloatField())),
                ('dataset', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='training.dataset')),
                ('owner', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'indexes': [django.contrib.postgres.indexes.GinIndex(fastupdate=False, fields=['words', 'tokens'], name='listings_by_words'), models.Index(fields=['-quality', '-template'], name='listings_by_quality'), models.Index(fields=['-trend', '-template'], name='listings_by_trend'), models.Index(fields=['-downloads', '-template'], name='listings_by_downloads'), models.Index(fields=['-rating', '-template'], name='listings_by_rating'), models.Index(fields=['-published_at', '-template'], name='listings_by_age'), models.Index(fields=['latency_p50_ms', 'template'], name='listings_by_latency'), models.Index(fields=['metric', '-goodness', '-template'], name='listings_by_figure'), models.Index(fields=['metric', 'value'], name='listings_by_value'), models.Index(fields=['size_bytes', 'template'], name='listings_by_size'), models.Index(fields=['price_microcredits', 'template'], name='listings_by_price'), models.Index(fields=['changed_at'], name='listings_by_change')],
            },
        ),
        migrations.CreateModel(
            name='Sampled',
            fields=[
                ('template', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='marketplace.template')),
                ('slug', models.TextField()),
                ('name', models.TextField()),
                ('summary', models.TextField()),
                ('author', models.TextField()),
                ('category', models.TextField(choices=[('classification', 'Classification'), ('regression', 'Regression'), ('timeseries', 'Time series'), ('nlp', 'Language'), ('vision', 'Vision'), ('anomaly', 'Anomaly'), ('generative', 'Generative'), ('reinforcement', 'Reinforcement'), ('custom', 'Custom')])),
                ('plan', models.TextField(choices=[('free', 'Free'), ('standard', 'Standard'), ('premium', 'Premium'), ('custom', 'Custom')])),
                ('price_microcredits', models.BigIntegerField()),
                ('call_price_microcredits', models.BigIntegerField()),
                ('architecture', models.TextField()),
                ('tier', models.TextField(choices=[('nano', 'Nano'), ('mini', 'Mini'), ('small', 'Small'), ('medium', 'Medium'), ('large', 'Large')])),
                ('size_bytes', models.BigIntegerField()),
                ('parameters', models.BigIntegerField()),
                ('licence', models.TextField(choices=[('Apache-2.0', 'Apache 2.0'), ('MIT', 'MIT'), ('BSD-3-Clause', 'BSD, 3 clauses'), ('MPL-2.0', 'Mozilla Public License 2.0'), ('GPL-3.0-or-later', 'GNU GPL 3 or later'), ('AGPL-3.0-or-later', 'GNU Affero GPL 3 or later'), ('CC0-1.0', 'CC0 1.0, no rights reserved'), ('CC-BY-4.0', 'CC BY 4.0'), ('CC-BY-SA-4.0', 'CC BY-SA 4.0'), ('CC-BY-NC-4.0', 'CC BY-NC 4.0, not for commerce'), ('other', 'Other, in my own words')])),
                ('latency_p50_ms', models.FloatField()),
                ('metric', models.TextField()),
                ('value', models.FloatField(null=True)),
                ('goodness', models.FloatField()),
                ('is_share', models.BooleanField()),
                ('dataset_slug', models.TextField()),
                ('dataset_name', models.TextField()),
                ('certificate', models.TextField(choices=[('platinum', 'Platinum'), ('gold', 'Gold'), ('silver', 'Silver'), ('bronze', 'Bronze'), ('basic', 'Basic')])),
                ('published_at', models.DateTimeField()),
                ('words', django.contrib.postgres.search.SearchVectorField()),
                ('rating_sum', models.IntegerField(db_default=0)),
                ('rating_count', models.IntegerField(db_default=0)),
                ('downloads', models.IntegerField(db_default=0)),
                ('downloads_7_days', models.IntegerField(db_default=0)),
                ('downloads_30_days', models.IntegerField(db_default=0)),
                ('trend', models.FloatField(db_default=0)),
                ('changed_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('tokens', models.GeneratedField(db_persist=True, expression=models.Func(output_field=django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None), template="(ARRAY['category:' || category, 'plan:' || plan, 'architecture:' || architecture, 'tier:' || tier, 'licence:' || licence, 'metric:' || metric, 'certificate:' || certificate, 'dataset:' || dataset_slug, 'author:' || author, 'price:' || width_bucket(price_microcredits::float8, ARRAY[1, 5000001, 20000001, 100000001]::float8[]), 'size:' || width_bucket(size_bytes::float8, ARRAY[10000, 100000, 1000000, 10000000]::float8[]), 'params:' || width_bucket(parameters::float8, ARRAY[1000, 10000, 100000, 1000000]::float8[]), 'latency:' || width_bucket(latency_p50_ms::float8, ARRAY[0.05, 0.1, 0.5, 1, 5]::float8[]), 'commercial:' || CASE WHEN licence IN ('', 'CC-BY-NC-4.0', 'other') THEN 'no' ELSE 'yes' END, CASE WHEN is_share THEN metric || ':' || width_bucket(goodness::float8, ARRAY[0.8, 0.9, 0.95, 0.99]::float8[]) ELSE 'share:no' END])::text[]"), output_field=django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None))),
                ('rating', models.GeneratedField(db_persist=True, expression=models.Func(output_field=models.FloatField(), template='((rating_sum + 17.5) / (rating_count + 5))::float8'), output_field=models.FloatField())),
                ('quality', models.GeneratedField(db_persist=True, expression=models.Func(output_field=models.FloatField(), template="(0.4 * CASE certificate WHEN 'platinum' THEN 1.0 WHEN 'gold' THEN 0.8 WHEN 'silver' THEN 0.6 WHEN 'bronze' THEN 0.4 WHEN 'basic' THEN 0.2 ELSE 0 END + 0.3 * ((rating_sum + 17.5) / (rating_count + 5) - 1) / 4 + 0.3 * least(1, ln(1 + downloads) / ln(10001)))::float8"), output_field=models.FloatField())),
                ('place', models.SmallIntegerField()),
                ('dataset', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='training.dataset')),
                ('owner', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'indexes': [django.contrib.postgres.indexes.GinIndex(fastupdate=False, fields=['words', 'tokens'], name='sampled_by_words')],
            },
        ),
    ]
