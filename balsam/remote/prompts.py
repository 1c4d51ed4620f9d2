"""Who answers when ssh asks for a password or a code: the person at the terminal, a program, or nobody.

A program gets the question as its only argument and prints the answer; that is how ssh itself calls one
(SSH_ASKPASS), so nothing has to be read off a screen, and no answer passes through Balsam.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field

from balsam.exceptions import ConfigError


@dataclass(frozen=True)
class Prompts:
    """Options for ssh, changes of its environment, and how it is started.

    ``own_session``: without the terminal. ``limit_sec``: how long a login may take (None: as the user does).
    ``hint``: what to do where it is refused.
    """

    options: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    own_session: bool = False
    limit_sec: float | None = None
    hint: str = ""


#: The person at the terminal.
AT_TERMINAL = Prompts()
#: Nobody: keys and tickets only.
NOBODY = Prompts(
    ("-o", "BatchMode=yes"),
    own_session=True,
    limit_sec=60.0,
    hint="A remote that asks for passwords or codes is connected by you: `balsam remote connect NAME`.",
)


def prompts_for(program: str, *, is_attended: bool) -> Prompts:
    """Return who answers for a remote: ``program`` if it has one, else the user, if there is one."""
    if program:
        return answered_by(program)
    return AT_TERMINAL if is_attended else NOBODY


def answered_by(program: str) -> Prompts:
    """Let a program answer, once for each question; raises ConfigError where it cannot be run.

    It is not asked whether an unknown host may be trusted, and not again after a wrong answer: several of
    those close accounts.
    """
    environ = {
        "SSH_ASKPASS": find_program(program),
        "SSH_ASKPASS_REQUIRE": "force",
        # What an ssh older than 8.4 wants to see before it asks a program.
        "DISPLAY": os.environ.get("DISPLAY") or ":0",
    }
    options = ("-o", "NumberOfPasswordPrompts=1", "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=no")
    hint = "Look at what the program of --answer-with answered."
    return Prompts(options, environ, own_session=True, limit_sec=120.0, hint=hint)


def find_program(program: str) -> str:
    """Return the full path of the program that answers; raises ConfigError."""
    found = shutil.which(os.path.expanduser(program))
    if found is None:
        raise ConfigError(
            f"The program that answers ssh, {program!r}, is not an executable file.\n"
            "Give one with --answer-with PROGRAM: it gets the question as its argument and prints the answer."
        )
    return os.path.abspath(found)
