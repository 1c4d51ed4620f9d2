"""Bring the way to a remote database up, and keep `server-info` telling of it; nothing is logged in twice.

The connection goes to the host that the user has named. Where the server runs on another of the site's hosts
(its `server-info` says so), a second one goes through the first, since servers listen on their own host only.
"""

import json
import shlex
from dataclasses import asdict, dataclass, replace

from balsam.exceptions import ConflictError, DatabaseError, DatabaseUnreachable, NoDatabaseError
from balsam.lib.atomic import write_atomically
from balsam.postgres.addresses import is_free, next_free_port
from balsam.postgres.connecting import answers_on_tcp
from balsam.postgres.serverinfo import ServerInfo, server_info_text, write_server_info
from balsam.remote.control_dir import control_path
from balsam.remote.destination import Destination
from balsam.remote.prompts import Prompts
from balsam.remote.registry import Remote
from balsam.remote.ssh import Master

#: Before it, a login shell may print anything.
_BEGIN = "BALSAM-SERVER-INFO"
_STATE = "tunnel.json"


@dataclass(frozen=True)
class Tunnel:
    """What leads where: ``local_port`` of this machine to ``port`` of ``host``; all 0 and "": nowhere."""

    local_port: int = 0
    host: str = ""
    port: int = 0


def read_tunnel(remote: Remote) -> Tunnel:
    """Return the tunnel that was opened last; one that cannot be read counts as none."""
    try:
        return Tunnel(**json.loads((remote.directory / _STATE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return Tunnel()


def login_master(remote: Remote) -> Master:
    """The connection to the host that the user has named."""
    return Master(remote.destination, control_path(remote.directory, "login"))


def hop_master(remote: Remote, host: str) -> Master:
    """The connection to another host of the site, through that one."""
    destination = Destination(host, remote.destination.path, remote.destination.user)
    return Master(destination, control_path(remote.directory, "hop"), via=login_master(remote))


def bring_up(remote: Remote, prompts: Prompts) -> Tunnel:
    """Have the tunnel lead to where the server is now, and `server-info` to the tunnel.

    May be called at any time: what is right is left alone. Raises LoginRefusedError, DatabaseUnreachable,
    NoDatabaseError, DatabaseError, ConflictError or ConfigError. It is not asked whether the server runs.
    """
    login = login_master(remote)
    is_new = not login.is_open()
    if is_new:
        hop_master(remote, "").close()  # it went through the one that has died
        login.open(prompts)
    answered_by, info = fetch(remote, login)
    end = login
    if info.host not in ("", "localhost", answered_by):
        end = hop_master(remote, info.host)
        if read_tunnel(remote).host != info.host:
            end.close()
        if not end.is_open():
            is_new = True
            _open_hop(end, prompts, info, answered_by)
    tunnel = _lead(remote, end, info, is_new)
    write_copy(remote, info, tunnel)
    return tunnel


def is_answered(tunnel: Tunnel) -> bool:
    """Say whether a server speaks at the other end."""
    return answers_on_tcp(ServerInfo("localhost", tunnel.local_port))


def take_down(remote: Remote) -> bool:
    """End the connections; False if there were none."""
    masters = [hop_master(remote, ""), login_master(remote)]
    was_open = masters[-1].is_open()
    for master in masters:
        master.close()
    return was_open


def fetch(remote: Remote, login: Master) -> tuple[str, ServerInfo]:
    """Read the `server-info` over there; returns the name of the host that answered, too."""
    path = f"{remote.destination.path}/server-info"
    word = shlex.quote(path if path.startswith("/") else f"./{path}")
    # where it is somebody else's, the one made for this user
    done = login.run(f"echo {_BEGIN}; uname -n; cat {word} || cat {word}-`id -un`")
    _, begun, printed = done.stdout.partition(f"{_BEGIN}\n")
    host, _, text = printed.partition("\n")
    if not begun or done.returncode != 0:
        raise _unreadable(remote.destination, done.stderr)
    try:
        document = json.loads(text)
        return host.strip().partition(".")[0], ServerInfo.from_json(document)
    except (ValueError, AttributeError) as error:
        raise DatabaseError(
            f"Cannot understand {path} on {remote.destination.host}: {error}\n"
            "On that host, `balsam init` of the directory says how to mend it."
        ) from error


def write_copy(remote: Remote, info: ServerInfo, tunnel: Tunnel) -> None:
    """Write the `server-info` of this side, unless it says the same already; unknown keys are kept."""
    extra = {**info.extra, "remote": remote.name, "remote_host": info.host}
    copy = replace(info, host="localhost", port=tunnel.local_port, socket_dir="", pg_bin="", extra=extra)
    path = remote.directory / "server-info"
    if not path.exists() or path.read_text(encoding="utf-8") != server_info_text(copy):
        write_server_info(remote.directory, copy)


def _open_hop(end: Master, prompts: Prompts, info: ServerInfo, answered_by: str) -> None:
    try:
        end.open(prompts)
    except DatabaseUnreachable as error:
        raise DatabaseUnreachable(
            f"The server runs on host {info.host}, and {answered_by}, which answered, does not lead there.\n"
            f"{error}"
        ) from error


def _lead(remote: Remote, end: Master, info: ServerInfo, is_new: bool) -> Tunnel:
    """Have a port of this machine lead to the server's."""
    before = read_tunnel(remote)
    tunnel = Tunnel(before.local_port, info.host, info.port)
    if not is_new and tunnel == before and not is_free(before.local_port):
        return before
    if before.local_port:
        for master in (login_master(remote), hop_master(remote, before.host)):
            master.cancel_forward(before.local_port, before.port)
    tunnel = replace(tunnel, local_port=_local_port(remote, before, info))
    end.forward(tunnel.local_port, tunnel.port)
    write_atomically(remote.directory / _STATE, json.dumps(asdict(tunnel)) + "\n")
    return tunnel


def _local_port(remote: Remote, before: Tunnel, info: ServerInfo) -> int:
    """Choose this machine's end: what was asked for, else that of last time, else the server's."""
    if remote.local_port:
        if not is_free(remote.local_port):
            raise ConflictError(
                f"Port {remote.local_port} of this machine is taken by another program.\n"
                f"End that, or choose another: `balsam remote connect {remote.name} --local-port N`"
                " (0: any that is free)."
            )
        return remote.local_port
    return next_free_port(before.local_port or info.port)


def _unreadable(destination: Destination, said: str) -> DatabaseError:
    where = f"{destination.path} on {destination.host}"
    first = said.strip().partition("\n")[0] or "it printed nothing"
    if "denied" in first:
        return DatabaseError(
            f"Cannot read server-info in {where}: {first}\n"
            "It is somebody else's database: ask the owner to let you in, by `balsam server --add-user YOU`."
        )
    return NoDatabaseError(
        f"No database at {where}: {first}\n"
        f"Look with `ssh {destination.login} ls {shlex.quote(destination.path)}`; `balsam which --list` on"
        " that host shows its databases."
    )
