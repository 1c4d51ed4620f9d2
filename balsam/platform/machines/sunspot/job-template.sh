#!/bin/bash -l
#PBS -S /bin/bash
#PBS -A {{ project }}
#PBS -q {{ queue }}
#PBS -l select={{ nodes }}
#PBS -l walltime={{ time_minutes // 60 }}:{{ '%02d' % (time_minutes % 60) }}:00
#PBS -l filesystems=home:gila
#PBS -l place=scatter
# What your jobs need goes here: modules, proxies, `umask g=rwx`.
export http_proxy=http://proxy.alcf.anl.gov:3128 https_proxy=http://proxy.alcf.anl.gov:3128
export PATH={{ balsam_bin }}:$PATH
source balsamactivate {{ balsam_db_path }} || exit
# The launcher takes the place of this shell, so that the batch system's signals and the exit code are its own.
exec {{ launcher_cmd }} --{{ wf_filter }} --job-mode {{ job_mode }} --ignore-failures \
    --time-limit-minutes {{ [time_minutes - 2, time_minutes / 2]|max }}
