"""Find the MPI launcher of this machine: the one part of this package that runs anything."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from balsam.exceptions import ConfigError
from balsam.platform.mpirun.registry import NO_MPI, MpiLauncher, adapter_of, kind_of

__all__ = ["detect", "parse_version"]

_VERSION_TIMEOUT_SEC = 20


def detect(template: str = "auto") -> str:
    """Return the launcher that `MPI_RUN_TEMPLATE` asks for, in its text form; see `MpiLauncher`.

    ``auto`` takes the first on PATH, or beside the running Python, that is known, then srun inside a Slurm
    allocation. It is empty when there is none, or none is to be used. Raises ConfigError when a launcher is
    asked for that is not known or not installed.
    """
    if template == "auto":
        found = _find_any()
        return str(found) if found else ""
    kind = kind_of(template)
    return "" if kind == NO_MPI else str(_find(kind))


def _find_any() -> MpiLauncher | None:
    for executable in _installed(("mpiexec", "mpirun")):
        kind = parse_version(_version(executable))
        if kind:
            return MpiLauncher(kind, executable)
    if "SLURM_JOB_ID" in os.environ:
        return next((MpiLauncher("slurm", executable) for executable in _installed(("srun",))), None)
    return None


def _find(kind: str) -> MpiLauncher:
    adapter = adapter_of(kind)
    names = adapter.executables
    installed = {executable: parse_version(_version(executable)) for executable in _installed(names)}
    # of several MPIs each has an `mpiexec`; one that does not say whose it is may be a vendor's
    for told in (adapter.family, ""):
        for executable, told_kind in installed.items():
            if told_kind == told:
                return MpiLauncher(kind, executable)
    raise ConfigError(
        f"Cannot start parallel jobs: MPI_RUN_TEMPLATE asks for {kind}, and there is no {' or '.join(names)} "
        f"of it on PATH or in {_beside_python()}. "
        "Load its module, `pip install mpich`, or set MPI_RUN_TEMPLATE to auto."
    )


def parse_version(text: str) -> str:
    """Tell the kind of launcher from the output of ``mpiexec --version``; empty when it is not known."""
    if "HYDRA build details" in text or "Intel(R) MPI Library" in text:
        return "mpich"
    if "Open MPI" in text or "OpenRTE" in text:
        return "openmpi"
    return ""


def _installed(names: Sequence[str]) -> Iterator[str]:
    """Give all that are on PATH: one that `pip` has put first does not hide the machine's own."""
    on_path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    for directory in dict.fromkeys([*filter(None, on_path), str(_beside_python())]):
        for name in names:
            if executable := shutil.which(name, path=directory):
                yield os.path.abspath(executable)


def _beside_python() -> Path:
    """Return the directory where `pip install mpich` puts its commands, also when it is not on PATH."""
    return Path(sys.executable).parent


@lru_cache(maxsize=16)
def _version(executable: str) -> str:
    try:
        answer = subprocess.run(
            [executable, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_VERSION_TIMEOUT_SEC,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout + answer.stderr
