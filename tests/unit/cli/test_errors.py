"""What errors tell the user, and with which exit code."""

import click
import django.db
import pytest

from balsam.cli import errors
from balsam.exceptions import NotFoundError


def test_balsam_error_is_its_message_and_its_exit_code(capsys: pytest.CaptureFixture[str]):
    assert errors.report(NotFoundError("No job starts with abc.")) == 3
    assert capsys.readouterr().err == "No job starts with abc.\n"


def test_usage_error_exits_with_2(capsys: pytest.CaptureFixture[str]):
    assert errors.report(click.UsageError("Bad.")) == 2
    assert "Bad." in capsys.readouterr().err


def test_lost_database_exits_with_6_and_says_what_to_type(capsys: pytest.CaptureFixture[str]):
    assert errors.report(django.db.OperationalError("server closed the connection\nreally")) == 6
    err = capsys.readouterr().err
    assert "server closed the connection" in err
    assert "balsam server --connect" in err


def test_missing_table_asks_for_a_migration(capsys: pytest.CaptureFixture[str]):
    assert errors.report(django.db.ProgrammingError("no such table")) == 6
    assert "balsam init" in capsys.readouterr().err


def test_interrupt_is_quiet(capsys: pytest.CaptureFixture[str]):
    assert errors.report(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == ""


def test_unexpected_error_is_two_lines_without_a_traceback(capsys: pytest.CaptureFixture[str]):
    assert errors.report(ZeroDivisionError("division by zero")) == 1
    err = capsys.readouterr().err
    assert err.startswith("Unexpected error: ZeroDivisionError: division by zero\n")
    assert "--debug" in err
    assert "Traceback" not in err


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]):
    errors.report(ZeroDivisionError("x"), debug=True)
    assert "ZeroDivisionError: x" in capsys.readouterr().err.splitlines()[0]


def test_variable_shows_the_traceback(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(errors.TRACEBACK_VARIABLE, "1")
    try:
        raise ZeroDivisionError("x")
    except ZeroDivisionError as error:
        errors.report(error)
    assert "Traceback (most recent call last)" in capsys.readouterr().err
