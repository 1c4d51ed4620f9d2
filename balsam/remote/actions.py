"""What `balsam remote` does: add, list, connect, disconnect and remove remotes."""

from contextlib import suppress
from dataclasses import dataclass, replace

from balsam.config import known_databases
from balsam.exceptions import BalsamError, ConfigError, ConflictError, DatabaseUnreachable
from balsam.postgres.serverinfo import read_server_info
from balsam.remote import registry
from balsam.remote.destination import Destination
from balsam.remote.prompts import find_program, prompts_for
from balsam.remote.registry import Remote
from balsam.remote.tunnel import Tunnel, bring_up, is_answered, login_master, read_tunnel, take_down
from balsam.remote.watcher import (
    note_trouble,
    only_one,
    read_trouble,
    read_watcher,
    start_watcher,
    stop_watcher,
)


@dataclass(frozen=True)
class RemoteStatus:
    """A remote as it is now; ``state`` is connected, no server, lost, disconnected or damaged."""

    name: str
    destination: str
    state: str
    host: str
    local_port: int
    is_watched: bool
    trouble: str


def add(remote: Remote) -> Tunnel:
    """Write a remote down and connect it; one that cannot be connected is not kept.

    Raises UsageError or ConflictError for the name, and what `connect` raises.
    """
    registry.check_is_new(remote.name)
    try:
        return connect(remote)
    except BaseException:
        disconnect(remote)
        registry.forget(remote.name)
        raise


def connect(remote: Remote) -> Tunnel:
    """Open the tunnel, have it watched, and put the directory on the list of databases.

    Raises what `bring_up` raises; it is not asked whether the server runs.
    """
    if remote.answer_with:
        remote = replace(remote, answer_with=find_program(remote.answer_with))
    registry.save(remote)
    try:
        with only_one(remote):
            tunnel = bring_up(remote, prompts_for(remote.answer_with, is_attended=True))
            start_watcher(remote)
    except TimeoutError as error:
        raise ConflictError(
            f"Another process has been connecting {remote.name!r} for minutes.\n"
            f"See {remote.directory / 'tunnel.log'}, or `balsam remote disconnect {remote.name}`."
        ) from error
    known_databases.add(remote.directory)
    note_trouble(remote, "")
    return tunnel


def check_server(remote: Remote, tunnel: Tunnel) -> None:
    """Raise DatabaseUnreachable unless a server runs at the other end."""
    where = remote.destination
    if not is_answered(tunnel):
        raise DatabaseUnreachable(
            f"The tunnel is open, but no server runs at {where.path} on {tunnel.host or where.host}, port"
            f" {tunnel.port}, or that host forbids tunnels.\n"
            f"Start it: `ssh {where.login}`, then `. balsamactivate {where.path}` there. The tunnel will lead"
            " to it."
        )


def disconnect(remote: Remote) -> bool:
    """Close the tunnel and end its watcher; False if it was closed."""
    stop_watcher(remote)
    note_trouble(remote, "")
    return take_down(remote)


def remove(name: str) -> None:
    """Disconnect a remote and forget it, with its copy of the password. Raises NotFoundError."""
    try:
        remote = registry.load(name)
    except ConfigError:  # damaged: `add` has never written another directory of that name
        remote = Remote(name, Destination("unknown", "/"))
    disconnect(remote)
    registry.forget(name)


def status(name: str) -> RemoteStatus:
    """Say how a remote is; asks its connection, and nobody over there but the server."""
    try:
        remote = registry.load(name)
    except ConfigError as error:
        return RemoteStatus(name, "", "damaged", "", 0, False, str(error).replace("\n", " "))
    tunnel = read_tunnel(remote)
    is_watched = read_watcher(remote) is not None
    if login_master(remote).is_open():
        state = "connected" if is_answered(tunnel) else "no server"
    else:
        state = "lost" if is_watched else "disconnected"
    trouble = read_trouble(remote) if is_watched else ""
    host = tunnel.host
    with suppress(BalsamError):
        host = str(read_server_info(remote.directory).extra.get("remote_host", host))
    return RemoteStatus(name, str(remote.destination), state, host, tunnel.local_port, is_watched, trouble)
