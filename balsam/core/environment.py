"""The environment variables a job's processes get."""

import json
import os
from collections.abc import Iterable, Mapping

from balsam.core.active import active_db_path
from balsam.lib.envstrings import parse_environ


def job_environ(
    *,
    job_id: str,
    environ_vars: Mapping[str, str] | str,
    threads_per_rank: int,
    parent_ids: Iterable[str],
    timeout: bool = False,
    error: bool = False,
) -> dict[str, str]:
    """Return the overlay for one job: its own variables, then Balsam's, which win."""
    environ = dict(parse_environ(environ_vars))
    environ["BALSAM_JOB_ID"] = job_id
    environ["BALSAM_PARENT_IDS"] = json.dumps(list(parent_ids))
    environ["BALSAM_DB_PATH"] = os.environ.get("BALSAM_DB_PATH") or str(active_db_path())
    if threads_per_rank > 1:
        environ["OMP_NUM_THREADS"] = str(threads_per_rank)
    if timeout:
        environ["BALSAM_JOB_TIMEOUT"] = "TRUE"
    if error:
        environ["BALSAM_JOB_ERROR"] = "TRUE"
    return environ
