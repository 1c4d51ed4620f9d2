"""The server of one database directory, as the rest of Balsam sees it.

At most one server runs on a directory, whoever asks; and nothing here ends a server but `stop` and `reset`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from balsam.exceptions import ConflictError, DatabaseError, DatabaseUnreachable
from balsam.postgres import ownership
from balsam.postgres.accounts import check_may_control, may_control
from balsam.postgres.addresses import discard_socket_dir
from balsam.postgres.connecting import answers_on_socket, answers_on_tcp, is_copy, is_this_host
from balsam.postgres.control import stop_server
from balsam.postgres.creation import create_database_dir
from balsam.postgres.layout import Layout
from balsam.postgres.locking import only_one
from balsam.postgres.postmaster import clear_remains, read_pid_file, running_postmaster
from balsam.postgres.serverinfo import ServerInfo, read_server_info
from balsam.postgres.starting import bring_up


@dataclass(frozen=True)
class Status:
    """What can be seen of a server from here; ``pid`` is None where it runs elsewhere or not at all."""

    db_path: Path
    is_running: bool
    host: str
    port: int
    socket_dir: str
    pid: int | None


class Cluster:
    """The server of the database directory ``db_path``."""

    def __init__(self, db_path: Path) -> None:
        self._layout = Layout(Path(db_path).expanduser().resolve())

    @property
    def db_path(self) -> Path:
        """The directory, without symbolic links."""
        return self._layout.root

    def init(self, migrate: Callable[[Path], None] | None = None) -> bool:
        """Make the database, or keep the one that is there; True if it was made.

        ``migrate`` is called with the directory while the server runs. Afterwards the server is as it was:
        stopped, unless it ran before. Raises UsageError or DatabaseError.
        """
        is_new = create_database_dir(self._layout)
        if migrate is not None:
            started = self.ensure_running()
            try:
                migrate(self.db_path)
            finally:
                if started:
                    self.stop()
        return is_new

    def ensure_running(self, *, force_takeover: bool = False) -> bool:
        """Return at once if the server answers, else start it; True if it was started here.

        Many processes may call this at once. Where only a `server-info` was copied to, nothing is started.
        ``force_takeover`` starts it even if another host is recorded as running it, which destroys the
        database if that is true. Raises DatabaseUnreachable, ConflictError or DatabaseError.
        """
        info = read_server_info(self.db_path)
        if not self._layout.has_cluster:
            return _check_remote(info)
        if self._answers(info):
            return False
        check_may_control(self._layout.data_dir)
        with only_one(self._layout.lock):
            return bring_up(self._layout, force_takeover=force_takeover)

    def revive(self) -> bool:
        """As `ensure_running`, but a server that was stopped in order stays so.

        Raises DatabaseUnreachable in that case.
        """
        info = read_server_info(self.db_path)
        if self._answers(info):
            return False
        if self._is_ours() and ownership.read_owner(self._layout.owner_record) is None:
            raise DatabaseUnreachable(
                f"The server of {self.db_path} has been stopped.\nStart it with `balsam server --connect`."
            )
        return self.ensure_running()

    def stop(self) -> bool:
        """End the server, cutting off its clients; False if none runs.

        Raises ConflictError when another host runs it, DatabaseError when it does not end: the records then
        still say that it runs.
        """
        layout = self._layout
        if not layout.has_cluster:
            return False
        check_may_control(layout.data_dir)
        with only_one(layout.lock):
            pid = running_postmaster(layout.data_dir)
            if pid is None:
                self._check_not_elsewhere()
                clear_remains(layout.data_dir)
            else:
                self._stop(pid)
            ownership.release(layout.owner_record)
            return pid is not None

    def reset(self) -> None:
        """Stop the server and start it again."""
        self.stop()
        self.ensure_running()

    def status(self) -> Status:
        """Say what can be seen of the server; starts nothing. Raises NoDatabaseError or DatabaseError."""
        info = read_server_info(self.db_path)
        pid = running_postmaster(self._layout.data_dir) if self._is_ours() else None
        is_running = pid is not None or self._answers(info)
        return Status(self.db_path, is_running, info.host, info.port, info.socket_dir, pid)

    def _is_ours(self) -> bool:
        return self._layout.has_cluster and may_control(self._layout.data_dir)

    def _answers(self, info: ServerInfo) -> bool:
        """Say whether the server runs; on its own host, its owner looks only where nobody else can listen."""
        if is_copy(self.db_path, info):
            return False
        if is_this_host(info.host) and may_control(self._layout.data_dir):
            return answers_on_socket(info)
        return answers_on_tcp(info)

    def _stop(self, pid: int) -> None:
        layout = self._layout
        said = read_pid_file(layout.data_dir)
        stop_server(layout, pid)
        if said is not None:
            discard_socket_dir(Path(said.socket_dir), layout.socket_dir)

    def _check_not_elsewhere(self) -> None:
        owner = ownership.read_owner(self._layout.owner_record)
        if owner is not None and ownership.is_elsewhere(owner):
            raise ConflictError(
                f"The server of {self.db_path} is recorded as running on host {owner.process.host}.\n"
                f"It can be stopped only there: on {owner.process.host}, run `balsam server --stop`."
            )


def _check_remote(info: ServerInfo) -> bool:
    """Say that nothing was started; raises DatabaseUnreachable where the server does not answer."""
    if answers_on_tcp(info):
        return False
    where = f"Nothing answers at {info.host or 'localhost'}, port {info.port}"
    if remote := info.extra.get("remote"):
        raise DatabaseUnreachable(
            f"{where}: the tunnel is closed, or no server runs at its other end.\n"
            f"`balsam remote connect {remote}` opens it, and says what is wrong."
        )
    if info.owner:
        raise DatabaseUnreachable(
            f"{where}: the server of {info.db_path} is down or has moved, and its owner, {info.owner}, alone"
            f" starts it.\nAsk {info.owner} to run `balsam server --connect`; on another host than the"
            " server's, open a tunnel to that."
        )
    raise DatabaseUnreachable(
        f"{where}; this directory holds only the `server-info` of a database elsewhere.\n"
        "Open the tunnel to its host, or run `balsam server --connect` there."
    )


def check_is_here(db_path: Path) -> None:
    """Raise DatabaseError where only the `server-info` of a database elsewhere is: nothing to stop."""
    if not Layout(db_path).has_cluster:
        info = read_server_info(db_path)
        where = info.extra.get("remote_host") or info.host
        host = f" on host {where}" if where else ""
        raise DatabaseError(
            f"{db_path} holds only the `server-info` of a database elsewhere ({info.db_path}{host}).\n"
            f"Its server is started and stopped there, by its owner{', ' if info.owner else ''}{info.owner}."
        )
