"""The page about the state machine says what the table of transitions says."""

import re
from pathlib import Path

from balsam.states import END_STATES, STATES, TRANSITIONS, JobState

PAGE = (Path(__file__).parents[2] / "docs" / "design" / "state-machine.md").read_text()

Edges = set[tuple[str, str]]


def edges_of_the_table() -> Edges:
    return {(state.value, after.value) for state, following in TRANSITIONS.items() for after in following}


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", PAGE, re.M | re.S)
    assert found is not None
    return found[1]


def test_drawn_diagram_shows_exactly_the_table():
    arrows = re.findall(r"^ +(\S+) --> (\S+)$", block("mermaid"), re.M)
    drawn = {(left, right) for left, right in arrows if "[*]" not in (left, right)}
    assert drawn == edges_of_the_table()
    ends = {left for left, right in arrows if right == "[*]"}
    assert ends == {state.value for state in END_STATES}


def test_text_diagram_shows_exactly_the_table():
    lines = [line.split(" -> ") if " -> " in line else [line[:-3], ""] for line in block("text").splitlines()]
    told = {state.strip(): tuple(following.split()) for state, following in lines}
    assert told == {state.value: tuple(s.value for s in after) for state, after in TRANSITIONS.items()}


def test_every_state_is_explained():
    explained = re.findall(r"^\| `([A-Z_]+)` \|", PAGE, re.M)
    assert sorted(explained) == sorted(state.value for state in STATES)
    assert len(STATES) == len(JobState) == 14
