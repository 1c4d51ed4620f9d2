"""The record of the process that runs a server, or is about to start it: `.server-owner`.

PostgreSQL's own guards do not see other hosts, and two servers on one shared directory destroy it. So nobody
starts a server while the record names a process that is not known to be dead.
"""

import json
import os
import secrets
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from balsam.exceptions import ConflictError
from balsam.lib.atomic import write_atomically
from balsam.lib.processes import ProcessIdentity, identify, is_alive, this_process
from balsam.postgres.postmaster import is_postmaster


@dataclass(frozen=True)
class Owner:
    """A process that runs the server (``is_starting`` False), or is starting it."""

    process: ProcessIdentity
    is_starting: bool


def read_owner(path: Path) -> Owner | None:
    """Return who is recorded; None if nobody is. Raises ConflictError when the record is damaged."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return Owner(ProcessIdentity(**document["process"]), bool(document["is_starting"]))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as error:
        raise ConflictError(
            f"Cannot tell whether another host runs this server: {path} is damaged ({error}).\n"
            "Make sure that none does, remove that file, and try again."
        ) from error


def is_elsewhere(owner: Owner) -> bool:
    """Say whether the process is one that cannot be seen from here."""
    return is_alive(_as_seen_here(owner.process)) is None


def claim(path: Path, data_dir: Path, *, force: bool = False) -> None:
    """Record this process as the one that starts the server on ``data_dir``.

    The caller holds the lock of this host. Raises ConflictError when another process that is not known to be
    dead is recorded; ``force`` overrides that.
    """
    text = _text(Owner(this_process(), is_starting=True))
    owner = read_owner(path)
    if owner is None:
        if not _create(path, text):
            raise ConflictError(
                f"Another host has just begun to start the server of {path.parent}.\n"
                "Try again in a moment: `balsam server --connect`."
            )
    elif force or owner.process == this_process() or not _may_run(owner, data_dir):
        write_atomically(path, text)
    else:
        raise _held(path, owner)


def hand_over(path: Path, server_pid: int) -> None:
    """Record the server's first process, now that it runs."""
    process = identify(server_pid)
    if process is not None:
        write_atomically(path, _text(Owner(process, is_starting=False)))


def release(path: Path) -> None:
    """Record that no server runs."""
    path.unlink(missing_ok=True)


def restore(path: Path, owner: Owner | None) -> None:
    """Record ``owner`` again, as it was before a start that failed."""
    if owner is None:
        release(path)
    else:
        write_atomically(path, _text(owner))


def _may_run(owner: Owner, data_dir: Path) -> bool:
    """Say whether the owner may be alive; a live process that is no server of ``data_dir`` is another's."""
    process = _as_seen_here(owner.process)
    alive = is_alive(process)
    if alive and not owner.is_starting:
        return is_postmaster(process.pid, data_dir)
    return alive is not False


def _as_seen_here(process: ProcessIdentity) -> ProcessIdentity:
    """Give this host's name to a process of this very boot: laptops change their names."""
    here = this_process()
    return replace(process, host=here.host) if process.boot_id == here.boot_id else process


def _text(owner: Owner) -> str:
    return json.dumps({"process": asdict(owner.process), "is_starting": owner.is_starting}) + "\n"


def _create(path: Path, text: str) -> bool:
    """Make the record complete in one step; False if another host was first."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    write_atomically(draft, text)
    try:
        os.link(draft, path)  # unlike a rename, it fails where the name exists, also on NFS and Lustre
    except FileExistsError:
        return False
    except OSError:  # no hard links here
        return _create_without_links(path, text)
    finally:
        draft.unlink()
    return True


def _create_without_links(path: Path, text: str) -> bool:
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True


def _held(path: Path, owner: Owner) -> ConflictError:
    process = owner.process
    doing = "being started" if owner.is_starting else "running"
    return ConflictError(
        f"The server of {path.parent} is recorded as {doing} on host {process.host} (process {process.pid}),"
        " and from here that cannot be checked. Two servers at once would destroy the database.\n"
        f"On {process.host}, run `balsam server --stop`; then start it here. Only if you are certain that the"
        f" process is gone for good: `balsam server --connect --force-takeover`."
    )
