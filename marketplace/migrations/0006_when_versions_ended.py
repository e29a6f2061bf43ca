"""A version says since when it is advised against or withdrawn; the database writes it down."""

from django.db import migrations, models


NOTE = """
CREATE FUNCTION marketplace_note_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status IN ('deprecated', 'withdrawn') THEN
        IF OLD.status <> NEW.status THEN NEW.ended_at := now(); END IF;
    ELSE
        NEW.ended_at := NULL;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER note_end BEFORE UPDATE ON marketplace_templateversion
    FOR EACH ROW EXECUTE FUNCTION marketplace_note_end();
"""
FORGET = """
DROP TRIGGER note_end ON marketplace_templateversion;
DROP FUNCTION marketplace_note_end();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('marketplace', '0005_versions_carry_words'),
    ]

    operations = [
        migrations.AddField(
            model_name='templateversion',
            name='ended_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.RunSQL(NOTE, FORGET),
    ]
