"""What lies where in a database directory.

The name of every file and folder is said here and nowhere else.
"""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

#: Working directories of jobs, logs of launchers, and generated batch scripts.
USER_FOLDERS = ("data", "log", "qsubmit")


@dataclass(frozen=True)
class Layout:
    """The paths inside the database directory ``root``."""

    root: Path

    @property
    def server_info(self) -> Path:
        """Where the server is, and the credential to reach it."""
        return self.root / "server-info"

    def user_info(self, user: str) -> Path:
        """Return the `server-info` of a user whom the owner has let in."""
        return self.root / f"server-info-{quote(user, safe='')}"

    @property
    def data_dir(self) -> Path:
        """The cluster (PGDATA)."""
        return self.root / "balsamdb"

    @property
    def unfinished_data_dir(self) -> Path:
        """A cluster while it is being made; it gets its real name when it is complete."""
        return self.root / "balsamdb.unfinished"

    @property
    def admin_password(self) -> Path:
        """Password of the cluster's superuser."""
        return self.root / ".admin-password"

    @property
    def owner_record(self) -> Path:
        """The process that runs the server, or is starting it."""
        return self.root / ".server-owner"

    @property
    def lock(self) -> Path:
        """Held, for moments, by a process that starts or stops the server."""
        return self.root / ".server-lock"

    @property
    def socket_dir(self) -> Path:
        """The server's socket, where the path is short enough for one."""
        return self.root / ".socket"

    @property
    def startup_log(self) -> Path:
        """What the server says before its own log is open."""
        return self.root / "postgres.log"

    @property
    def server_log_dir(self) -> Path:
        """The server's own log files, one for each day of the week."""
        return self.data_dir / "log"

    @property
    def has_cluster(self) -> bool:
        """A complete cluster is here, perhaps another user's; false with only a copied `server-info`."""
        try:
            return (self.data_dir / "PG_VERSION").exists()
        except PermissionError:
            return True
