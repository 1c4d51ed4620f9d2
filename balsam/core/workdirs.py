"""Where jobs run: a path on the server's side, whoever asks."""

import os
import uuid
from functools import lru_cache
from pathlib import Path

from balsam.core.active import active_db_path
from balsam.core.models.site import FIRST_SITE
from balsam.exceptions import NotFoundError


@lru_cache(maxsize=8)
def _site_path(db_path: Path) -> str:
    from balsam.core.models import Site

    return Site.objects.order_by("id").values_list("path", flat=True).first() or str(db_path)


def site_root(site_id: int = FIRST_SITE) -> str:
    """Return the directory of a site as its own host calls it; raises NotFoundError for an unknown one."""
    if site_id != FIRST_SITE:
        return _path_of(site_id)
    db_path = active_db_path()
    return str(db_path) if _is_here(db_path) else _site_path(db_path)


def _path_of(site_id: int) -> str:
    from balsam.core.models import Site

    path = Site.objects.filter(pk=site_id).values_list("path", flat=True).first()
    if path is None:
        raise NotFoundError(f"There is no site {site_id}. `balsam site ls` lists them.")
    return path


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


def workdir_of(
    job_id: uuid.UUID | str,
    name: str,
    workflow: str,
    user_workdir: str,
    root: str = "",
    *,
    below_data: str = "",
) -> str:
    """Return a job's working directory: ``<root>/data/<below_data>``, where that is given.

    Otherwise ``user_workdir`` if that is an existing directory, else
    ``<root>/data/[workflow/]<name>_<id8>``; blanks in the name become ``_``, and what a file name cannot
    hold likewise. A caller who gives ``root`` is on its machine.
    """
    if below_data:
        return f"{root or site_root()}/data/{below_data}"
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
