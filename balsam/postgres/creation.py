"""Make a database directory, or complete one that lacks something.

What exists is kept: a cluster is never made anew, and a `server-info` never overwritten. A creation that
fails takes away what it has made.
"""

import secrets
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from balsam.exceptions import DatabaseError, UsageError
from balsam.lib.atomic import write_atomically
from balsam.lib.directory_spread import spread_subdirectories
from balsam.postgres.accounts import Account, choose_account, login_name
from balsam.postgres.addresses import first_port
from balsam.postgres.binaries import Binaries, cluster_major, find_binaries
from balsam.postgres.configuration import is_ours
from balsam.postgres.connecting import short_hostname
from balsam.postgres.initdb import Secrets, create_cluster, password_sql, role_name, run_sql
from balsam.postgres.layout import USER_FOLDERS, Layout
from balsam.postgres.locking import only_one
from balsam.postgres.postmaster import clear_remains, running_postmaster
from balsam.postgres.serverinfo import ServerInfo, read_server_info, write_server_info

#: 256 bits, as text that needs no quoting anywhere.
_PASSWORD_BYTES = 32


def create_database_dir(layout: Layout) -> bool:
    """Make what the directory lacks; True if it had no database before. No server runs because of this.

    Raises UsageError when ``layout.root`` cannot be a directory, DatabaseError when there can be no cluster.
    """
    with _directory(layout.root), only_one(layout.lock):
        is_new = not layout.has_cluster
        if is_new:
            _create(layout)
        elif not is_ours(layout.data_dir):
            raise DatabaseError(
                f"{layout.data_dir} is a PostgreSQL cluster that another program made.\n"
                "It was left as it is. Choose another directory: `balsam init DIR`."
            )
        elif not layout.server_info.exists():
            _renew_passwords(layout)
        for name in USER_FOLDERS:
            (layout.root / name).mkdir(mode=0o755, exist_ok=True)
        return is_new


@contextmanager
def _directory(root: Path) -> Iterator[None]:
    """Make the directory unless it is there; one that was made here goes again if what follows fails."""
    if root.exists() and not root.is_dir():
        raise UsageError(
            f"Cannot make a database at {root}: it is a file.\nName a directory: `balsam init DIR`."
        )
    try:
        root.mkdir(mode=0o755)
        spread_subdirectories(root)
        is_new = True
    except FileExistsError:
        is_new = False
    except OSError as error:
        raise UsageError(
            f"Cannot make the directory {root}: {error.strerror}.\n"
            "Its parent must exist and be writable: name another directory, or `mkdir -p` the parent."
        ) from error
    try:
        yield
    except BaseException:
        if is_new:
            shutil.rmtree(root, ignore_errors=True)
        raise


def _create(layout: Layout) -> None:
    if layout.server_info.exists():
        info = read_server_info(layout.root)
        raise DatabaseError(
            f"{layout.server_info} describes a database on host {info.host}, but none is here.\n"
            "It was left as it is: move it away, or choose another directory, and run `balsam init` again."
        )
    binaries = find_binaries()
    passwords = _new_secrets()
    info = _new_info(layout.root, passwords, binaries)
    create_cluster(layout, binaries, _account(layout, binaries), passwords, info.port)
    _publish(layout, passwords, info)


def _renew_passwords(layout: Layout) -> None:
    """Write a new `server-info` for a cluster that has lost its own."""
    if running_postmaster(layout.data_dir) is not None:
        raise DatabaseError(
            f"The server of {layout.root} runs, but {layout.server_info} is missing.\n"
            f"Stop it with `BALSAM_DB_PATH={layout.root} balsam server --stop`, then run `balsam init` again."
        )
    clear_remains(layout.data_dir)
    binaries = find_binaries(cluster_major(layout.data_dir))
    passwords = _new_secrets()
    run_sql(layout.data_dir, binaries, _account(layout, binaries), password_sql(passwords))
    _publish(layout, passwords, _new_info(layout.root, passwords, binaries))


def _account(layout: Layout, binaries: Binaries) -> Account:
    return choose_account(layout.root, layout.data_dir, [binaries.bin_dir, Path(binaries.path("postgres"))])


def _new_secrets() -> Secrets:
    return Secrets(
        role=role_name(login_name()),
        role_password=secrets.token_urlsafe(_PASSWORD_BYTES),
        admin_password=secrets.token_urlsafe(_PASSWORD_BYTES),
    )


def _new_info(db_path: Path, passwords: Secrets, binaries: Binaries) -> ServerInfo:
    return ServerInfo(
        host=short_hostname(),
        port=first_port(),
        user=passwords.role,
        password=passwords.role_password,
        instance_id=str(uuid.uuid4()),
        pg_bin=str(binaries.bin_dir),
        db_path=str(db_path),
    )


def _publish(layout: Layout, passwords: Secrets, info: ServerInfo) -> None:
    """Write the passwords down; `server-info` comes last, as it makes the directory a database."""
    write_atomically(layout.admin_password, passwords.admin_password + "\n")
    write_server_info(layout.root, info)
