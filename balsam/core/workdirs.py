"""Where jobs run: a path on the server's side, whoever asks."""

import os
import uuid
from functools import lru_cache
from pathlib import Path

from balsam.core.active import active_db_path


@lru_cache(maxsize=8)
def _site_path(db_path: Path) -> str:
    from balsam.core.models import Site

    return Site.objects.order_by("id").values_list("path", flat=True).first() or str(db_path)


def site_root() -> str:
    """Return the database directory as its own host calls it."""
    db_path = active_db_path()
    return str(db_path) if _is_here(db_path) else _site_path(db_path)


def _is_here(db_path: Path) -> bool:
    """Say whether the database is on this machine; false where only its `server-info` was copied to."""
    return (db_path / "balsamdb").is_dir()


def _user_directory(user_workdir: str, *, is_here: bool) -> str:
    """Return the directory that a user has chosen; "" if it is none.

    That of another machine cannot be looked at, and counts if it is a full path.
    """
    if not is_here:
        return user_workdir if user_workdir.startswith("/") else ""
    path = os.path.expanduser(user_workdir)
    return os.path.abspath(path) if path and os.path.isdir(path) else ""


def workdir_of(job_id: uuid.UUID | str, name: str, workflow: str, user_workdir: str, root: str = "") -> str:
    """Return a job's working directory.

    ``user_workdir`` if that is an existing directory, else ``<root>/data/[workflow/]<name>_<id8>``; blanks in
    the name become ``_``, and what a file name cannot hold likewise. A caller who gives ``root`` is on its
    machine.
    """
    if user_workdir:
        is_here = bool(root) or _is_here(active_db_path())
        if chosen := _user_directory(user_workdir, is_here=is_here):
            return chosen
    top = f"{root or site_root()}/data"
    safe = "_".join(name.replace("/", "_").split())
    short = str(job_id)[:8]
    group = "/".join(part for part in workflow.split("/") if part not in ("", ".", ".."))
    leaf = f"{safe}_{short}" if safe else short
    return f"{top}/{group}/{leaf}" if group else f"{top}/{leaf}"


def find(fragment: str) -> Path:
    """Return the working directory of the one job whose id contains ``fragment``.

    Raises NotFoundError or AmbiguousError.
    """
    from balsam.core.jobs import find_one

    return Path(find_one(fragment).working_directory)
