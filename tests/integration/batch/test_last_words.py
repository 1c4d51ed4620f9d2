"""A batch job whose launcher could not start says why: the end of what it wrote comes with its end."""

import pytest

from balsam.batch import Desk, refresh, submit
from balsam.schemas.batch_jobs import BatchJobInfo
from balsam.states import BatchJobEnd
from tests.tiny_scheduler import TinyScheduler

WORDS = "Traceback\n  File x\n\nConfigError: settings.json,\nline 3 is no JSON. Mend it.\n"
SHORT = "File x / ConfigError: settings.json, / line 3 is no JSON. Mend it."


@pytest.fixture
def queued(desk: Desk, intent: BatchJobInfo) -> BatchJobInfo:
    """A batch job that the scheduler has."""
    return submit(desk, intent.batch_job_id)


def wrote(desk: Desk, info: BatchJobInfo, ending: str, text: str) -> str:
    """Write what a batch job has written, and return the name of the file."""
    path = desk.script_of(info).with_suffix(ending)
    path.write_text(text)
    return path.name


def reason(desk: Desk, info: BatchJobInfo) -> str:
    refresh(desk)
    return desk.client.batch_jobs(live_only=False, ids=[info.batch_job_id])[0].reason


@pytest.mark.parametrize("ending", [".error", ".output"])
def test_end_that_nobody_explains_comes_with_the_last_lines(
    desk: Desk, tiny: TinyScheduler, queued: BatchJobInfo, ending: str
):
    name = wrote(desk, queued, ending, WORDS)
    tiny.end("101", BatchJobEnd.FAILED, reason="exit code 1")
    assert reason(desk, queued) == f"exit code 1; {name} ends: {SHORT}"


def test_errors_come_before_other_output(desk: Desk, tiny: TinyScheduler, queued: BatchJobInfo):
    wrote(desk, queued, ".output", "hello\n")
    name = wrote(desk, queued, ".error", "no\n")
    tiny.end("101", BatchJobEnd.UNKNOWN)
    assert reason(desk, queued) == f"{name} ends: no"


@pytest.mark.parametrize("end", [BatchJobEnd.COMPLETED, BatchJobEnd.CANCELLED, BatchJobEnd.TIMEOUT])
def test_end_that_explains_itself_says_no_more(
    desk: Desk, tiny: TinyScheduler, queued: BatchJobInfo, end: BatchJobEnd
):
    wrote(desk, queued, ".error", WORDS)
    tiny.end("101", end, reason="as it is")
    assert reason(desk, queued) == "as it is"


def test_what_was_written_is_bounded(desk: Desk, tiny: TinyScheduler, queued: BatchJobInfo):
    name = wrote(desk, queued, ".error", "x" * 100_000 + "the end\n")
    tiny.end("101", BatchJobEnd.FAILED)
    told = reason(desk, queued)
    assert told.startswith(f"{name} ends: …xxx") and told.endswith("xthe end") and len(told) < 700


def test_nothing_written_adds_nothing(desk: Desk, tiny: TinyScheduler, queued: BatchJobInfo):
    wrote(desk, queued, ".error", "\n \n")
    tiny.end("101", BatchJobEnd.FAILED, reason="exit code 1")
    assert reason(desk, queued) == "exit code 1"
