"""The `server-info` of each user whom the owner has let in: written, opened to them, and kept up to date."""

import os
import pwd
import subprocess
from dataclasses import replace
from pathlib import Path

from balsam.exceptions import DatabaseError
from balsam.lib.atomic import write_atomically
from balsam.postgres.layout import Layout
from balsam.postgres.serverinfo import MODE, ServerInfo, parse_server_info, read_server_info, server_info_text


def write_user_info(db_path: Path, user: str, password: str, owner: str) -> bool:
    """Write the file of a new user; says whether they can read it."""
    info = replace(read_server_info(db_path), user=user, password=password, owner=owner, pg_bin="", extra={})
    return _write(db_path, info)


def update_user_infos(db_path: Path, info: ServerInfo) -> None:
    """Let the files of all users say where the server is now."""
    for path in db_path.glob("server-info-*"):
        try:
            before = parse_server_info(path)
        except DatabaseError:  # no file of ours
            continue
        now = replace(
            before, host=info.host, port=info.port, socket_dir=info.socket_dir, boot_id=info.boot_id
        )
        if now != before and path == Layout(db_path).user_info(now.user):
            _write(db_path, now)


def _write(db_path: Path, info: ServerInfo) -> bool:
    path = Layout(db_path).user_info(info.user)
    write_atomically(path, server_info_text(info), MODE)
    return _open_to(path, info.user)


def _open_to(path: Path, user: str) -> bool:
    """Let the account of that name, and nobody else, read the file too; False where that is not possible."""
    try:
        account = pwd.getpwnam(user)
    except (KeyError, ValueError):
        account = None
    if os.geteuid() == 0:
        home = path.parent.stat()
        os.chown(path, account.pw_uid if account else home.st_uid, account.pw_gid if account else home.st_gid)
        return account is not None
    return account is not None and _add_reader(path, account.pw_uid)


def _add_reader(path: Path, uid: int) -> bool:
    """Add one account to those that may read, where the machine has access control lists."""
    command = ["setfacl", "-m", f"u:{uid}:r", str(path)]
    try:
        return subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
