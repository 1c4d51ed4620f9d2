"""Bring a server up, once: whoever else wants it meanwhile waits, and finds it running.

`server-info` is written after the server has its port and takes connections. A start that fails leaves
neither a process nor a claim behind, and a server that has crashed still counts as one.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from balsam.exceptions import DatabaseError
from balsam.lib.processes import this_process
from balsam.postgres import ownership
from balsam.postgres.accounts import Account, choose_account
from balsam.postgres.addresses import is_free, next_free_port, prepare_socket_dir
from balsam.postgres.binaries import Binaries, cluster_major, find_binaries
from balsam.postgres.configuration import render_settings, write_settings
from balsam.postgres.connecting import is_copy, short_hostname
from balsam.postgres.control import StartFailed, start_server, wait_until_ready
from balsam.postgres.layout import Layout
from balsam.postgres.postmaster import clear_remains, read_pid_file, running_postmaster
from balsam.postgres.serverinfo import ServerInfo, read_server_info, write_server_info
from balsam.postgres.user_files import update_user_infos

#: Another program may take the port between the look and the server's start.
_PORT_ATTEMPTS = 20


def bring_up(layout: Layout, *, force_takeover: bool = False) -> bool:
    """Have the server run and `server-info` tell where; True if it was started here.

    The caller holds the lock. Raises ConflictError when another host may run it, DatabaseError when it cannot
    be started.
    """
    info = read_server_info(layout.root)
    running = running_postmaster(layout.data_dir)
    if running is not None and wait_until_ready(layout, running):
        _publish(layout, info)
        ownership.hand_over(layout.owner_record, running)
        return False
    with _claimed(layout, force_takeover):
        clear_remains(layout.data_dir)
        info, pid = _start(layout, info)
        ownership.hand_over(layout.owner_record, pid)
        _publish(layout, info)
    return True


@contextmanager
def _claimed(layout: Layout, force: bool) -> Iterator[None]:
    """Hold the right to start the server; if the start fails, the record is as before."""
    before = ownership.read_owner(layout.owner_record)
    ownership.claim(layout.owner_record, layout.data_dir, force=force)
    try:
        yield
    except BaseException:
        if running_postmaster(layout.data_dir) is None:
            ownership.restore(layout.owner_record, before)
        raise


def _start(layout: Layout, info: ServerInfo) -> tuple[ServerInfo, int]:
    """Start the server on its usual port, or on the next one that is free."""
    binaries = find_binaries(cluster_major(layout.data_dir), info.pg_bin)
    account = choose_account(layout.root, layout.data_dir, [binaries.bin_dir])
    account.own_tree(layout.data_dir)
    info = replace(info, pg_bin=str(binaries.bin_dir))
    for _ in range(_PORT_ATTEMPTS):
        info = replace(info, port=next_free_port(info.port))
        try:
            return info, _start_on(layout, binaries, account, info.port)
        except StartFailed:
            if is_free(info.port):  # so that was not the reason
                raise
    raise DatabaseError(
        f"The server of {layout.root} found no free port in {_PORT_ATTEMPTS} attempts, last {info.port}.\n"
        "Other programs take them as fast as they are chosen. Try again."
    )


def _start_on(layout: Layout, binaries: Binaries, account: Account, port: int) -> int:
    socket_dir = prepare_socket_dir(layout.socket_dir, account)
    write_settings(layout.data_dir, render_settings(binaries.major, port, socket_dir), account)
    return start_server(layout, binaries, account)


def _publish(layout: Layout, info: ServerInfo) -> None:
    """Write down where the server is, as it says itself; an unchanged file is left alone."""
    running = read_pid_file(layout.data_dir)
    if running is None:
        raise DatabaseError(
            f"The server of {layout.root} ended while it was being started.\n"
            f"See {layout.server_log_dir}, and run `balsam server --connect`."
        )
    found = replace(
        info,
        host=short_hostname(),
        port=running.port,
        socket_dir=running.socket_dir,
        boot_id=this_process().boot_id,
        db_path=str(layout.root),
        instance_id=str(uuid.uuid4()) if is_copy(layout.root, info) else info.instance_id,
    )
    if found != read_server_info(layout.root):
        write_server_info(layout.root, found)
    update_user_infos(layout.root, found)
