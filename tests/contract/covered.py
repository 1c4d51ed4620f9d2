"""Find the tests that a list of promises names, so that none of them can go unnoticed."""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).parents[1]


class Promise(NamedTuple):
    """What is promised (or, what went wrong before it was), and the tests that fail if it is broken.

    A test is named as pytest does, below ``tests``: ``unit/lib/test_logs.py::test_x``; further names of the
    same file follow after blanks.
    """

    what: str
    tests: tuple[str, ...]


def missing_tests(named: Iterable[str]) -> list[str]:
    """Return those of the named tests that do not exist."""
    return [test for text in named for test in written_out(text) if not _exists(test)]


def written_out(text: str) -> Iterator[str]:
    """Name each test with its file."""
    path, _, names = text.partition("::")
    yield from (f"{path}::{name}" for name in names.split())


def _exists(test: str) -> bool:
    path, _, name = test.partition("::")
    return (TESTS / path).is_file() and name in _tests_of(TESTS / path)


@cache
def _tests_of(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    return frozenset(_functions(tree)) | {f"{c.name}::{name}" for c in classes for name in _functions(c)}


def _functions(parent: ast.Module | ast.ClassDef) -> list[str]:
    found = [node.name for node in parent.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [name for name in found if name.startswith("test_")]
