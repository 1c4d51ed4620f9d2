"""Places and accounts in which a server must run: each test does all of it, in a process of its own."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from balsam.postgres import Cluster, connection_params, read_server_info
from tests.integration.postgres.conftest import first_value

#: Makes, uses and stops a database, and prints what it saw.
LIFE = """
import json, os, sys
from pathlib import Path
import psutil, psycopg2
from balsam.postgres import Cluster, connection_params
cluster = Cluster(Path(sys.argv[1]))
cluster.init()
try:
    cluster.ensure_running()
    connection = psycopg2.connect(**connection_params(cluster.db_path))
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE t AS SELECT i FROM generate_series(1, 100000) i")
    cursor.execute("SELECT sum(i), current_user FROM t")
    total, user = cursor.fetchone()
    connection.commit()
    connection.close()
    seen = dict(total=int(total), user=user, uid=psutil.Process(cluster.status().pid).uids().real)
finally:
    seen["stopped"] = cluster.stop()
print(json.dumps(seen))
"""
TOTAL = 100000 * 100001 // 2
NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def live(db_path: Path, prefix: Sequence[str] = (), **environ: str) -> dict[str, Any]:
    """Run `LIFE` and return what it saw."""
    done = subprocess.run(
        [*prefix, sys.executable, "-c", LIFE, str(db_path)],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    assert (seen["total"], seen["stopped"]) == (TOTAL, True)
    return seen


def skip_unless_it_runs(prefix: Sequence[str], what: str) -> None:
    try:
        done = subprocess.run(
            [*prefix, sys.executable, "-c", "import balsam.postgres"], capture_output=True, check=False
        )
    except OSError as error:
        pytest.skip(f"{what}: {error}")
    if done.returncode:
        pytest.skip(f"{what}: {done.stderr.decode().strip()[-200:]}")


@pytest.fixture
def open_dir() -> Iterator[Path]:
    """A directory every account can enter."""
    name = tempfile.mkdtemp(prefix="balsam-open-", dir="/tmp")
    os.chmod(name, 0o755)
    yield Path(name)
    shutil.rmtree(name)


def as_user(uid: int) -> list[str]:
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]


@needs_root
@pytest.mark.parametrize("uid", [NOBODY, 123456], ids=["nobody", "a uid without a name"])
def test_ordinary_user_has_a_database(installation: Path, open_dir: Path, uid: int) -> None:
    skip_unless_it_runs(as_user(uid), "another user cannot run this Python")
    os.chown(open_dir, uid, uid)
    assert live(open_dir / "db", as_user(uid), HOME=str(open_dir))["uid"] == uid


@needs_root
def test_root_has_a_database_whose_files_stay_his(installation: Path, new_path: Path) -> None:
    if subprocess.run(["unshare", "--user", "true"], capture_output=True, check=False).returncode:
        pytest.skip("user namespaces are not available")
    live(new_path)
    assert new_path.joinpath("balsamdb").stat().st_uid == 0


@needs_root
def test_root_without_user_namespaces_has_a_database(
    installation: Path, new_path: Path, tmp_path: Path
) -> None:
    skip_unless_it_runs(as_user(NOBODY), "another user cannot run what is installed here")
    for name in ("sh", "setpriv"):  # but no unshare
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    seen = live(new_path, PATH=str(tmp_path))  # its parents belong to root alone
    owner = new_path.joinpath("balsamdb").stat().st_uid
    assert owner == seen["uid"] != 0
    assert live_again(new_path)


def live_again(db_path: Path) -> bool:
    """Use a database as root, whoever owns its cluster."""
    cluster = Cluster(db_path)
    cluster.ensure_running()
    return bool(first_value(db_path, "SELECT count(*) = 100000 FROM t")) and cluster.stop()


@needs_root
def test_roots_cluster_moves_to_an_account_where_namespaces_are_gone(
    new_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_unless_it_runs(as_user(NOBODY), "another user cannot run what is installed here")
    live(new_path)
    for name in ("sh", "setpriv"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert live_again(new_path)
    assert new_path.joinpath("balsamdb").stat().st_uid != 0


@needs_root
def test_root_runs_a_users_database_as_that_user(open_dir: Path) -> None:
    skip_unless_it_runs(as_user(NOBODY), "another user cannot run this Python")
    os.chown(open_dir, NOBODY, NOBODY)
    live(open_dir / "db", as_user(NOBODY), HOME=str(open_dir))
    assert live_again(open_dir / "db")
    assert open_dir.joinpath("db/balsamdb/base").stat().st_uid == NOBODY


@needs_root
def test_tiny_shared_memory_is_enough(installation: Path, open_dir: Path) -> None:
    small = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o size=1m tmpfs /dev/shm && exec "$@"', "sh"]
    skip_unless_it_runs(small, "a small /dev/shm cannot be mounted")
    live(open_dir / "db", small)


@needs_root
def test_full_disk_is_told_and_leaves_nothing(new_path: Path) -> None:
    disk = new_path.parent / "small"
    disk.mkdir()
    use = f'mount -t tmpfs -o size=20m tmpfs {disk} && "$@"; status=$?; ls {disk}; exit $status'
    small = ["unshare", "--mount", "sh", "-c", use, "sh"]
    skip_unless_it_runs(small, "a small disk cannot be mounted")
    done = subprocess.run(
        [*small, sys.executable, "-c", LIFE, str(disk / "db")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "No space left on device" in done.stderr or "Check free disk space" in done.stderr
    assert "run `balsam init` again" in done.stderr
    assert done.stdout == ""


def test_deep_directory_is_no_hindrance(installation: Path, new_path: Path) -> None:
    deep = new_path.parent.joinpath(*["a-rather-long-name"] * 18, "db")
    deep.parent.mkdir(parents=True)
    assert len(str(deep)) > 340
    live(deep)
    assert not Path(read_server_info(deep).socket_dir).exists()


def test_path_with_characters_of_the_shell_is_no_hindrance(installation: Path, new_path: Path) -> None:
    live(new_path.parent / 'it\'s "odd" $HOME `id` ; é')


@needs_root
def test_other_users_of_this_host_are_kept_out(open_dir: Path) -> None:
    skip_unless_it_runs(as_user(NOBODY), "another user cannot run this Python")
    cluster = Cluster(open_dir / "db")
    try:
        cluster.init()
        cluster.ensure_running()
        params = {**connection_params(cluster.db_path), "password": "guess"}
        for host in (params["host"], "127.0.0.1"):
            assert knock(open_dir, {**params, "host": host}) == "kept out"
        done = subprocess.run(
            [*as_user(NOBODY), "cat", f"{open_dir}/db/server-info"], capture_output=True, check=False
        )
        assert done.returncode != 0 and done.stdout == b""
    finally:
        cluster.stop()


def knock(home: Path, params: dict[str, Any]) -> str:
    code = (
        "import json, sys, psycopg2\n"
        "try:\n"
        "    psycopg2.connect(**json.loads(sys.argv[1]))\n"
        "except psycopg2.OperationalError:\n"
        "    print('kept out')\n"
    )
    return subprocess.run(
        [*as_user(NOBODY), sys.executable, "-c", code, json.dumps(params)],
        env={**os.environ, "HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


@needs_root
def test_other_users_cannot_start_or_stop_it(open_dir: Path) -> None:
    skip_unless_it_runs(as_user(NOBODY), "another user cannot run this Python")
    Cluster(open_dir / "db").init()
    code = (
        "import sys; from pathlib import Path; from balsam.postgres.accounts import check_may_control\n"
        "check_may_control(Path(sys.argv[1]))"
    )
    done = subprocess.run(
        [*as_user(NOBODY), sys.executable, "-c", code, f"{open_dir}/db/balsamdb"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "only by its owner, root" in done.stderr
