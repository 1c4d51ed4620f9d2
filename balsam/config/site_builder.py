"""Make the directory of a site: `settings.yml`, the job template, and the folders."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from balsam.config.site_machine import machine_values
from balsam.config.site_settings import SETTINGS_FILE
from balsam.lib.atomic import write_atomically

if TYPE_CHECKING:
    from balsam.platform.machines import Machine

__all__ = ["add_site_files", "settings_text", "site_template"]

_FOLDERS = {"log": 0o755, "qsubmit": 0o700, "data": 0o755, "apps": 0o755}
#: Documents of older versions call the directory of the logs so.
_LOGS_ALIAS = "logs"
_TEMPLATE = "job-template.sh"
#: An application to start from; the site knows of it when its files are synced.
_SAMPLE = "demo.py"
_SAMPLE_TEXT = '''\
from balsam.site import ApplicationDefinition


class Greet(ApplicationDefinition):
    """
    Greet somebody: an example to copy. `balsam app create` writes more, and `balsam app sync` tells the site.
    """

    command_template = "echo Hello, {{ name }}! This is $(hostname)."
    parameters = {"name": {"required": False, "default": "world", "help": "Who is greeted."}}
'''
_BELOW = "export PATH="
#: What the machine's template ends with, for a site.
_TAIL = """\
export PATH={{ balsam_bin }}:$PATH
export BALSAM_SITE_PATH={{ balsam_site_path }}
cd {{ balsam_site_path }} || exit
{% if balsam_db_path %}source balsamactivate {{ balsam_db_path }} || exit{% endif %}
# The launcher takes the place of this shell, so that signals and the exit code are its own.
exec {{ launcher_cmd }} -j {{ job_mode }} -t {{ [wall_time_min - 2, wall_time_min / 2]|max }} \\
    --ignore-failures {{ filter_tags }} {{ partitions }}
"""
_SETTINGS = """\
# The settings of this site. A running agent takes them over with `balsam site sync`.
# A module that is null is switched off. docs/sites.md tells of every key.

# The machine: its nodes, its MPI launcher, and what is left out below.
machine: {machine}

logging:
  level: INFO

# Only jobs with these tags are processed by the agent, such as {{workflow: test-1}}.
filter_tags: {{}}

launcher:
  # Seconds without anything to do after which a launcher leaves.
  idle_ttl_sec: 60
  max_concurrent_mpiruns: {max_concurrent_mpiruns}
  mpirun_allows_node_packing: {packing}

scheduler:
  scheduler_class: {scheduler}
  # Seconds between two looks at the batch system.
  sync_period: 10
  # Queues that may be asked, with what they take: nodes and minutes of a batch job, and batch jobs at once.
  allowed_queues:{queues}
  # None given: any project.
  allowed_projects:{projects}
  # Values for the job template, which `balsam queue submit -x NAME=VALUE` may change.
  optional_batch_job_params: {{}}
  job_template_path: job-template.sh

# Hooks and staging: how many at once.
processing:
  num_workers: 5

# Where files may come from and go to: alias -> protocol://place.
transfers:
  transfer_locations: {{}}
  max_concurrent_transfers: 5

# Keeps so many batch jobs of one size in a queue:
# queue_maintainer:
#   submit_period: 60
#   submit_project: {project}
#   submit_queue: {queue}
#   job_mode: mpi
#   num_queued_jobs: 5
#   num_nodes: 1
#   wall_time_min: 60
queue_maintainer: null

# Asks for as many nodes as there is work for:
# elastic_queue:
#   service_period: 60
#   submit_project: {project}
#   submit_queue: {queue}
#   job_mode: mpi
#   min_wall_time_min: 35
#   max_wall_time_min: 360
#   wall_time_pad_min: 5
#   min_num_nodes: 1
#   max_num_nodes: 127
#   max_queue_wait_time_min: 10
#   max_queued_jobs: 20
#   use_backfill: true
elastic_queue: null

# Deletes the files that applications name in cleanup_files, once their jobs have finished:
# file_cleaner:
#   cleanup_batch_size: 180
#   service_period: 30
file_cleaner: null
"""


def settings_text(machine: "Machine", projects: Sequence[str]) -> str:
    """Return the settings of a new site on a machine, with comments."""
    values = machine_values(machine.name)
    queues = values["scheduler"]["allowed_queues"]
    shown = yaml.safe_dump(queues, sort_keys=False, default_flow_style=False) if queues else ""
    listed = "".join(f"\n    {line}" for line in shown.splitlines()) or " {}"
    named = "".join(f"\n    - {yaml.safe_dump(project).splitlines()[0]}" for project in projects) or " []"
    return _SETTINGS.format(
        machine=machine.name,
        max_concurrent_mpiruns=machine.max_concurrent_mpiruns,
        packing="true" if machine.mpi_shares_nodes else "false",
        scheduler=machine.scheduler,
        queues=listed,
        projects=named,
        project=projects[0] if projects else machine.default_project or "MYPROJECT",
        queue=next(iter(queues), "MYQUEUE"),
    )


def site_template(machine: "Machine") -> str:
    """Return the job template of a site: the machine's, whose launcher takes the jobs of the site alone."""
    head, _, _ = machine.job_template.read_text(encoding="utf-8").partition(_BELOW + "{{ balsam_bin }}")
    return head + _TAIL


def add_site_files(path: Path, machine: "Machine", projects: Sequence[str]) -> None:
    """Make what is missing of a site in its directory; nothing that is there is changed."""
    for name, mode in _FOLDERS.items():
        if not (path / name).exists():
            (path / name).mkdir()
            os.chmod(path / name, mode)
            if name == "apps":
                (path / name / _SAMPLE).write_text(_SAMPLE_TEXT, encoding="utf-8")
    if not os.path.lexists(path / _LOGS_ALIAS):
        (path / _LOGS_ALIAS).symlink_to("log")
    if not (path / SETTINGS_FILE).exists():
        write_atomically(path / SETTINGS_FILE, settings_text(machine, projects), mode=0o600)
    if not (path / _TEMPLATE).exists():
        write_atomically(path / _TEMPLATE, site_template(machine), mode=0o700)
