from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balsam.exceptions import UsageError
from balsam.lib.envstrings import format_environ, parse_environ

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
NAMES = st.one_of(
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_]*", fullmatch=True),
    TEXTS.filter(lambda name: bool(name) and "=" not in name),
)


@pytest.mark.parametrize(
    ("written", "environ"),
    [
        ("A=1:B=2", {"A": "1", "B": "2"}),
        ("A=1", {"A": "1"}),
        ("A=", {"A": ""}),
        ("A=b=c", {"A": "b=c"}),
        ("A=1: B =two words :", {"A": "1", "B": "two words "}),
        ("A=1:A=2", {"A": "2"}),
        ('{"PATH": "/a:/b"}', {"PATH": "/a:/b"}),
        (["A=1", "PATH=/a:/b", "C=x=y"], {"A": "1", "PATH": "/a:/b", "C": "x=y"}),
        (("A=1",), {"A": "1"}),
        ({"A": "x:y", "N": 3, "F": 0.5}, {"A": "x:y", "N": "3", "F": "0.5"}),
    ],
)
def test_every_form_is_read(written: Any, environ: dict[str, str]) -> None:
    assert parse_environ(written) == environ


@pytest.mark.parametrize("nothing", [None, "", "  ", ":", {}, "{}", " {} ", [], ()])
def test_nothing_is_empty(nothing: Any) -> None:
    assert parse_environ(nothing) == {}


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("PATH=/a:/b", "'/b' is not VAR=VALUE"),
        ("URL=http://x?a=b", r"'//x\?a=b' is not VAR=VALUE"),
        ("=1", "'=1' is not"),
        ("A B=1", "'A B=1' is not"),
        ("justtext", "'justtext' is not"),
        ('{"A": ', "begins as JSON"),
        ('{"A": [1]}', "value of A is a list"),
        ({"A": None}, "value of A is a NoneType"),
        ({"": "1"}, "name is a text"),
        ({"A=B": "1"}, "name is a text"),
        ({1: "1"}, "name is a text"),
        ({"A": "x\0"}, "NUL"),
        (["A"], "not VAR=VALUE"),
        (["=x"], "name is a text"),
        ([("A", "1")], "not VAR=VALUE"),
        (7, "it is a int"),
    ],
)
def test_unreadable_forms_are_refused_with_the_right_one(written: Any, why: str) -> None:
    with pytest.raises(UsageError, match=why) as refused:
        parse_environ(written)
    assert 'as in {"A": "x:y"}' in str(refused.value)


def test_long_text_is_cut_in_the_message() -> None:
    with pytest.raises(UsageError) as refused:
        parse_environ("x" * 100_000)
    assert len(str(refused.value)) < 600


@pytest.mark.parametrize(
    ("environ", "text"),
    [({"A": "1", "B": ""}, "A=1:B="), ({}, ""), ({"A": "x:y"}, '{"A": "x:y"}'), ({"é": "1"}, '{"é": "1"}')],
)
def test_text_is_the_colon_form_where_that_holds_everything(environ: dict[str, str], text: str) -> None:
    assert format_environ(environ) == text


@given(st.dictionaries(NAMES, TEXTS, max_size=5))
def test_what_is_written_is_read_back(environ: dict[str, str]) -> None:
    assert parse_environ(format_environ(environ)) == environ


@given(st.dictionaries(NAMES, TEXTS, max_size=5))
def test_list_of_pairs_holds_every_value(environ: dict[str, str]) -> None:
    assert parse_environ([f"{name}={value}" for name, value in environ.items()]) == environ
