"""How a worker runs Python applications: by a warm interpreter where that is possible, else by a fresh one.

Either way the job is a process of its own, gets its call from its worker, and leaves its outcome to it.
"""

import contextlib
import json
import math
import os
from collections.abc import Callable
from dataclasses import replace

from balsam.exceptions import JobStartError
from balsam.launcher.process_start import ProcessStart
from balsam.launcher.runner import Ended, Runner
from balsam.launcher.warm_pool import WarmKey, WarmPool
from balsam.platform.gpus import GPU_KINDS, mask_variable
from balsam.schemas.jobs import AppCode, JobSpec
from balsam.schemas.python_calls import (
    MAX_OUTCOME_BYTES,
    Outcome,
    call_name,
    call_text,
    outcome_path,
    read_outcome,
)

__all__ = ["PythonRuns"]

#: Variables by which jobs of one application differ.
_OF_A_JOB = frozenset(("BALSAM_JOB_ID", "BALSAM_PARENT_IDS", *map(mask_variable, GPU_KINDS)))


class PythonRuns:
    """The Python applications of one worker. ``why_fresh``: why no interpreter is kept warm here, or ''."""

    def __init__(self, runner: Runner, note: Callable[[str], None], *, why_fresh: str = "") -> None:
        self._runner = runner
        self._note = note
        self._why_fresh = why_fresh
        self._codes: dict[int, AppCode] = {}
        self._noted: set[tuple[int, str]] = set()
        self._pool = None if why_fresh else WarmPool(runner, note)
        #: Calls of jobs that were forked.
        self._calls: dict[str, int] = {}

    def learn(self, code: AppCode) -> None:
        """Take in the code of an application."""
        self._codes[code.app_id] = code

    def fileno(self) -> int | None:
        """File descriptor that becomes readable when there may be news; None when there never are."""
        return None if self._pool is None else self._pool.fileno()

    @property
    def next_deadline(self) -> float:
        """When there is news in any case."""
        return math.inf if self._pool is None else self._pool.next_deadline

    def take_news(self) -> bool:
        """Say whether jobs that had to wait should be started again."""
        return self._pool is not None and self._pool.take_news()

    def note_end(self, ended: Ended) -> bool:
        """Take in the end of a process; False when it was that of a job."""
        return self._pool is not None and self._pool.note_end(ended)

    def start(self, spec: JobSpec, start: ProcessStart) -> bool:
        """Start a job; False when it has to wait for news.

        Raises JobStartError, and OSError where the machine is short of something.
        """
        code = self._codes.get(spec.app_id)
        if code is None:
            raise JobStartError(f"The application of {spec.name!r} has been deleted.")
        key = _key(spec.app_id, start)
        reason = self._why_not_warm(spec, key, code.version)
        if self._pool is not None and not reason:
            return self._fork(self._pool, key, code, spec, start)
        self._tell_once(code, reason)
        start = replace(start, files={call_name(spec): call_text(code, spec)})
        self._runner.start(spec.job_id, start)
        return True

    def take_outcome(self, spec: JobSpec) -> Outcome | None:
        """Return what a job that has ended has left, and clear up; None for one that runs no Python."""
        if not spec.app_id:
            return None
        call = self._calls.pop(spec.job_id, None)
        if call is None:
            return _outcome_of_file(os.path.join(spec.workdir, call_name(spec)))
        try:
            return read_outcome(os.pread(call, MAX_OUTCOME_BYTES, 0))
        finally:
            os.close(call)

    def _why_not_warm(self, spec: JobSpec, key: WarmKey, version: int) -> str:
        if self._pool is None:
            return self._why_fresh
        return "it has a shell_preamble" if spec.envscript else self._pool.why_not(key, version)

    def _fork(self, pool: WarmPool, key: WarmKey, code: AppCode, spec: JobSpec, start: ProcessStart) -> bool:
        call = _file_of(spec, start)
        try:
            forked = pool.fork(key, code, start, call)
        except BaseException:
            os.close(call)
            raise
        if forked is None:
            os.close(call)
            return False
        pid, gate = forked
        self._calls[spec.job_id] = call
        self._runner.adopt(spec.job_id, pid)
        with contextlib.suppress(BrokenPipeError):  # somebody has killed it already, which is told as its end
            os.write(gate, b"g")
        os.close(gate)
        return True

    def _tell_once(self, code: AppCode, reason: str) -> None:
        if (code.app_id, reason) not in self._noted:
            self._noted.add((code.app_id, reason))
            self._note(f"Each job of {code.name} has an interpreter of its own: {reason}")


def _key(app_id: int, start: ProcessStart) -> WarmKey:
    shared = frozenset(item for item in start.environ.items() if item[0] not in _OF_A_JOB)
    return WarmKey(start.argv[0], app_id, shared)


def _file_of(spec: JobSpec, start: ProcessStart) -> int:
    """Write a call into a file without a name."""
    request = {
        "workdir": start.workdir,
        "environ": {**_of_job(start), "PWD": start.workdir},
        "cpu_ids": start.cpu_ids,
        "record": spec.record,
    }
    file = os.memfd_create(spec.job_id)
    os.write(file, json.dumps(request).encode())
    return file


def _of_job(start: ProcessStart) -> dict[str, str]:
    return {name: value for name, value in start.environ.items() if name in _OF_A_JOB}


def _outcome_of_file(call: str) -> Outcome:
    """Read what a job has written, and remove its files."""
    path = outcome_path(call)
    data = b""
    with contextlib.suppress(OSError):  # it has written none
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            data = file.read(MAX_OUTCOME_BYTES)
    for name in (call, path):
        with contextlib.suppress(OSError):  # the job may have removed its directory
            os.unlink(name)
    return read_outcome(data)
