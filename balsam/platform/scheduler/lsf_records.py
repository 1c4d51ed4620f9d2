"""Batch jobs as ``bjobs -json`` shows them."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from balsam.lib.commands import Answer
from balsam.platform.scheduler.answers import count, merged, merged_past, native
from balsam.platform.scheduler.contract import History, Listing, PastBatchJob, QueuedBatchJob
from balsam.platform.scheduler.lenient_json import decode, salvage
from balsam.platform.scheduler.times import utc, utc_without_year
from balsam.states import BatchJobEnd, BatchJobState

__all__ = ["FIELDS", "SLOTS_PER_NODE", "history", "listing"]

B, E = BatchJobState, BatchJobEnd
_Record = Mapping[str, str]

#: As on Summit: cores that are slots.
SLOTS_PER_NODE = 42
#: https://www.ibm.com/docs/en/SSWRJV_10.1.0/lsf_command_ref/bjobs.o.1.html
FIELDS = (
    "jobid", "stat", "user", "queue", "job_name", "proj_name", "nreq_slot", "runtimelimit", "time_left",
    "pend_reason", "exit_code", "exit_reason", "submit_time", "start_time", "finish_time", "command",
)  # fmt: skip
#: https://www.ibm.com/docs/en/spectrum-lsf/10.1.0?topic=bjobs-description
_STATES = {
    "PEND": B.QUEUED, "PROV": B.QUEUED, "PSUSP": B.QUEUED, "WAIT": B.QUEUED, "BLOCKED": B.QUEUED,
    "FWD_PEND": B.QUEUED, "RUN": B.RUNNING, "USUSP": B.RUNNING, "SSUSP": B.RUNNING, "UNKWN": B.UNKNOWN,
    "ZOMBI": B.UNKNOWN, "DONE": B.FINISHED, "EXIT": B.FINISHED,
}  # fmt: skip
#: https://www.ibm.com/docs/SSWRJV_10.1.0/lsf_admin/termination_reasons_lsf.html
_TERMINATIONS = {
    "TERM_RUNLIMIT": E.TIMEOUT, "TERM_DEADLINE": E.TIMEOUT, "TERM_WINDOW": E.TIMEOUT,
    "TERM_OWNER": E.CANCELLED, "TERM_ADMIN": E.CANCELLED, "TERM_FORCE_OWNER": E.CANCELLED,
    "TERM_FORCE_ADMIN": E.CANCELLED, "TERM_PREEMPT": E.PREEMPTED, "TERM_REQUEUE_OWNER": E.CANCELLED,
    "TERM_REQUEUE_ADMIN": E.CANCELLED, "TERM_RMS": E.NODE_FAIL, "TERM_ZOMBI": E.NODE_FAIL,
    "TERM_MEMLIMIT": E.OUT_OF_MEMORY, "TERM_SWAP": E.OUT_OF_MEMORY, "TERM_ORPHAN_SYSTEM": E.CANCELLED,
    "TERM_CPULIMIT": E.TIMEOUT,
}  # fmt: skip
#: Killed by SIGUSR2, which LSF sends when the run limit is over.
_RUNLIMIT_CODE = "140"
_START = re.compile(r'()\{(?=\s*"JOBID")')
_ID = re.compile(r"(\d+)(?:\[\d+\])?", re.ASCII)
_HOURS = re.compile(r"(\d{1,6}):(\d{1,2})\b", re.ASCII)
_LAYOUTS = ("%b %d %H:%M:%S %Y", "%b %d %H:%M %Y")
_YEARLESS = ("%b %d %H:%M", "%b %d %H:%M:%S")


def listing(answer: Answer, user: str) -> Listing:
    """Read what bjobs has answered."""
    records, problem = _records(answer)
    mine = [record for record in records if user in ("", record.get("USER", ""))]
    return Listing(jobs=merged(map(_queued, mine)), is_complete=not problem, problem=problem)


def history(answer: Answer, now: datetime) -> History:
    """Read what bjobs has answered of batch jobs that may have ended."""
    records, problem = _records(answer)
    jobs = merged_past(_past(record, now) for record in records)
    return History(jobs=jobs, is_complete=not problem, problem=problem)


def _records(answer: Answer) -> tuple[list[_Record], str]:
    """Return the records that can be read, and why they may not be all, or ''."""
    document = decode(answer.stdout)
    records = None if document is None else document.get("RECORDS")
    if document is not None and isinstance(records, list):
        problem = "" if str(document.get("JOBS")) == str(len(records)) else "bjobs has miscounted its records"
    else:
        records = [record for _, record in salvage(answer.stdout, _START)]
        problem = "" if _has_none(answer) else f"the answer of bjobs is cut short: {answer.stdout[-200:]!r}"
    unknown = [record for record in records if _is_unknown_id(record)]
    good = [_texts(record) for record in records if _is_good(record)]
    if len(good) + len(unknown) < len(records):
        problem = problem or "bjobs answered records that cannot be read"
    is_over = answer.is_ok or (bool(unknown) and answer.returncode is not None and not answer.problem)
    if not is_over and not _has_none(answer):
        problem = answer.words
    return good, problem


def _has_none(answer: Answer) -> bool:
    """Whether bjobs says that there is none, in words and not in JSON."""
    lines = [line.strip() for line in answer.stderr.split("\n") if line.strip()]
    known = all(
        line in ("No unfinished job found", "No job found") or line.endswith("is not found") for line in lines
    )
    return bool(lines) and known and not answer.stdout.strip() and answer.returncode is not None


def _is_unknown_id(record: object) -> bool:
    return isinstance(record, dict) and "is not found" in str(record.get("ERROR", ""))


def _is_good(record: object) -> bool:
    return (
        isinstance(record, dict)
        and _ID.fullmatch(str(record.get("JOBID", ""))) is not None
        and isinstance(record.get("STAT"), str)
        and bool(record["STAT"])
    )


def _texts(record: Mapping[str, Any]) -> _Record:
    """Return the fields as texts; '-' is nothing."""
    return {name: "" if value == "-" else str(value) for name, value in record.items()}


def _queued(record: _Record) -> QueuedBatchJob:
    word = record["STAT"]
    end, told = _end(record)
    limit = re.match(r"(\d{1,9})(?:\.\d+)?", record.get("RUNTIMELIMIT", ""), re.ASCII)
    left = _HOURS.match(record.get("TIME_LEFT", ""))
    return QueuedBatchJob(
        scheduler_id=_number(record),
        state=native(_STATES, word, "LSF", B.UNKNOWN),
        native_state=word,
        name=_name(record),
        queue=record.get("QUEUE", ""),
        project=record.get("PROJ_NAME", ""),
        num_nodes=_num_nodes(record),
        wall_time_min=int(limit[1]) if limit else None,
        time_remaining_min=int(left[1]) * 60.0 + int(left[2]) if left else None,
        command=record.get("COMMAND", ""),
        reason=told or record.get("PEND_REASON", ""),
        end=end or E.UNKNOWN,
    )


def _past(record: _Record, now: datetime) -> PastBatchJob:
    end, told = _end(record)
    return PastBatchJob(
        scheduler_id=_number(record),
        name=_name(record),
        native_state=record["STAT"],
        end=end,
        reason=told,
        submitted_at=_time(record.get("SUBMIT_TIME", ""), now),
        started_at=_time(record.get("START_TIME", ""), now),
        ended_at=_time(record.get("FINISH_TIME", ""), now) if end else None,
    )


def _end(record: _Record) -> tuple[BatchJobEnd | None, str]:
    """Return how a batch job ended, and why; None while it has not."""
    if record["STAT"] == "DONE":
        return E.COMPLETED, ""
    if record["STAT"] != "EXIT":
        return None, ""
    reason, code = record.get("EXIT_REASON", ""), record.get("EXIT_CODE", "")
    word = re.match(r"TERM_\w+", reason)
    if word and word[0] in _TERMINATIONS:
        return _TERMINATIONS[word[0]], reason
    end = E.TIMEOUT if code == _RUNLIMIT_CODE else E.FAILED
    return end, reason or (f"exit code {code}" if code else "")


def _num_nodes(record: _Record) -> int | None:
    """Return the nodes; None where they are no nodes as Summit's, of which alone the slots are known."""
    nodes, rest = divmod(count(record.get("NREQ_SLOT", "")) or 0, SLOTS_PER_NODE)
    return nodes if nodes and not rest else None


def _number(record: _Record) -> str:
    match = _ID.fullmatch(record["JOBID"])
    return match[1] if match else record["JOBID"]


def _name(record: _Record) -> str:
    """Return the name; of a part of an array, without the index."""
    return re.sub(r"\[\d+\]$", "", record.get("JOB_NAME", ""))


def _time(text: str, now: datetime) -> datetime | None:
    """Read a time, which may say its year, and may end with a letter for what is only estimated."""
    words = re.sub(r"\s+[A-Z]$", "", text)
    found = utc(words, *_LAYOUTS)
    for layout in _YEARLESS:
        found = found or utc_without_year(words, layout, now)
    return found
