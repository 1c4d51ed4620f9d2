"""Record in each event who reported it, and let the insert of a job write the entry of its first state."""

from django.db import migrations, models

_CREATE = """
CREATE FUNCTION core_record_births() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO core_jobevent (job_id, from_state, to_state, cause)
    SELECT job_id, 'CREATED', state, 'birth' FROM born WHERE state <> 'CREATED' ORDER BY number;
    -- Wake whoever waits for work: these states are claimed by a launcher or a processing component.
    IF EXISTS (SELECT 1 FROM born WHERE state IN (
        'PREPROCESSED', 'RESTART_READY',
        'READY', 'STAGED_IN', 'RUN_DONE', 'RUN_ERROR', 'RUN_TIMEOUT', 'POSTPROCESSED'
    )) THEN
        PERFORM pg_notify('balsam', 'work');
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER record_births AFTER INSERT ON core_balsamjob
    REFERENCING NEW TABLE AS born FOR EACH STATEMENT EXECUTE FUNCTION core_record_births();
"""
_DROP = """
DROP TRIGGER record_births ON core_balsamjob;
DROP FUNCTION core_record_births();
"""


class Migration(migrations.Migration):
    dependencies = [("core", "0001_initial")]

    operations = [
        migrations.AddField("jobevent", "session_id", models.BigIntegerField(null=True)),
        migrations.RunSQL(_CREATE, _DROP),
    ]
