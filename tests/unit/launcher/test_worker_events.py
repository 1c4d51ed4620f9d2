import json
import math
import signal

from hypothesis import given
from hypothesis import strategies as st

from balsam.launcher.channel import MAX_FRAME_BYTES
from balsam.launcher.worker_events import BUSY_SEC, HUNGRY_SEC, SIGNALLED_SEC, Outbox


def test_times_become_ages() -> None:
    outbox = Outbox()
    outbox.start("a", 1, 10.0, "node1")
    outbox.end("a", 1, -9, 11.0, "tail")
    outbox.give_back("b", 2, "too large")
    (message,) = outbox.take(13.0)
    assert json.loads(json.dumps(message)) == {
        "type": "events",
        "started": [["a", 1, 3.0, "node1"]],
        "ended": [["a", 1, -9, 2.0, "tail"]],
        "returned": [["b", 2, "too large"]],
    }
    assert outbox.is_empty and list(outbox.take(14.0)) == []


def test_the_first_event_is_due_at_once_and_the_next_ones_are_gathered() -> None:
    outbox = Outbox()
    assert outbox.due_at(is_hungry=True) == math.inf
    outbox.start("a", 1, 5.0, "")
    assert outbox.due_at(is_hungry=False) == -math.inf
    list(outbox.take(5.0))
    assert outbox.due_at(is_hungry=True) == math.inf
    outbox.end("a", 1, 0, 5.0)
    assert outbox.due_at(is_hungry=False) == 5.0 + BUSY_SEC
    assert outbox.due_at(is_hungry=True) == 5.0 + HUNGRY_SEC


@given(st.integers(0, 1200), st.integers(0, 1200), st.integers(0, 700))
def test_many_events_make_several_messages_and_no_end_overtakes_its_start(
    starts: int, ends: int, returns: int
) -> None:
    outbox = Outbox()
    for number in range(starts):
        outbox.start(f"s{number}", 1, 0.0, "")
    for number in range(ends):
        outbox.end(f"s{number}", 1, 0, 0.0)
    for number in range(returns):
        outbox.give_back(f"r{number}", 1)
    started: set[str] = set()
    seen = 0
    for message in outbox.take(0.0):
        started |= {event[0] for event in message["started"]}
        ended = {event[0] for event in message["ended"]}
        assert all(job_id in started or int(job_id[1:]) >= starts for job_id in ended)
        seen += sum(len(message[kind]) for kind in ("started", "ended", "returned"))
    assert seen == starts + ends + returns


def test_a_full_message_of_the_worst_text_fits_the_channel() -> None:
    outbox = Outbox()
    for number in range(256):
        outbox.end(str(number), 1, 1, 0.0, "\x01" * 4096)
        outbox.give_back(str(number), 1, "\x01" * 4096)
    (message,) = outbox.take(0.0)
    assert len(json.dumps(message)) < MAX_FRAME_BYTES


def test_end_by_sigterm_is_kept_for_a_moment():
    outbox = Outbox()
    outbox.end("a", 1, -signal.SIGTERM, when=5.0)
    assert outbox.due_at(is_hungry=True) == 5.0 + SIGNALLED_SEC


def test_outcomes_are_told_before_the_ends_in_messages_that_fit() -> None:
    outbox = Outbox()
    for number in range(40):
        outbox.start(f"j{number}", 1, 0.0, "here")
        outbox.keep_outcome(f"j{number}", 1, ("x" * 512_000, "y" * 512_000))
        outbox.end(f"j{number}", 1, 0, 0.0)
    outbox.note("something")
    messages = list(outbox.take(0.0))
    kinds = [message["type"] for message in messages]
    assert kinds == sorted(kinds, key=["note", "outcomes", "events"].index)
    assert max(len(json.dumps(message)) for message in messages) < MAX_FRAME_BYTES
    told = [job[0] for message in messages if message["type"] == "outcomes" for job in message["jobs"]]
    assert told == [f"j{number}" for number in range(40)]
    assert outbox.is_empty and list(outbox.take(1.0)) == []
