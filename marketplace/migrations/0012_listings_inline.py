"""Listings are stored as PostgreSQL stores rows: what 0011 asked of words has no effect on rows of
less than 2 KB, which these are.
"""

from django.db import migrations

BACK = "".join(
    f"""
ALTER TABLE {table} RESET (toast_tuple_target);
ALTER TABLE {table} ALTER COLUMN words SET STORAGE EXTENDED;
"""
    for table in ("marketplace_listing", "marketplace_sampled")
)


class Migration(migrations.Migration):
    dependencies = [("marketplace", "0011_listings_follow")]
    operations = [migrations.RunSQL(BACK, migrations.RunSQL.noop)]
