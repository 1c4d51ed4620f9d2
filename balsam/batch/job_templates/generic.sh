#!/bin/bash
{#- Job template: what a batch job runs on the first node of its allocation. The submit command gives nodes, time,
    queue and project; add directives of the scheduler here for anything else. docs/batch-jobs.md lists the names. #}
export PATH={{ balsam_bin }}:$PATH
source balsamactivate {{ balsam_db_path }} || exit 1
exec {{ launcher_cmd }} --{{ wf_filter }} --job-mode {{ job_mode }} --ignore-failures \
    --time-limit-minutes {{ [time_minutes - 2, time_minutes / 2]|max }}
