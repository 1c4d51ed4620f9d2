"""The queue policy: what is shipped, what is read, and how each mistake is told."""

from pathlib import Path

import pytest

from balsam.config.queue_policy import Band, QueuePolicy, ensure_policy_file, load_policy, parse_policy
from balsam.config.settings import UserSettings
from balsam.exceptions import ConfigError
from balsam.platform.machines import load_machine

SHIPPED = load_machine("theta").queue_policy.read_text()
GOOD_BAND = '{"min-nodes": 1, "max-nodes": 2, "min-time": 0, "max-time": 1}'
PATH = Path("/home/user/.balsam/theta_policy.ini")


def policy_of(text: str) -> QueuePolicy:
    return parse_policy(PATH, text)


def section(name: str = "q", *, submit: str = "on", queued: str = "2", policy: str = f"[{GOOD_BAND}]") -> str:
    return f"[{name}]\nsubmit-jobs = {submit}\nmax-queued = {queued}\npolicy = {policy}\n"


def test_shipped_policy_has_both_queues_and_their_bands():
    debug, default = policy_of(SHIPPED).queues
    assert (debug.name, debug.is_open, debug.max_queued) == ("debug-flat-quad", True, 1)
    assert debug.bands == (Band(1, 16, 0, 60),)
    assert (default.name, default.is_open, default.max_queued) == ("default", False, 20)
    assert [(b.min_nodes, b.max_nodes, b.min_time_min, b.max_time_min) for b in default.bands] == [
        (128, 255, 30, 180),
        (256, 383, 30, 360),
        (384, 639, 30, 540),
        (640, 801, 30, 720),
        (802, 4392, 30, 1440),
    ]


def test_three_edits_of_the_shipped_policy_do_what_they_say():
    edited = SHIPPED.replace("submit-jobs = on", "submit-jobs = 0").replace(
        "submit-jobs = off", "submit-jobs=Yes"
    )
    debug, default = policy_of(edited.replace("max-queued = 20", "max-queued: 1")).queues
    assert (debug.is_open, default.is_open, default.max_queued) == (False, True, 1)


@pytest.mark.parametrize("word", ["on", "ON", "yes", "True", "1"])
def test_words_that_open_a_queue(word: str):
    assert policy_of(section(submit=word)).queues[0].is_open


@pytest.mark.parametrize("word", ["off", "no", "FALSE", "0"])
def test_words_that_close_a_queue(word: str):
    assert not policy_of(section(submit=word)).queues[0].is_open


def test_queue_of_which_none_may_be_queued_is_closed():
    assert not policy_of(section(queued="0")).queues[0].is_open


def test_parts_of_hours_become_minutes_and_never_more_than_the_hours():
    text = section(policy='[{"min-nodes": 1, "max-nodes": 2, "min-time": 0.1, "max-time": 0.33}]')
    assert policy_of(text).queues[0].bands == (Band(1, 2, 6, 19),)


def test_policy_may_span_lines_with_comments_and_blank_ones_between():
    text = (
        "\ufeff# mine\r\n[a]  ; theirs\r\nSUBMIT-JOBS = on\r\nmax-queued = 1\r\npolicy = [\r\n"
        f"   # the small band\r\n\r\n   {GOOD_BAND}\r\n   ]\r\n"
    )
    assert policy_of(text).queues[0].bands == (Band(1, 2, 0, 60),)


@pytest.mark.parametrize(
    ("text", "line", "what", "advice"),
    [
        (section().replace("on", "perhaps"), 2, "'perhaps'", "on or off"),
        (section(queued="-1"), 3, "max-queued is '-1'", "whole number"),
        (section(queued="some"), 3, "max-queued is 'some'", "whole number"),
        (section().replace("max-queued", "max_queued"), 3, "'max_queued'", "Did you mean max-queued?"),
        ("[q]\nsubmit-jobs = on\npolicy = []\n", 1, "does not set max-queued", "Add max-queued"),
        (section() + section(), 5, "[q] is there already, on line 1", "one section"),
        (section() + "max-queued = 3\n", 5, "set already, on line 3", "Keep one"),
        ("max-queued = 3\n", 1, "in no section", "[queue]"),
        ("[q]\nwhat\n", 2, "'what'", "key = value"),
        ("[q\n", 1, "'[q' is no section", "[name]"),
        (section("a b"), 1, "'a b' cannot be the name of a queue", "without blanks"),
        (section("-q"), 1, "'-q' cannot be the name of a queue", "without blanks"),
        (section(policy="[]"), 4, "not a list of bands", "min-nodes"),
        (section(policy=f"[\n {GOOD_BAND},\n {GOOD_BAND[:-1]}\n ]"), 7, "no JSON list", "[{…}, {…}]"),
        (section(policy=f"[\n {GOOD_BAND},\n {GOOD_BAND}\n ]"), 6, "two bands of 1-2 nodes", "Keep one"),
        (section(policy=f"[\n {GOOD_BAND.replace('2', '0')}\n ]"), 5, "max-nodes is 0", "1 or more"),
        (section(policy=f"[\n {GOOD_BAND.replace('1,', '3,')}\n ]"), 5, "min-nodes 3 is more", "Exchange"),
        (section(policy=f"[{GOOD_BAND.replace('0,', '2,')}]"), 4, "min-time 2 is more", "Exchange"),
        (section(policy=f"[{GOOD_BAND.replace('1}', '0}')}]"), 4, "less than a minute", "0.5"),
        (section(policy=f"[{GOOD_BAND.replace('1}', 'NaN}')}]"), 4, "max-time is NaN", "hours"),
        (section(policy='[{"min-nodes": 1}]'), 4, "not min-nodes", "max-time"),
        (section(policy="[3]"), 4, "not 3", "max-time"),
    ],
)
def test_mistake_is_told_with_file_line_and_what_to_write(text: str, line: int, what: str, advice: str):
    with pytest.raises(ConfigError) as raised:
        policy_of(text)
    message = str(raised.value)
    assert message.startswith(f"{PATH}, line {line}: ")
    assert what in message
    assert advice in message


def test_missing_file_is_made_once_and_never_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BALSAM_HOME", str(tmp_path / "new" / "home"))
    path = ensure_policy_file(UserSettings())
    assert path == tmp_path / "new" / "home" / "theta_policy.ini"
    assert path.read_text() == SHIPPED
    path.write_text("mine")
    assert ensure_policy_file(UserSettings()).read_text() == "mine"
    assert list(path.parent.iterdir()) == [path]


def test_setting_names_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BALSAM_HOME", str(tmp_path))
    assert ensure_policy_file(UserSettings(QUEUE_POLICY="mine.ini")) == tmp_path / "mine.ini"


def test_missing_file_is_made_as_the_machine_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BALSAM_HOME", str(tmp_path))
    path = ensure_policy_file(UserSettings(MACHINE="polaris", QUEUE_POLICY="polaris_policy.ini"))
    assert [queue.name for queue in load_policy(path).queues] == ["debug", "prod", "preemptable"]


def test_policy_that_cannot_be_made_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("BALSAM_HOME", str(tmp_path / "file"))
    with pytest.raises(ConfigError, match=r"Make .* writable, or set QUEUE_POLICY"):
        ensure_policy_file(UserSettings())


def test_file_that_cannot_be_read_says_what_to_do(tmp_path: Path):
    with pytest.raises(ConfigError, match="move it away"):
        load_policy(tmp_path)
    (tmp_path / "binary").write_bytes(b"[q]\xff")
    with pytest.raises(ConfigError, match="UTF-8"):
        load_policy(tmp_path / "binary")
