"""The directory of a site: which site it is, and where its database or server is."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from balsam.exceptions import ConfigError
from balsam.lib.atomic import write_atomically

__all__ = ["SITE_FILE", "SiteDir", "find_site_dir", "read_site_dir", "write_site_file"]

#: In the directory of a site, and in no other.
SITE_FILE = ".balsam-site"


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteDir:
    """The directory of a site. ``database`` is a database directory; '' where a server is reached instead."""

    path: Path
    site_id: int
    database: str = ""
    #: Its address; '' where it is not known.
    server: str = ""


def find_site_dir() -> SiteDir | None:
    """Return the site of BALSAM_SITE_PATH, or else the one that the current directory is in; None outside.

    Raises ConfigError for a directory that says it is a site and cannot be read.
    """
    if chosen := os.environ.get("BALSAM_SITE_PATH"):
        return read_site_dir(Path(chosen))
    try:
        here = Path.cwd()
    except FileNotFoundError:
        return None
    for directory in (here, *here.parents):
        if (directory / SITE_FILE).is_file():
            return read_site_dir(directory)
    return None


def read_site_dir(directory: Path) -> SiteDir:
    """Read which site a directory is; raises ConfigError."""
    path = directory / SITE_FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        database, server = (str(values.get(name) or "") for name in ("database", "server"))
        return SiteDir(path=directory, site_id=int(values["site_id"]), database=database, server=server)
    except FileNotFoundError:
        raise ConfigError(
            f"{directory} is no site: it has no {SITE_FILE}. `balsam site init {directory}` makes one."
        ) from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"Cannot read {path}: {error!r}. `balsam site ls` tells the sites.") from error


def write_site_file(site: SiteDir) -> None:
    """Write which site a directory is."""
    text = json.dumps({"site_id": site.site_id, "database": site.database, "server": site.server})
    write_atomically(site.path / SITE_FILE, text + "\n", mode=0o440)
