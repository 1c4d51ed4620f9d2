"""What every adapter makes of good, broken and hostile answers: no end is invented, no row lost.

The text of an answer is changed here; what each adapter knows for itself is in its own tests.
"""

import dataclasses
import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balsam.lib.commands import Answer, Command
from balsam.platform.scheduler import (
    Cancellation,
    Listing,
    SchedulerAdapter,
    SubmitRequest,
)
from balsam.platform.scheduler.cobalt import Cobalt
from balsam.platform.scheduler.lsf import Lsf
from balsam.platform.scheduler.pbs import Pbs
from balsam.platform.scheduler.slurm import Slurm
from balsam.states import BatchJobEnd, BatchJobState
from tests.unit.platform.scheduler.captured import DATA, captured

B, E = BatchJobState, BatchJobEnd
NOW = datetime(2026, 11, 21, 11, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Flavor:
    """One adapter, and what is in its captured listing for alice."""

    adapter: SchedulerAdapter
    states: Mapping[str, BatchJobState]
    #: A name in the listing, and its id.
    named: tuple[str, str]
    #: A native state that is running in the listing, as it is written there.
    running: str
    #: Whether an answer says where it ends, so that a cut between rows is seen, too.
    says_its_end: bool
    #: Make a listing of so many batch jobs.
    many: Callable[[str, int], str]

    @property
    def name(self) -> str:
        return self.adapter.name

    @property
    def listing(self) -> Answer:
        return captured(f"{self.name}/status")


def many_rows(text: str, count: int, pattern: str) -> str:
    """Repeat the row that the pattern finds, with other ids."""
    match = re.search(pattern, text, re.MULTILINE | re.DOTALL)
    assert match is not None
    row, number = match[0], match[1]
    rows = "".join(row.replace(number, str(1_000_000 + index)) for index in range(count))
    return text[: match.start()] + rows + text[match.end() :]


def many_in_json(text: str, count: int) -> str:
    document = json.loads(text)
    if "Jobs" in document:
        whole = next(iter(document["Jobs"].values()))
        job = {name: whole[name] for name in ("Job_Name", "Job_Owner", "job_state", "queue")}
        document["Jobs"] = {f"{1_000_000 + index}.pbs-01": job for index in range(count)}
    else:
        record = document["RECORDS"][0]
        document["RECORDS"] = [{**record, "JOBID": str(1_000_000 + index)} for index in range(count)]
        document["JOBS"] = count
    return json.dumps(document)


FLAVORS = {
    "slurm": Flavor(
        Slurm(),
        {
            "7": B.FINISHED, "8": B.FINISHED, "12": B.FINISHED, "19": B.FINISHED, "3": B.FINISHED,
            "17": B.FINISHED, "18": B.FINISHED, "22": B.RUNNING, "26": B.QUEUED, "21": B.QUEUED,
            "23": B.RUNNING, "25": B.QUEUED, "20": B.RUNNING,
        },
        ("qlaunch-run", "20"), "RUNNING", False,
        lambda text, count: many_rows(text, count, r"^\x1e(7)\x1f[^\x1e]*\x1e\n"),
    ),
    "pbs": Flavor(
        Pbs(),
        {
            "1001": B.RUNNING, "1002": B.QUEUED, "1003": B.QUEUED, "1004[]": B.RUNNING, "1005": B.RUNNING,
            "1007": B.UNKNOWN, "1008": B.QUEUED,
        },
        ("qlaunch-held", "1003"), '"R"', True, many_in_json,
    ),
    "cobalt": Flavor(
        Cobalt(),
        {
            "501001": B.RUNNING, "501002": B.QUEUED, "501003": B.QUEUED, "501004": B.RUNNING,
            "501005": B.QUEUED,
        },
        ("qlaunch-wait", "501002"), "running", False,
        lambda text, count: many_rows(text, count, r"^(501001) [^\n]*\n"),
    ),
    "lsf": Flavor(
        Lsf(now=lambda: NOW),
        {
            "701": B.RUNNING, "702": B.QUEUED, "703": B.QUEUED, "704": B.FINISHED, "705": B.FINISHED,
            "706": B.RUNNING, "707": B.UNKNOWN,
        },
        ("arr", "706"), '"RUN"', True, many_in_json,
    ),
}  # fmt: skip
REQUEST = SubmitRequest(
    script=Path("/db/qsubmit/qlaunch7.sh"), name="bq-1_x", project="demo", queue="prod", num_nodes=2,
    wall_time_min=90, cwd=Path("/db/qsubmit"), output=Path("/db/qsubmit/qlaunch7"),
    extra_flags=["--flag", "a b"],
)  # fmt: skip


@pytest.fixture(params=FLAVORS)
def flavor(request: pytest.FixtureRequest) -> Flavor:
    return FLAVORS[request.param]


def finished(listing: Listing) -> set[str]:
    return {job.scheduler_id for job in listing.jobs.values() if job.state is B.FINISHED}


def ok(text: str) -> Answer:
    return Answer(0, text)


def test_captured_answers_say_where_they_are_from():
    for path in DATA.glob("*/*.txt"):
        assert path.read_text().startswith("# "), path


def test_listing_of_a_user_is_read(flavor: Flavor):
    listing = flavor.adapter.parse_status(flavor.listing, "alice")
    assert listing.is_complete, listing.problem
    assert {job_id: job.state for job_id, job in listing.jobs.items()} == flavor.states
    name, job_id = flavor.named
    assert listing.jobs[job_id].name == name
    assert all(job.queue and job.native_state for job in listing.jobs.values())


def test_empty_list_is_complete_only_where_the_command_shows_itself(flavor: Flavor):
    assert flavor.adapter.parse_status(captured(f"{flavor.name}/status-empty")) == Listing()
    assert not flavor.adapter.parse_status(ok("")).is_complete
    assert not flavor.adapter.parse_status(ok("\n")).is_complete


def test_batch_system_that_is_down_has_said_nothing(flavor: Flavor):
    answer = captured(f"{flavor.name}/status-down")
    listing = flavor.adapter.parse_status(answer)
    assert (listing.is_complete, listing.problem, listing.jobs) == (False, answer.words, {})


@pytest.mark.parametrize(
    "answer",
    [Answer(1), Answer(None, problem="it did not answer within 60 s"), Answer(0, problem="too much")],
)
def test_good_rows_of_a_failed_command_are_kept(flavor: Flavor, answer: Answer):
    answer = dataclasses.replace(answer, stdout=flavor.listing.stdout)
    listing = flavor.adapter.parse_status(answer, "alice")
    assert not listing.is_complete
    assert listing.problem
    assert listing.jobs.keys() == flavor.states.keys()


def test_answer_cut_at_any_byte_loses_no_row_silently(flavor: Flavor):
    text = flavor.listing.stdout
    whole = flavor.adapter.parse_status(ok(text))
    for cut in range(len(text)):
        listing = flavor.adapter.parse_status(ok(text[:cut]))
        assert finished(listing) <= finished(whole)
        assert listing.jobs.keys() <= whole.jobs.keys()
        if listing.is_complete and listing.jobs.keys() != whole.jobs.keys():
            is_between_rows = text[:cut].endswith("\n") and not flavor.says_its_end
            assert is_between_rows, text[:cut][-200:]


@given(data=st.data())
@pytest.mark.parametrize("name", FLAVORS)
def test_garbage_inside_an_answer_hides_no_row(name: str, data: st.DataObject):
    flavor = FLAVORS[name]
    text = flavor.listing.stdout
    whole = flavor.adapter.parse_status(ok(text))
    at = data.draw(st.integers(0, len(text)))
    # digits could make one id of another
    garbage = data.draw(st.text(st.characters(exclude_categories=["Nd", "Cs"]), min_size=1, max_size=20))
    listing = flavor.adapter.parse_status(ok(text[:at] + garbage + text[at:]))
    assert finished(listing) <= finished(whole)
    if listing.is_complete:
        assert whole.jobs.keys() == listing.jobs.keys()


@given(data=st.data())
@pytest.mark.parametrize("name", FLAVORS)
def test_lines_that_stand_twice_hide_no_row(name: str, data: st.DataObject):
    flavor = FLAVORS[name]
    lines = flavor.listing.stdout.splitlines(keepends=True)
    whole = flavor.adapter.parse_status(ok("".join(lines)))
    source, goal = (data.draw(st.integers(0, len(lines) - 1)) for _ in range(2))
    if '"JOBID"' not in lines[source]:  # of two ids, nobody can say which is the record's
        lines.insert(goal, lines[source])
    listing = flavor.adapter.parse_status(ok("".join(lines)))
    assert finished(listing) <= finished(whole)
    if listing.is_complete:
        assert whole.jobs.keys() == listing.jobs.keys()


@given(text=st.text() | st.binary().map(lambda raw: raw.decode(errors="replace")), code=st.integers(0, 1))
@pytest.mark.parametrize("name", FLAVORS)
def test_nothing_is_read_into_noise(name: str, text: str, code: int):
    adapter = FLAVORS[name].adapter
    for answer in (Answer(code, text), Answer(code, "", text), Answer(None, text, text, "it hung")):
        listing, history = adapter.parse_status(answer, "alice"), adapter.parse_history(answer)
        assert not listing.jobs
        assert not listing.is_complete
        assert not history.jobs
        assert not adapter.parse_backfill(answer)
        assert adapter.parse_time_left(answer) is None or ":" in text
        adapter.parse_projects(answer)
        adapter.parse_cancel(answer)
        assert not adapter.parse_submit(answer).scheduler_id or any(c.isdecimal() for c in text)


def test_words_around_an_answer_are_no_rows(flavor: Flavor):
    text = f"Maintenance on Monday: expect delays.\n\n{flavor.listing.stdout}"
    listing = flavor.adapter.parse_status(ok(text), "alice")
    assert listing.is_complete, listing.problem
    assert listing.jobs.keys() == flavor.states.keys()


def test_deeply_nested_text_is_no_answer(flavor: Flavor):
    for text in ("[" * 100_000, '{"a":' * 100_000, "{" * 100_000):
        assert not flavor.adapter.parse_status(ok(text)).is_complete


def test_a_hundred_thousand_rows_are_read(flavor: Flavor):
    text = flavor.many(flavor.listing.stdout, 100_000)
    listing = flavor.adapter.parse_status(ok(text), "alice")
    assert listing.is_complete, listing.problem
    assert len(listing.jobs) >= 100_000


def test_unknown_state_is_kept_and_logged_once(flavor: Flavor, caplog: pytest.LogCaptureFixture):
    known = flavor.running.strip('"')
    word = f"{known}ISH"
    text = flavor.listing.stdout.replace(flavor.running, flavor.running.replace(known, word))
    with caplog.at_level(logging.WARNING):
        listings = [flavor.adapter.parse_status(ok(text)) for _ in range(3)]
    for listing in listings:
        assert listing.is_complete
        assert word in {job.native_state for job in listing.jobs.values() if job.state is B.UNKNOWN}
    assert sum(word in message for message in caplog.messages) <= 1


@pytest.mark.parametrize(
    "text",
    [
        "qsub: Socket timed out on send/recv",
        "Connection refused",
        "Job not submitted: LIM is down; try later",
    ],
)
def test_submission_that_may_have_arrived_is_unknown(flavor: Flavor, text: str):
    for answer in (
        Answer(1, "", text),
        Answer(None, "", text, "it hung"),
        Answer(0, "", text),
        ok(text),
        ok(""),
    ):
        assert flavor.adapter.parse_submit(answer).is_unknown


def test_submission_is_taken_whatever_the_exit_code(flavor: Flavor):
    answer = captured(f"{flavor.name}/submit")
    taken = flavor.adapter.parse_submit(answer)
    assert taken.scheduler_id.isdecimal()
    for code in (1, None):
        assert flavor.adapter.parse_submit(dataclasses.replace(answer, returncode=code)) == taken
    cut = dataclasses.replace(answer, stdout=answer.stdout.rstrip("\n")[:-1])
    assert flavor.adapter.parse_submit(cut).is_unknown


def test_submission_that_could_not_start_is_refused(flavor: Flavor):
    refused = flavor.adapter.parse_submit(Answer(None, problem="cannot run it: no such file", started=False))
    assert refused.refused


def test_submit_command_is_words_for_no_shell(flavor: Flavor):
    argv = list(flavor.adapter.submit_command(REQUEST).argv)
    assert argv[-3:] == ["--flag", "a b", "/db/qsubmit/qlaunch7.sh"]
    assert any("01:30" in word for word in argv)
    dashed = dataclasses.replace(REQUEST, script=Path("-x.sh"), project="", queue="")
    bare = list(flavor.adapter.submit_command(dashed).argv)
    assert bare[-1] == "./-x.sh"
    assert "demo" not in " ".join(bare) and "prod" not in " ".join(bare)


def test_unclear_cancellation_is_unknown(flavor: Flavor):
    assert flavor.adapter.parse_cancel(Answer(0)) is Cancellation.ACCEPTED
    assert flavor.adapter.parse_cancel(Answer(1, "", "Connection refused")) is Cancellation.UNKNOWN
    assert flavor.adapter.parse_cancel(Answer(None, problem="it hung")) is Cancellation.UNKNOWN


def test_time_left_is_minutes(flavor: Flavor):
    left = flavor.adapter.parse_time_left(captured(f"{flavor.name}/time-left"))
    assert left is not None
    assert 0 <= left <= 180


def test_commands_name_the_user_and_the_id(flavor: Flavor):
    adapter = flavor.adapter
    commands: list[Command | None] = [
        adapter.cancel_command("77"), adapter.time_left_command("77"),
        adapter.history_command(["77"], NOW),
    ]  # fmt: skip
    for command in commands:
        assert command is None or any("77" in word for word in command.argv)


def test_outside_of_an_allocation_there_is_none(flavor: Flavor):
    assert flavor.adapter.allocation({}) is None
    assert flavor.adapter.allocation({"SLURM_JOB_ID": "", "PBS_JOBID": "", "LSB_JOBID": ""}) is None
