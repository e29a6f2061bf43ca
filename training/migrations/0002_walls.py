"""What a job, a model and a measurement may never do, in the database so that no door forgets it.

- Work that is over stays over: its state never changes again.
- A model, a point of a curve and a finished validation are what they were when they were written.
"""

from django.db import migrations

WORK = ("training_dataset", "training_job", "training_validation")

FORWARD = """
CREATE FUNCTION training_refuse_revival() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% % is %: work that is over stays over', TG_TABLE_NAME, OLD.id, OLD.status
        USING ERRCODE = 'restrict_violation';
END $$;
""" + "".join(
    f"""
CREATE TRIGGER refuse_revival BEFORE UPDATE OF status ON {table} FOR EACH ROW
    WHEN (OLD.status IN ('done', 'failed', 'cancelled', 'quarantined')
          AND NEW.status IS DISTINCT FROM OLD.status)
    EXECUTE FUNCTION training_refuse_revival();
"""
    for table in WORK
) + """
CREATE TRIGGER refuse_change BEFORE UPDATE ON training_model
    FOR EACH ROW EXECUTE FUNCTION governance_refuse_change();
CREATE TRIGGER refuse_change BEFORE UPDATE ON training_point
    FOR EACH ROW EXECUTE FUNCTION governance_refuse_change();
CREATE TRIGGER refuse_change BEFORE UPDATE ON training_validation FOR EACH ROW
    WHEN (OLD.status = 'done') EXECUTE FUNCTION governance_refuse_change();
"""

BACKWARD = "".join(f"DROP TRIGGER refuse_revival ON {table};" for table in WORK) + """
DROP FUNCTION training_refuse_revival();
DROP TRIGGER refuse_change ON training_model;
DROP TRIGGER refuse_change ON training_point;
DROP TRIGGER refuse_change ON training_validation;
"""


class Migration(migrations.Migration):
    dependencies = [("training", "0001_initial"), ("governance", "0002_audit_chain")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
