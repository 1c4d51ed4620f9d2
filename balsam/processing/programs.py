"""Turn the text of a hook into a program and its arguments, without a shell.

Whatever is wrong with the text is a StepError that says what to write instead.
"""

import os
import shlex
from collections.abc import Iterator, Mapping

from balsam.exceptions import StepError
from balsam.lib.own_python import with_own_python

__all__ = ["find_program", "is_text", "split_command"]


def split_command(text: str) -> list[str]:
    """Split a command as a shell does, with ``~`` expanded at the start of each word; [] for a blank one.

    Nothing else of a shell is understood: no variables, pipes or ``&&``.
    """
    try:
        split = shlex.split(text)
    except ValueError as error:
        raise StepError(
            f"Cannot read the command {text!r}: {str(error).lower()}. "
            "Close the quotation, or put a backslash before a quote that is meant as such."
        ) from error
    return with_own_python([os.path.expanduser(word) for word in split])


def find_program(word: str, environ: Mapping[str, str], workdir: str) -> str:
    """Return the path of the program that ``word`` names, as `PATH` of ``environ`` says.

    Looked for also in, and relative to, the job's working directory and then this process's current one.
    Raises StepError when there is none, or none that may be executed.
    """
    files = [path for path in _candidates(word, environ, workdir) if os.path.isfile(path)]
    for path in files:
        if os.access(path, os.X_OK):
            return path
    if files:
        advice = f"Make it so with `chmod +x {files[0]}`"
        if files[0].endswith(".py"):
            advice += f", or write `python {files[0]}`"
        raise StepError(f"Cannot start {word!r}: {files[0]} is not executable. {advice}.")
    where = f"relative to {workdir} or {_here()}"
    if "/" not in word:
        where = f"on PATH ({environ.get('PATH', os.defpath)}), in {workdir} or in {_here()}"
    raise StepError(f"Cannot start {word!r}: there is no such program {where}. Give its full path.")


def is_text(path: str) -> bool:
    """Say whether a file that is no program is text, which a shell may run."""
    try:
        with open(path, "rb") as file:
            return b"\0" not in file.read(256)
    except OSError:
        return False


def _candidates(word: str, environ: Mapping[str, str], workdir: str) -> Iterator[str]:
    if "/" not in word:
        for directory in environ.get("PATH", os.defpath).split(os.pathsep):
            yield os.path.join(workdir, directory, word)
    yield os.path.join(workdir, word)
    yield os.path.join(_here(), word)


def _here() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return "/"
