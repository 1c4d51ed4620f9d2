"""Accounting of an emulated Slurm: a private MariaDB and slurmdbd, for `sacct`."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.slurm.configuration import accounting_configuration
from tests.waiting import wait_until

__all__ = ["has_accounting", "register_cluster", "start_accounting"]

_PROGRAMS = ("slurmdbd", "mariadbd", "mariadb", "mariadb-install-db", "sacctmgr")
_GRANTS = """
create database slurm_acct_db;
create user slurm@localhost identified by 'slurm';
create user slurm@127.0.0.1 identified by 'slurm';
grant all on slurm_acct_db.* to slurm@localhost;
grant all on slurm_acct_db.* to slurm@127.0.0.1;
"""


def has_accounting(path: str) -> bool:
    """Whether what accounting needs is installed."""
    return all(shutil.which(program, path=path) for program in _PROGRAMS)


def start_accounting(base: Path, port: int, database_port: int, env: Mapping[str, str]) -> None:
    """Start the database and slurmdbd; the processes stay until they are killed."""
    home = base / "mariadb"
    home.mkdir()
    options = ["--no-defaults", "--user=root", f"--datadir={home}/data"]
    with (base / "log" / "mariadb").open("ab") as log:
        subprocess.run(
            ["mariadb-install-db", *options, "--auth-root-authentication-method=normal", "--skip-test-db"],
            env=env,
            stdout=log,
            stderr=log,
            check=True,
        )
        subprocess.Popen(
            [
                "mariadbd",
                *options,
                f"--socket={home}/socket",
                f"--port={database_port}",
                "--bind-address=127.0.0.1",
                "--innodb-buffer-pool-size=64M",
                "--innodb-lock-wait-timeout=900",
                "--innodb-flush-log-at-trx-commit=0",
            ],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    client = ["mariadb", "--no-defaults", f"--socket={home}/socket", "--user=root"]
    wait_until(lambda: _succeeds([*client, "-e", "select 1"], env), what="MariaDB")
    subprocess.run([*client, "-e", _GRANTS], env=env, check=True)
    configuration = base / "slurmdbd.conf"
    configuration.write_text(accounting_configuration(base, port, database_port))
    configuration.chmod(0o600)
    subprocess.run(["slurmdbd"], env=env, check=True)


def register_cluster(env: Mapping[str, str]) -> None:
    """Make the cluster and its users known; slurmctld may be started afterwards."""
    wait_until(lambda: _succeeds(["sacctmgr", "-n", "show", "cluster"], env), what="slurmdbd")
    for what in (
        ["cluster", "balsamtest"],
        ["account", "project", "cluster=balsamtest"],
        ["user", "root", "account=project"],
    ):
        subprocess.run(["sacctmgr", "-i", "add", *what], env=env, check=True, stdout=subprocess.DEVNULL)


def _succeeds(argv: list[str], env: Mapping[str, str]) -> bool:
    done = subprocess.run(argv, env={**os.environ, **env}, capture_output=True, timeout=30, check=False)
    return done.returncode == 0
