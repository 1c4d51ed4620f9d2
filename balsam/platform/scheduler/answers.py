"""What the answers of all batch systems have in common.

Guards that a refusal is one only when the words say so, and that what is listed in parts has ended only when
all its parts have.
"""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

from balsam.lib.commands import Answer
from balsam.platform.scheduler.contract import Cancellation, PastBatchJob, QueuedBatchJob, Submission
from balsam.states import BatchJobEnd, BatchJobState

__all__ = [
    "UTC_ENVIRON",
    "cancellation",
    "count",
    "merged",
    "merged_past",
    "native",
    "script_word",
    "submission",
]

_logger = logging.getLogger(__name__)
_Known = TypeVar("_Known")

#: Times of batch systems are local times of the command that shows them.
UTC_ENVIRON: Mapping[str, str] = {"TZ": "UTC", "LC_ALL": "C"}
#: Words after which nobody knows whether the batch job was taken, whatever else is said.
_DOUBTS = (
    "timed out", "timeout", "unable to contact", "cannot connect", "can't connect",
    "failed to connect", "connect failure", "connection ", "communication", "end of file", "zero bytes",
    "try again", "try later", "reset by peer", "broken pipe",
)  # fmt: skip
_LIVELIEST_FIRST = (
    BatchJobState.RUNNING,
    BatchJobState.UNKNOWN,
    BatchJobState.QUEUED,
    BatchJobState.FINISHED,
)


def submission(answer: Answer, id_line: re.Pattern[str], refusals: Sequence[str]) -> Submission:
    """Read the answer to a submit command.

    ``id_line`` finds the id as its group 1, in a line that is whole; ``refusals`` are words, in lower case,
    of a batch system that has not taken the batch job.
    """
    found = id_line.findall(answer.stdout)
    if found:
        return Submission(scheduler_id=found[-1])
    if not answer.started:
        return Submission(refused=answer.words)
    has_failed = answer.returncode not in (0, None) and not answer.problem
    text = f"{answer.stderr}\n{answer.stdout}"
    if has_failed and _says(text, refusals) and not _says(text, _DOUBTS):
        return Submission(refused=answer.words)
    return Submission()


def cancellation(answer: Answer, gone: Sequence[str]) -> Cancellation:
    """Read the answer to a cancel command; ``gone`` are words, in lower case, about what has ended."""
    text = f"{answer.stderr}\n{answer.stdout}"
    if answer.returncode is not None and _says(text, gone):
        return Cancellation.GONE
    return Cancellation.ACCEPTED if answer.is_ok else Cancellation.UNKNOWN


def native(table: Mapping[str, _Known], word: str, scheduler: str, default: _Known) -> _Known:
    """Look a native state up; one that is in no table is logged once, and is ``default``."""
    if word in table:
        return table[word]
    _tell_once(scheduler, word)
    return default


@lru_cache(maxsize=128)
def _tell_once(scheduler: str, word: str) -> None:
    _logger.warning(
        "%s says %r of a batch job, which Balsam does not know: taken for unknown", scheduler, word
    )


def merged(jobs: Iterable[QueuedBatchJob]) -> dict[str, QueuedBatchJob]:
    """Return batch jobs by id; of one that is listed in parts, an array, the part that is most alive."""
    found: dict[str, QueuedBatchJob] = {}
    for job in jobs:
        other = found.setdefault(job.scheduler_id, job)
        if _rank(job) < _rank(other):
            found[job.scheduler_id] = job
    return found


def _rank(job: QueuedBatchJob) -> tuple[int, bool]:
    return _LIVELIEST_FIRST.index(job.state), job.end is BatchJobEnd.COMPLETED


def merged_past(jobs: Iterable[PastBatchJob]) -> dict[str, PastBatchJob]:
    """Return batch jobs by id; one in parts has ended when all of them have, and well when all have."""
    found: dict[str, PastBatchJob] = {}
    for job in jobs:
        other = found.setdefault(job.scheduler_id, job)
        if _past_rank(job) < _past_rank(other):
            found[job.scheduler_id] = job
    return found


def _past_rank(job: PastBatchJob) -> int:
    return 0 if job.end is None else 2 if job.end is BatchJobEnd.COMPLETED else 1


def count(text: str) -> int | None:
    """Read a number of things; None for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


def script_word(script: object) -> str:
    """Return the path of a script as a word that no command takes for an option."""
    text = str(script)
    return f"./{text}" if text.startswith("-") else text


def _says(text: str, phrases: Sequence[str]) -> bool:
    lowered = text.lower()
    return any(phrase in lowered for phrase in phrases)
