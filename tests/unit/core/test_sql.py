"""Lists as PostgreSQL reads them, and statements as this project writes them."""

from importlib.resources import files

import pytest

from balsam.core import sql

STATEMENTS = sorted(
    path.name.removesuffix(".sql")
    for path in files("balsam.core.sql").iterdir()
    if path.name.endswith(".sql")
)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([], "{}"),
        (["a", "b"], '{"a","b"}'),
        (['"', "\\", "a,b", "{}", "NULL", ""], '{"\\"","\\\\","a,b","{}","NULL",""}'),
        ([1, None, 3], "{1,NULL,3}"),
        ([1.5, 2.0], "{1.5,2.0}"),
        ([True, False], "{True,False}"),
    ],
)
def test_a_list_is_written_as_an_array(values: list[object], text: str):
    assert sql.array(values) == text


@pytest.mark.parametrize("name", STATEMENTS)
def test_every_statement_says_what_it_does(name: str):
    assert sql.statement(name).startswith("-- ")


@pytest.mark.parametrize("name", STATEMENTS)
def test_every_statement_is_used(name: str):
    package = files("balsam.core")
    sources = list(package.rglob("*.py"))  # type: ignore[attr-defined]

    assert any(f'"{name}"' in path.read_text() or name.startswith("check_") for path in sources)
