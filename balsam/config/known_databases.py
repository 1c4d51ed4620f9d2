"""The list of the user's databases: `databases.json` among the user's files.

Two commands that add to it at once both succeed; a list that cannot be read is never overwritten; and a
directory that has vanished is not shown, but stays in the list, since its file system may come back.
"""

import json
import os
from pathlib import Path

from balsam.config.home import balsam_home
from balsam.exceptions import AmbiguousError, ConfigError, NotFoundError
from balsam.lib.atomic import write_atomically
from balsam.lib.file_locks import file_lock

_PATIENCE_SEC = 30.0


def list_path() -> Path:
    """Path of the list."""
    return balsam_home() / "databases.json"


def known_databases() -> list[Path]:
    """Return the databases that exist, the active one among them, sorted; writes nothing.

    Raises ConfigError when the list cannot be read.
    """
    paths = {Path(name) for name in _read()}
    if active := os.environ.get("BALSAM_DB_PATH"):
        paths.add(Path(active).expanduser().resolve())
    return sorted(path for path in paths if _is_database(path))


def add(db_path: Path) -> None:
    """Put a database on the list. Raises ConfigError when the list cannot be read or written."""
    path = list_path()
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if str(db_path) in _read():
            return
        with file_lock(path.with_name(".databases.lock"), _PATIENCE_SEC):
            names = sorted({*_read(), str(db_path)})
            write_atomically(path, json.dumps(names, indent=1) + "\n")
    except OSError as error:
        raise ConfigError(
            f"Cannot add {db_path} to {path}: {error.strerror or error}.\nMake {path.parent} writable."
        ) from error


def find(wanted: str) -> Path:
    """Return the database at ``wanted``, or the only one so named, or the only one with that in its path.

    Raises NotFoundError or AmbiguousError, with what there is.
    """
    known = known_databases()
    exact = Path(wanted).expanduser()
    if exact.is_absolute() and _is_database(exact):
        return exact.resolve()
    named = [path for path in known if path.name == wanted]
    matches = named or [path for path in known if wanted in str(path)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise AmbiguousError(
            f"{wanted!r} matches {len(matches)} databases: {_names(matches)}.\nGive more of the path."
        )
    raise NotFoundError(
        f"No database matches {wanted!r}. Known: {_names(known) or 'none'}.\n"
        "Give its directory, or make one with `balsam init DIR`."
    )


def _read() -> list[str]:
    path = list_path()
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    if not isinstance(document, list) or not all(isinstance(name, str) for name in document):
        raise _unreadable(path, ValueError("it is not a list of paths"))
    return document


def _unreadable(path: Path, error: Exception) -> ConfigError:
    return ConfigError(
        f"Cannot read the list of databases, {path}: {error}.\n"
        "It was left as it is. Mend it, or move it away: `. balsamactivate DIR` adds DIR to a new one."
    )


def _is_database(path: Path) -> bool:
    try:
        return (path / "server-info").is_file()
    except OSError:
        return False


def _names(paths: list[Path]) -> str:
    return ", ".join(map(str, paths))
