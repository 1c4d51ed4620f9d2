"""Launchers for tests: the real command, in the foreground or beside the test."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.commands import Finished, run_balsam, script_path


def run_launcher(*options: str, mode: str = "serial", timeout_sec: float = 120) -> Finished:
    """Run a launcher on all jobs until it leaves by itself."""
    where = () if any(option.startswith("--wf-filter") for option in options) else ("--consume-all",)
    return run_balsam("launcher", *where, f"--job-mode={mode}", *options, timeout_sec=timeout_sec)


@contextmanager
def launcher(*options: str, mode: str = "serial") -> Iterator["subprocess.Popen[str]"]:
    """A launcher in a process group of its own; what is left of it is killed at the end."""
    process = subprocess.Popen(
        [script_path("balsam"), "launcher", "--consume-all", f"--job-mode={mode}", *options],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def finish(process: "subprocess.Popen[str]", timeout_sec: float = 60) -> Finished:
    """Wait for a launcher to leave."""
    output, _ = process.communicate(timeout=timeout_sec)
    return Finished(process.returncode, output, "")


def script(directory: Path, name: str, text: str) -> Path:
    """Write an executable script."""
    path = directory / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def dag_script(directory: Path, name: str, text: str) -> Path:
    """Write an executable Python script, as users do for hooks; ``job`` is its job and ``dag`` the module."""
    head = f"#!{sys.executable}\nfrom balsam.launcher import dag\njob = dag.current_job\n"
    return script(directory, name, head + text)


def lines(path: Path) -> list[str]:
    """Lines of a file that may not be there yet."""
    return path.read_text().splitlines() if path.exists() else []
