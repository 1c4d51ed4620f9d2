"""Make a cluster: its files, its two roles and its database, before any server has run on it.

A cluster gets its name when it is complete, so whatever interrupts this can simply be done again. Passwords
reach PostgreSQL on its standard input only.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from balsam.exceptions import DatabaseError
from balsam.postgres.accounts import Account
from balsam.postgres.binaries import Binaries
from balsam.postgres.configuration import render_settings, write_fixed_files, write_settings
from balsam.postgres.connecting import DATABASE
from balsam.postgres.control import server_environment
from balsam.postgres.layout import Layout
from balsam.postgres.messages import reason

#: The cluster's superuser; no program of Balsam works as it, except to look after the server.
ADMIN = "balsam_admin"
#: First initdb that takes settings for the server it runs (-c).
_INITDB_WITH_SETTINGS = 16
_DSM_SETTING = "dynamic_shared_memory_type"
_TEMPLATE = "postgresql.conf.sample"
_TIMEOUT_SEC = 600


@dataclass(frozen=True)
class Secrets:
    """The role of the owner, its password, and that of the superuser."""

    role: str
    role_password: str
    admin_password: str


def role_name(login: str) -> str:
    """Return the role for a login name, which PostgreSQL may reserve or find too long."""
    is_reserved = login.startswith("pg_") or login in (ADMIN, "public", "none", "")
    name = f"user_{login}" if is_reserved else login
    return name.encode()[:63].decode(errors="ignore")


def create_cluster(layout: Layout, binaries: Binaries, account: Account, secrets: Secrets, port: int) -> None:
    """Make the cluster of a directory that has none; raises DatabaseError, leaving nothing behind."""
    draft = layout.unfinished_data_dir
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir(mode=0o700)
        account.own(draft)
        _run_initdb(draft, binaries, account)
        write_fixed_files(draft, account)
        write_settings(draft, render_settings(binaries.major, port, None), account)
        run_sql(draft, binaries, account, [*_create_sql(secrets), *password_sql(secrets)])
        os.rename(draft, layout.data_dir)
    except OSError as error:
        raise DatabaseError(
            f"Cannot make a database in {layout.root}: {error}.\n"
            "Make the directory writable, with 100 MB free, or choose another; then run `balsam init` again."
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _create_sql(secrets: Secrets) -> list[str]:
    role = _identifier(secrets.role)
    return [
        f"CREATE ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION",
        f"CREATE DATABASE {DATABASE} OWNER {role}",
        f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC",
    ]


def password_sql(secrets: Secrets) -> list[str]:
    """Return the statements that set both passwords."""
    return [
        f"ALTER ROLE {_identifier(ADMIN)} PASSWORD {_literal(secrets.admin_password)}",
        f"ALTER ROLE {_identifier(secrets.role)} PASSWORD {_literal(secrets.role_password)}",
    ]


def run_sql(data_dir: Path, binaries: Binaries, account: Account, statements: list[str]) -> None:
    """Run statements as the superuser on a cluster that no server runs on; raises DatabaseError."""
    command = [binaries.path("postgres"), "--single", "-D", str(data_dir), "-c", "exit_on_error=true"]
    quiet = ["-c", "logging_collector=off", "-c", "log_min_messages=error"]
    _run(account.command(*command, *quiet, "postgres"), account, "".join(f"{sql};\n" for sql in statements))


def _run_initdb(data_dir: Path, binaries: Binaries, account: Account) -> None:
    command = [binaries.path("initdb"), "-D", str(data_dir), "-U", ADMIN, "-A", "reject"]
    fixed = ["--encoding=UTF8", "--no-locale", "--data-checksums"]
    with _memory_options(binaries, account) as options:
        _run(account.command(*command, *fixed, *options), account)


@contextmanager
def _memory_options(binaries: Binaries, account: Account) -> Iterator[list[str]]:
    """Give the options that let initdb work with a tiny /dev/shm.

    Before version 16 it takes no settings, but copies them from a template, of which it gets a changed one.
    """
    if binaries.major >= _INITDB_WITH_SETTINGS:
        yield ["-c", f"{_DSM_SETTING}=mmap"]
    elif (share := _share_dir(binaries)) is None:
        yield []
    else:
        with tempfile.TemporaryDirectory(prefix="balsam-initdb-") as name:
            _link_share_dir(share, Path(name))
            account.own_tree(Path(name))
            yield ["-L", name]


def _link_share_dir(share: Path, copy: Path) -> None:
    """Fill ``copy`` with links to all files of ``share``, but a template with our kind of shared memory."""
    for path in share.iterdir():
        if path.name != _TEMPLATE:
            (copy / path.name).symlink_to(path)
    text = (share / _TEMPLATE).read_text(encoding="utf-8")
    changed = text.replace(f"#{_DSM_SETTING} = posix", f"{_DSM_SETTING} = mmap")
    (copy / _TEMPLATE).write_text(changed, encoding="utf-8")


def _share_dir(binaries: Binaries) -> Path | None:
    """Return where the installation keeps its templates; None if it does not say."""
    command = [binaries.path("pg_config"), "--sharedir"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    share = Path(said.strip())
    return share if (share / _TEMPLATE).exists() else None


def _run(command: list[str], account: Account, text: str = "") -> None:
    """Run a program of PostgreSQL; raises DatabaseError with the end of what it said."""
    done = subprocess.run(
        command,
        input=text,
        capture_output=True,
        text=True,
        cwd="/",
        env=server_environment(),
        timeout=_TIMEOUT_SEC,
        check=False,
        **account.process_owner,
    )
    if done.returncode:
        program = next(Path(word).name for word in command if word.endswith(("/initdb", "/postgres")))
        raise DatabaseError(
            f"Making the database failed: {program}: {reason(done.stdout + done.stderr)}\n"
            "Mend what it names and run `balsam init` again; BALSAM_PG_BIN chooses another PostgreSQL."
        )


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
