import json

from hypothesis import example, given
from hypothesis import strategies as st

from balsam.launcher.run_messages import run_messages
from balsam.schemas.jobs import JobSpec

LIMIT = 20_000


def spec(number: int, command: str) -> JobSpec:
    return JobSpec(
        job_id=str(number),
        name=f"job{number}",
        attempt=1,
        command=command,
        workdir="/w",
        environ={"X": command},
    )


@example(["\0" * 372, "\0" * 502, "\0" * 700])  # sizes that make just one message without what parts them
@given(
    st.lists(
        st.sampled_from(["a", "é", "\U0001f600", "\0"]).flatmap(
            lambda character: st.integers(0, 700).map(lambda count: character * count)
        ),
        max_size=20,
    )
)
def test_all_jobs_are_sent_whole_in_order_and_in_small_enough_messages(commands: list[str]) -> None:
    specs = [spec(number, command) for number, command in enumerate(commands)]
    messages = list(run_messages(specs, limit=LIMIT))
    assert all(len(json.dumps(message)) <= LIMIT for message in messages)
    sent = [JobSpec(**job) for message in messages for job in message["jobs"]]
    assert [job.job_id for job in sent] == [job.job_id for job in specs]
    for job, original in zip(sent, specs, strict=True):
        assert job == original or (job.problem and len(json.dumps(original.command)) > LIMIT // 5)


def test_a_job_larger_than_any_message_fails_alone() -> None:
    messages = list(run_messages([spec(1, "a"), spec(2, "x" * LIMIT), spec(3, "b")], limit=LIMIT))
    first, second, third = (JobSpec(**job) for message in messages for job in message["jobs"])
    assert (first.problem, third.problem) == ("", "")
    assert "Put long values into a file" in second.problem and second.environ == {}


def test_no_jobs_make_no_message() -> None:
    assert list(run_messages([])) == []
