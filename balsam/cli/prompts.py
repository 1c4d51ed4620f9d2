"""Questions to the user: an end of input is a no, and never a loop."""

import sys

import click

from balsam.exceptions import BalsamError

_ANSWERS = {"y": True, "yes": True, "n": False, "no": False}


class NoAnswerError(BalsamError):
    """Nobody answered, so nothing was done."""

    exit_code = 2


def ask(question: str, otherwise: str) -> str:
    """Return the line that answers ``question``; input may come from a pipe.

    Raises NoAnswerError, with what to do ``otherwise``, where input ends without an answer.
    """
    click.echo(question, nl=False)
    sys.stdout.flush()
    answer = (sys.stdin.readline() if sys.stdin else "").strip()
    if not answer:
        click.echo("")
        raise NoAnswerError(f"Nobody answered: the input has ended, so nothing was done. {otherwise}.")
    return answer


def confirm(question: str, *, assume_yes: bool = False) -> bool:
    """Ask ``question`` until the answer is yes or no; input may come from a pipe.

    Raises NoAnswerError where input ends without an answer.
    """
    if assume_yes:
        return True
    while True:
        click.echo(f"{question} [y/n]: ", nl=False)
        sys.stdout.flush()
        answer = sys.stdin.readline() if sys.stdin else ""
        if not answer:
            click.echo("")
            raise NoAnswerError(
                "Nobody answered the question: the input has ended, so nothing was done.\n"
                "Answer y, or pass --yes to go on without it."
            )
        if (known := _ANSWERS.get(answer.strip().lower())) is not None:
            return known
