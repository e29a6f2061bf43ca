"""A dataset that nothing was made of may be read again, when its schema was corrected; one that a job
or a search refers to stays over, as all work does.
"""

from django.db import migrations, models

FORWARD = """
DROP TRIGGER refuse_revival ON training_dataset;
CREATE FUNCTION training_refuse_rereading() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status = 'queued'
        AND NOT EXISTS (SELECT 1 FROM training_job WHERE dataset_id = OLD.id)
        AND NOT EXISTS (SELECT 1 FROM training_search WHERE dataset_id = OLD.id)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'dataset % is % and in use: it stays what it is', OLD.id, OLD.status
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER refuse_rereading BEFORE UPDATE OF status ON training_dataset FOR EACH ROW
    WHEN (OLD.status IN ('done', 'failed', 'cancelled', 'quarantined')
          AND NEW.status IS DISTINCT FROM OLD.status)
    EXECUTE FUNCTION training_refuse_rereading();
"""
BACKWARD = """
DROP TRIGGER refuse_rereading ON training_dataset;
DROP FUNCTION training_refuse_rereading();
CREATE TRIGGER refuse_revival BEFORE UPDATE OF status ON training_dataset FOR EACH ROW
    WHEN (OLD.status IN ('done', 'failed', 'cancelled', 'quarantined')
          AND NEW.status IS DISTINCT FROM OLD.status)
    EXECUTE FUNCTION training_refuse_revival();
"""


class Migration(migrations.Migration):
    dependencies = [("training", "0006_pattern_studies")]
    operations = [
        migrations.AddField(
            model_name="dataset",
            name="upload_bytes",
            field=models.BigIntegerField(default=0),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
