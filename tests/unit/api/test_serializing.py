"""Values, exceptions and classes as text: they come back as they were, and only where they may."""

import ast
import math
import random
from pathlib import Path

import pytest

import balsam
from balsam.api.serializing import RemoteError, dump, dump_exception, is_plain, load, load_exception
from balsam.exceptions import UsageError


@pytest.mark.parametrize("value", [None, True, 0, -(2**80), 1.5, "", "ü\n", [], [1, ["x", None]]])
def test_value_that_a_database_gives_back_as_it_was_is_plain(value: object):
    assert is_plain(value)


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -0.0, 1e16, 1e-7, "\0", "\udcff", (), {}, {1}, b"", [()], type("T", (str,), {})()],
)
def test_value_that_would_come_back_changed_is_not_plain(value: object):
    assert not is_plain(value)


@pytest.mark.parametrize("value", [None, (1, {2: b"\0"}), lambda: 7, math.inf])
def test_any_value_comes_back(value: object):
    back = load(dump(value, "It"))
    assert back() == 7 if callable(value) else back == value


def test_value_that_cannot_be_sent_is_named():
    with pytest.raises(UsageError, match=r"The result cannot be serialized: TypeError"):
        dump((x for x in "ab"), "The result")
    with pytest.raises(UsageError, match=r"The result.*512000 fit"):
        dump(random.randbytes(500_000), "The result")


def raised(error: Exception) -> Exception:
    """Return an exception that has been raised."""
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


def test_exception_comes_back_with_its_traceback_as_the_cause():
    back = load_exception(dump_exception(raised(KeyError("k"))))
    assert type(back) is KeyError and back.args == ("k",)
    assert isinstance(back.__cause__, RemoteError) and "raise error" in str(back.__cause__)


class Odd(Exception):
    """Cannot be made again from its arguments."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__("odd")


@pytest.mark.parametrize(
    "error", [Odd(1, 2), ValueError(x for x in "ab"), ValueError(random.randbytes(500_000))]
)
def test_exception_that_cannot_be_sent_is_told(error: Exception):
    back = load_exception(dump_exception(raised(error)))
    assert isinstance(back, RemoteError) and "raise error" in str(back)


def test_classes_are_read_only_for_the_programs_that_run_them():
    """D8 of the architecture: what lists and submits must not run the code of applications."""
    root = Path(balsam.__file__).parent
    readers = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) else []
            if {"load_class", "read_class", "instance_for"}.intersection(names):
                readers.add(str(path.relative_to(root)))
    api = {"api/app_classes.py", "api/current_job.py", "api/hook.py", "api/run_app.py"}
    assert readers == {*api, "launcher/warm_server.py"}
