"""Questions about addresses, names and passwords; passwords are never shown."""

import getpass
import sys
from urllib.parse import urlsplit

import click

from balsam.cli.prompts import NoAnswerError
from balsam.exceptions import UsageError
from balsam.lib.addresses import server_address

__all__ = ["address_of", "answer", "secret", "warn_if_in_the_clear"]


def answer(question: str, default: str = "") -> str:
    """Ask until there is an answer; raises NoAnswerError where input ends."""
    while True:
        click.echo(f"{question}{f' [{default}]' if default else ''}: ", nl=False)
        sys.stdout.flush()
        line = sys.stdin.readline() if sys.stdin else ""
        if not line:
            raise NoAnswerError(f"Nobody answered {question!r}: the input has ended. Give it as an option.")
        if text := line.strip() or default:
            return text


def secret(question: str) -> str:
    """Ask for a password, without showing it; from a pipe, read a line."""
    if sys.stdin.isatty():
        return getpass.getpass(f"{question}: ")
    line = sys.stdin.readline()
    if not line:
        raise NoAnswerError(f"Nobody answered {question!r}: the input has ended.")
    return line.rstrip("\n")


def warn_if_in_the_clear(address: str) -> None:
    """Say that a password can be read on its way to a server."""
    host = urlsplit(address).hostname
    if address.startswith("http://") and host not in ("localhost", "127.0.0.1", "::1"):
        click.echo("Note: this address is http, so the password travels in the clear.", err=True)


def address_of(text: str) -> str:
    """Return the address of a server; without a scheme it is https. Raises UsageError."""
    try:
        return server_address(text)
    except ValueError as error:
        raise UsageError(f"{error}.") from None
