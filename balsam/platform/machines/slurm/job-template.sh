#!/bin/bash -l
#SBATCH --account={{ project }}
#SBATCH --partition={{ queue }}
#SBATCH --nodes={{ nodes }}
#SBATCH --time={{ time_minutes }}
#SBATCH --no-kill
# What your jobs need goes here: modules, proxies, `umask g=rwx`.
export PATH={{ balsam_bin }}:$PATH
source balsamactivate {{ balsam_db_path }} || exit
# The launcher takes the place of this shell, so that the batch system's signals and the exit code are its own.
exec {{ launcher_cmd }} --{{ wf_filter }} --job-mode {{ job_mode }} --ignore-failures \
    --time-limit-minutes {{ [time_minutes - 2, time_minutes / 2]|max }}
