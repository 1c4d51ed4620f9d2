"""Rows of squeue and sacct.

A name may hold anything, line ends too, so a row of squeue stands between two marks that no name has. Guards
that whatever stands between them and is no whole row counts as one that was lost.
"""

import re
from collections.abc import Iterator

from balsam.lib.commands import Answer
from balsam.platform.scheduler.answers import count, merged, merged_past, native
from balsam.platform.scheduler.contract import History, Listing, PastBatchJob, QueuedBatchJob
from balsam.platform.scheduler.times import minutes, utc, whole_minutes
from balsam.states import BatchJobEnd, BatchJobState

__all__ = ["SACCT_FIELDS", "SEPARATOR", "SQUEUE_FORMAT", "history", "listing"]

B, E = BatchJobState, BatchJobEnd

#: Unit and record separator of ASCII.
SEPARATOR = "\x1f"
_MARK = "\x1e"
#: The id stands at both ends: https://slurm.schedmd.com/squeue.html#OPT_format
_LETTERS = "iTPaDlLrujoi"
SQUEUE_FORMAT = _MARK + SEPARATOR.join(f"%{letter}" for letter in _LETTERS) + _MARK
SACCT_FIELDS = ("JobID", "JobName", "State", "ExitCode", "Submit", "Start", "End", "Reason")
#: "12", "12_3", "12_[1-3,7%2]", "12+0": what sbatch answers is before the sign.
_ID = re.compile(r"(\d+)(?:[_+][\w\[\],%.-]*)?", re.ASCII)
_STATE = re.compile(r"[A-Z_]+(?: by \S+)?", re.ASCII)

#: https://slurm.schedmd.com/squeue.html#SECTION_JOB-STATE-CODES
_LIVE_STATES = {
    "PENDING": B.QUEUED, "CONFIGURING": B.RUNNING, "RUNNING": B.RUNNING, "SUSPENDED": B.RUNNING,
    "COMPLETING": B.RUNNING, "SIGNALING": B.RUNNING, "STAGE_OUT": B.RUNNING, "STOPPED": B.RUNNING,
    "RESIZING": B.RUNNING, "RESV_DEL_HOLD": B.QUEUED, "REQUEUE_FED": B.QUEUED, "REQUEUE_HOLD": B.QUEUED,
    "REQUEUED": B.QUEUED, "SPECIAL_EXIT": B.QUEUED, "EXPEDITING": B.QUEUED, "POWER_UP_NODE": B.RUNNING,
}  # fmt: skip
#: https://slurm.schedmd.com/sacct.html#SECTION_JOB-STATE-CODES
_ENDS = {
    "COMPLETED": E.COMPLETED, "FAILED": E.FAILED, "TIMEOUT": E.TIMEOUT, "DEADLINE": E.TIMEOUT,
    "CANCELLED": E.CANCELLED, "PREEMPTED": E.PREEMPTED, "NODE_FAIL": E.NODE_FAIL, "BOOT_FAIL": E.NODE_FAIL,
    "LAUNCH_FAILED": E.NODE_FAIL, "RECONFIG_FAIL": E.NODE_FAIL, "OUT_OF_MEMORY": E.OUT_OF_MEMORY,
    "REVOKED": E.UNKNOWN,
}  # fmt: skip
_STATES = {**_LIVE_STATES, **dict.fromkeys(_ENDS, B.FINISHED)}
_NATIVE_ENDS: dict[str, BatchJobEnd | None] = {**dict.fromkeys(_LIVE_STATES, None), **_ENDS}
#: Written by slurmdbd where it has heard of the end of a batch job before its start.
_NAMELESS = "allocation"
_LAYOUTS = ("%Y-%m-%dT%H:%M:%S",)


def listing(answer: Answer, user: str) -> Listing:
    """Read what squeue has answered."""
    parts = answer.stdout.split(_MARK) if answer.stdout.endswith(f"{_MARK}\n") else []
    rows, num_bad, has_header = [], 0, False
    for part in parts or answer.stdout.split(_MARK):
        fields = part.split(SEPARATOR)
        if _is_header(fields):
            has_header = True
        elif _is_row(fields):
            rows.append(fields)
        elif len(fields) > 1:
            num_bad += 1
    problem = _squeue_problem(answer, len(rows), is_whole=bool(parts) and has_header)
    if num_bad and not problem:
        problem = f"squeue answered {num_bad} rows that cannot be read"
    jobs = merged(_queued(fields) for fields in rows if user in ("", fields[8]))
    return Listing(jobs=jobs, is_complete=not problem, problem=problem)


def _is_header(fields: list[str]) -> bool:
    return len(fields) == len(_LETTERS) and fields[0].startswith("JOB") and fields[0] == fields[-1]


def _is_row(fields: list[str]) -> bool:
    return (
        len(fields) == len(_LETTERS)
        and fields[0] == fields[-1]
        and _ID.fullmatch(fields[0]) is not None
        and _STATE.fullmatch(fields[1]) is not None
    )


def _squeue_problem(answer: Answer, num_rows: int, *, is_whole: bool) -> str:
    """Say why the answer may not be all: of a user it cannot look up, squeue shows none and ends with 0."""
    if not answer.is_ok:
        return answer.words
    if "error:" in answer.stderr and (not num_rows or "Invalid user" in answer.stderr):
        return answer.stderr.strip()
    return "" if is_whole else f"the answer of squeue is cut short or garbled: {answer.stdout[-200:]!r}"


def _queued(fields: list[str]) -> QueuedBatchJob:
    whole_id, state, queue, project, nodes, limit, left, reason, _, name, command, _ = fields
    word = state.split(" ")[0]
    return QueuedBatchJob(
        scheduler_id=_base(whole_id),
        state=native(_STATES, word, "Slurm", B.UNKNOWN),
        native_state=state,
        name=name,
        queue=queue,
        project="" if project == "(null)" else project,
        num_nodes=count(nodes),
        wall_time_min=whole_minutes(limit),
        time_remaining_min=minutes(left),
        command="" if command == "(null)" else command,
        reason="" if reason == "None" else reason,
        end=_ENDS.get(word, E.UNKNOWN),
    )


def history(answer: Answer) -> History:
    """Read what sacct has answered."""
    if answer.returncode == 1 and "accounting storage is disabled" in answer.stderr:
        return History(problem="Slurm keeps no accounting here")
    rows = list(_sacct_rows(answer.stdout))
    good = [row for row in rows if row is not None]
    problem = "" if answer.is_ok else answer.words
    if not problem and (len(good) < len(rows) or not _has_sacct_header(answer.stdout)):
        problem = f"the answer of sacct is cut short or garbled: {answer.stdout[-200:]!r}"
    jobs = merged_past(_past(row) for row in good)
    return History(jobs=jobs, is_complete=not problem, problem=problem)


def _has_sacct_header(text: str) -> bool:
    return "JobID" in text and text.endswith("\n")


def _sacct_rows(text: str) -> Iterator[list[str] | None]:
    """Give the rows; None for one that cannot be read. A last line without its end is none."""
    for line in text.split("\n")[:-1]:
        fields = line.split(SEPARATOR)
        if len(fields) == 1 or fields[0].startswith("JobID"):
            continue
        is_row = len(fields) == len(SACCT_FIELDS) and _ID.fullmatch(fields[0]) and _STATE.fullmatch(fields[2])
        yield fields if is_row else None


def _past(fields: list[str]) -> PastBatchJob:
    whole_id, name, state, code, submitted, started, ended, reason = fields
    end = native(_NATIVE_ENDS, state.split(" ")[0], "Slurm accounting", None)
    told = "" if reason in ("None", "") else reason
    if end is E.FAILED and not told:
        told = f"exit code {code}"
    return PastBatchJob(
        scheduler_id=_base(whole_id),
        name="" if name == _NAMELESS else name,
        native_state=state,
        end=end,
        reason=told,
        submitted_at=utc(submitted, *_LAYOUTS),
        started_at=utc(started, *_LAYOUTS),
        ended_at=None if end is None else utc(ended, *_LAYOUTS),
    )


def _base(whole_id: str) -> str:
    match = _ID.fullmatch(whole_id)
    return match[1] if match else whole_id
