"""Batch jobs as ``qstat -f -F json`` shows them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from balsam.lib.commands import Answer
from balsam.platform.scheduler.answers import count, merged, merged_past, native
from balsam.platform.scheduler.contract import History, Listing, PastBatchJob, QueuedBatchJob
from balsam.platform.scheduler.lenient_json import decode, salvage
from balsam.platform.scheduler.pbs_ends import how_it_ended
from balsam.platform.scheduler.times import minutes, utc, whole_minutes
from balsam.states import BatchJobState

__all__ = ["history", "listing", "short_id", "time_left"]

B = BatchJobState

#: PBS Professional Reference Guide, "Job States":
#: https://help.altair.com/2022.1.0/PBS%20Professional/PBSReferenceGuide2022.1.pdf
_STATES = {
    "B": B.RUNNING, "E": B.RUNNING, "F": B.FINISHED, "H": B.QUEUED, "M": B.UNKNOWN, "Q": B.QUEUED,
    "R": B.RUNNING, "S": B.RUNNING, "T": B.QUEUED, "U": B.RUNNING, "W": B.QUEUED, "X": B.FINISHED,
}  # fmt: skip
_ID = re.compile(r"(\d+)(\[[\d-]*\])?(?:\.[\w.-]+)?", re.ASCII)
_START = re.compile(r'"(\d+(?:\[\d*\])?(?:\.[\w.-]+)?)"\s*:\s*\{', re.ASCII)
_LAYOUTS = ("%a %b %d %H:%M:%S %Y",)
#: Of an answer without batch jobs.
_PROLOGUE = {"timestamp", "pbs_version", "pbs_server"}
_Job = tuple[str, Mapping[str, Any]]


def listing(answer: Answer, user: str) -> Listing:
    """Read what qstat has answered."""
    jobs, problem = _jobs(answer)
    mine = [job for job in jobs if user in ("", _text(job[1], "Job_Owner").partition("@")[0])]
    return Listing(jobs=merged(map(_queued, mine)), is_complete=not problem, problem=problem)


def history(answer: Answer) -> History:
    """Read what qstat -x has answered; without history it says so and ends with 0."""
    if answer.returncode is not None and "job_history_enable" in answer.stderr:
        return History(problem="PBS keeps no history here")
    jobs, problem = _jobs(answer)
    return History(jobs=merged_past(map(_past, jobs)), is_complete=not problem, problem=problem)


def time_left(answer: Answer) -> float | None:
    """Return the minutes left of the one batch job of an answer."""
    document = decode(answer.stdout) or {}
    for _, job in _good(_members(document)):
        limit = minutes(_text(_part(job, "Resource_List"), "walltime"))
        if limit is not None:
            used = [minutes(_text(_part(job, "resources_used"), "walltime")), _running_min(document, job)]
            return max(0.0, limit - max((found for found in used if found is not None), default=0.0))
    return None


def short_id(whole_id: str) -> str:
    """Return an id as it is given to qstat: without the server, and of a part the whole array."""
    match = _ID.fullmatch(whole_id)
    return f"{match[1]}{'[]' if match[2] else ''}" if match else ""


def _jobs(answer: Answer) -> tuple[list[_Job], str]:
    """Return the batch jobs that can be read, and why they may not be all, or ''."""
    problem = "" if _is_answer(answer) else answer.words
    document = decode(answer.stdout)
    if document is not None and _is_whole(document):
        members = list(_members(document))
    else:
        members = list(salvage(answer.stdout, _START))
        if answer.stdout.strip() or not _tells_of_unknown_ids(answer):
            problem = problem or f"the answer of qstat is cut short or garbled: {answer.stdout[-200:]!r}"
    good = list(_good(members))
    if len(good) < len(members) and not problem:
        problem = f"qstat answered {len(members) - len(good)} batch jobs that cannot be read"
    return good, problem


def _is_whole(document: Mapping[str, Any]) -> bool:
    """Whether all batch jobs of a document are where they should be."""
    is_known = "Jobs" in document or set(document) == _PROLOGUE
    return is_known and not any(_ID.fullmatch(name) for name in document)


def _is_answer(answer: Answer) -> bool:
    return answer.is_ok or _tells_of_unknown_ids(answer)


def _tells_of_unknown_ids(answer: Answer) -> bool:
    """Whether all that went wrong is that some ids are not known."""
    lines = [line for line in answer.stderr.split("\n") if line.strip()]
    is_over = answer.returncode is not None and not answer.problem
    return is_over and bool(lines) and all("Unknown Job Id" in line for line in lines)


def _members(document: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    jobs = document.get("Jobs", {})
    return jobs.items() if isinstance(jobs, dict) else [("", jobs)]


def _good(members: Iterable[tuple[str, Any]]) -> Iterator[_Job]:
    for whole_id, job in members:
        if isinstance(job, dict) and _ID.fullmatch(whole_id) and _text(job, "job_state"):
            yield whole_id, job


def _queued(found: _Job) -> QueuedBatchJob:
    whole_id, job = found
    letter, resources = _text(job, "job_state"), _part(job, "Resource_List")
    state = native(_STATES, letter, "PBS", B.UNKNOWN)
    end, told = how_it_ended(job)
    limit, used = minutes(_text(resources, "walltime")), _text(_part(job, "resources_used"), "walltime")
    return QueuedBatchJob(
        scheduler_id=short_id(whole_id),
        state=state,
        native_state=letter,
        name=_text(job, "Job_Name"),
        queue=_text(job, "queue"),
        project=_text(job, "Account_Name"),
        num_nodes=count(_text(resources, "nodect")),
        wall_time_min=whole_minutes(_text(resources, "walltime")),
        time_remaining_min=None if limit is None else max(0.0, limit - (minutes(used) or 0.0)),
        command=_text(job, "Submit_arguments"),
        reason=told if state is B.FINISHED else _text(job, "comment"),
        **({"end": end} if state is B.FINISHED else {}),
    )


def _past(found: _Job) -> PastBatchJob:
    whole_id, job = found
    is_over = _text(job, "job_state") in ("F", "X")
    end, told = how_it_ended(job)
    return PastBatchJob(
        scheduler_id=short_id(whole_id),
        name=_text(job, "Job_Name"),
        native_state=_text(job, "job_state"),
        end=end if is_over else None,
        reason=told if is_over else _text(job, "comment"),
        submitted_at=_time(job, "ctime"),
        started_at=_time(job, "stime"),
        ended_at=(_time(job, "obittime") or _time(job, "mtime")) if is_over else None,
    )


def _running_min(document: Mapping[str, Any], job: Mapping[str, Any]) -> float | None:
    """Return the minutes since the start, by the clock of the machine that answers."""
    started, now = _time(job, "stime"), document.get("timestamp")
    if started is None or not isinstance(now, int | float) or not 0 < now < 2**40:
        return None
    return max(0.0, (datetime.fromtimestamp(now, UTC) - started).total_seconds() / 60)


def _part(job: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = job.get(name)
    return part if isinstance(part, dict) else {}


def _text(job: Mapping[str, Any], name: str) -> str:
    """Return an attribute as text: PBS writes texts of digits as numbers."""
    found = job.get(name, "")
    return str(found) if isinstance(found, str | int | float) else ""


def _time(job: Mapping[str, Any], name: str) -> datetime | None:
    return utc(_text(job, name), *_LAYOUTS)
