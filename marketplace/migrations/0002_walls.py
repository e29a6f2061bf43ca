"""A version and a purchase are what they were when they were made; the database holds them to it."""

from django.db import migrations

TABLES = ("marketplace_templateversion", "marketplace_purchase")

FORWARD = "".join(
    f"""
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION governance_refuse_change();
"""
    for table in TABLES
)
BACKWARD = "".join(f"DROP TRIGGER refuse_change ON {table};" for table in TABLES)


class Migration(migrations.Migration):
    dependencies = [("marketplace", "0001_initial"), ("governance", "0002_audit_chain")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
