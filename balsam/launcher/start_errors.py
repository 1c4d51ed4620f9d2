"""Say why a process could not be started: what failed, why, and what to do about it."""

import errno
import os
import stat
from collections.abc import Mapping, Sequence

from balsam.exceptions import JobStartError
from balsam.launcher.executables import is_file

__all__ = [
    "is_script",
    "is_transient",
    "not_executed",
    "short_of_resources",
    "unusable_output",
    "unusable_text",
    "unusable_workdir",
]

#: The machine is short of processes, memory or file descriptors, or somebody is writing the program.
_TRANSIENT = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY, errno.EINTR})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def is_transient(error: Exception) -> bool:
    """Say whether the same start may succeed when something else has ended."""
    return isinstance(error, OSError) and error.errno in _TRANSIENT


def short_of_resources(name: str, error: OSError) -> JobStartError:
    """Explain that the machine refuses another process."""
    return JobStartError(
        f"Cannot start a process for {name!r}: {_cause(error)}. The system grants no more processes, memory "
        "or open files; see `ulimit -a` and close something, or ask for fewer jobs at once."
    )


def unusable_workdir(workdir: str, error: OSError | ValueError) -> JobStartError:
    """Explain why a working directory can be neither entered nor created."""
    return JobStartError(f"Cannot use the working directory {workdir!r}: {_cause(error)}. {_advice(error)}")


def unusable_output(workdir: str, name: str, error: OSError | ValueError) -> JobStartError:
    """Explain why the output file cannot be written."""
    path = os.path.join(workdir, name)
    if isinstance(error, OSError) and error.errno == errno.ENXIO:
        cause = "it is a pipe or socket that nobody reads"
    else:
        cause = _cause(error)
    return JobStartError(f"Cannot write the output file {path!r}: {cause}. {_advice(error)}")


def unusable_text(argv: Sequence[str], environ: Mapping[str, str], error: Exception) -> JobStartError:
    """Explain which argument or environment variable the system cannot pass on."""
    bad_words = [word for word in argv if "\0" in word]
    bad_names = [name for name in environ if "=" in name or "\0" in name + environ[name] or not name]
    if bad_words:
        what = f"the argument {bad_words[0]!r} holds a NUL character"
    elif bad_names:
        what = f"the environment variable {bad_names[0]!r} has a name or value that cannot be set"
    else:
        what = str(error)
    return JobStartError(f"Cannot start {_shown(argv)}: {what}. Correct the job's command or environment.")


def not_executed(path: str, argv: Sequence[str], error: OSError) -> JobStartError:
    """Explain why the system did not execute ``path`` (relative to the current directory)."""
    cause = _cause(error)
    advice = "Correct the application's executable."
    if error.errno == errno.ENOENT and is_file(path):
        interpreter = read_interpreter(path)
        cause = f"its first line asks for the interpreter {interpreter!r}, which does not exist"
        if interpreter.endswith("\r"):
            advice = f"Its lines end as on Windows; convert it with `sed -i 's/\\r$//' {path}`."
    elif error.errno in (errno.ENOENT, errno.ENOTDIR):
        cause = f"there is no such file (looked for from {_here()})"
        advice = "Give the application's executable with its full path."
    elif error.errno == errno.EACCES:
        cause, advice = _denied(path)
    elif error.errno == errno.E2BIG:
        size = sum(len(word) + 1 for word in argv)
        cause = f"arguments ({size} characters) and environment are larger than the system passes on"
        advice = "Put long values into a file in the working directory."
    elif error.errno == errno.ENOEXEC:
        cause = "it is no program for this machine"
    return JobStartError(f"Cannot start {_shown(argv)}: {path}: {cause}. {advice}")


def read_interpreter(path: str) -> str:
    """Return the program that the ``#!`` line of a script names, or an empty text."""
    try:
        with open(path, "rb") as script:
            first_line = script.read(256).split(b"\n")[0]
    except OSError:
        return ""
    words = first_line[2:].strip(b" \t").split(b" ") if first_line.startswith(b"#!") else [b""]
    return words[0].decode(errors="replace")


def is_script(path: str) -> bool:
    """Say whether ``path`` is text that a shell may try to run."""
    try:
        with open(path, "rb") as script:
            return b"\0" not in script.read(256).split(b"\n")[0]
    except OSError:
        return False


def _denied(path: str) -> tuple[str, str]:
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return "a directory on the way may not be entered", "Give yourself access to its directories."
    if stat.S_ISDIR(mode):
        return "it is a directory", "Give the program inside it."
    if not os.access(path, os.X_OK):
        return "it is not executable", f"Make it so with `chmod +x {path}`."
    return "it may not be executed", "Its interpreter or file system (noexec) forbids it."


def _cause(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        where = f" ({error.filename})" if isinstance(error.filename, str) else ""
        return os.strerror(error.errno).lower() + where
    return str(error)


def _advice(error: Exception) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number in _FULL:
        return "Free some space, then run the job again."
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "Give yourself write access, or set the job's user_workdir to another directory."
    if number == errno.ENAMETOOLONG:
        return "Give the job and its workflow shorter names."
    return "Move what is in the way, or set the job's user_workdir to another directory."


def _shown(argv: Sequence[str]) -> str:
    text = " ".join(argv)
    return repr(text if len(text) <= 200 else text[:200] + "…")


def _here() -> str:
    try:
        return os.getcwd()
    except OSError:
        return "a directory that was removed"
