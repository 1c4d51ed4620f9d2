"""Say in the notice of new work at which site it is."""

from django.db import migrations

_FUNCTION = """
CREATE OR REPLACE FUNCTION core_record_births() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO core_jobevent (job_id, from_state, to_state, cause)
    SELECT job_id, 'CREATED', state, 'birth' FROM born WHERE state <> 'CREATED' ORDER BY number;
    -- Wake whoever waits for work: these states are claimed by a launcher or a processing component.
    {wake}
    RETURN NULL;
END
$$;
"""
_STATES = (
    "'PREPROCESSED', 'RESTART_READY', 'READY', 'STAGED_IN', 'RUN_DONE', 'RUN_ERROR', 'RUN_TIMEOUT', "
    "'POSTPROCESSED'"
)
_WITH_SITE = f"""PERFORM pg_notify('balsam', 'work@' || site_id)
    FROM (SELECT DISTINCT site_id FROM born WHERE state IN ({_STATES})) AS sites;"""
_WITHOUT = f"""IF EXISTS (SELECT 1 FROM born WHERE state IN ({_STATES})) THEN
        PERFORM pg_notify('balsam', 'work');
    END IF;"""


class Migration(migrations.Migration):
    dependencies = [("core", "0016_node_shape")]

    operations = [
        migrations.RunSQL(_FUNCTION.format(wake=_WITH_SITE), _FUNCTION.format(wake=_WITHOUT)),
    ]
