"""Start the service as a process of its own that outlives the terminal, and wait until it is really up."""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from balsam.exceptions import BalsamError, ConflictError, LoginNeededError, UnreachableError, UsageError

__all__ = ["DATABASE", "SITE", "Started", "answer_error", "answer_started", "start_daemon"]

_ERRORS: dict[int, type[BalsamError]] = {
    error.exit_code: error
    for error in (BalsamError, UsageError, LoginNeededError, UnreachableError, ConflictError)
}


@dataclass(frozen=True, slots=True)
class Started:
    """A service that is up."""

    pid: int
    log: str


#: What is served: a database directory, or a site.
DATABASE, SITE = "database", "site"


def start_daemon(directory: Path, kind: str = DATABASE) -> Started:
    """Start the service of a directory and return when it is up; raises BalsamError with its own words.

    It has a session of its own, so that nothing of the terminal reaches it. Until it is up, what it prints
    comes to this process's stderr; then that goes to its log.
    """
    environ = dict(os.environ)
    if kind == DATABASE:
        environ["BALSAM_DB_PATH"] = str(directory)
    read, write = os.pipe()
    with open(read, encoding="utf-8") as answers:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "balsam.agent", str(write), kind],
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            pass_fds=[write],
            cwd=directory,
            env=environ,
            start_new_session=True,
        )
        os.close(write)
        try:
            answer = answers.readline()
        except KeyboardInterrupt:
            process.terminate()
            raise
    if not answer:
        code = process.wait()
        raise BalsamError(f"The service has not started: its process ended with {code}. Nothing runs.")
    return _read_answer(json.loads(answer))


def answer_started(descriptor: int, log_path: Path) -> None:
    """Tell the starter that the service is up; what this process prints goes to the log from now on."""
    log = os.open(log_path, os.O_WRONLY | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    _answer(descriptor, asdict(Started(os.getpid(), str(log_path))))


def answer_error(descriptor: int, error: BalsamError) -> None:
    """Tell the starter why the service does not start; one that was started already has nobody to tell."""
    _answer(descriptor, {"error": str(error), "exit_code": error.exit_code})


def _answer(descriptor: int, document: dict[str, Any]) -> None:
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(json.dumps(document) + "\n")


def _read_answer(document: dict[str, Any]) -> Started:
    if "error" in document:
        raise _ERRORS.get(document["exit_code"], BalsamError)(document["error"])
    return Started(**document)
