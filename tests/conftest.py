"""Fixtures of every level: a home for each test process, and a real database where one is asked for.

A test that does not ask for the `db` fixture has no active database and may not connect to any.
Nothing of the developer's ``~/.balsam`` or ``BALSAM_*`` environment is seen by a test, and no server
outlives the run, not even when a test process is killed.
"""

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import psutil
import pytest
from django.db import connections
from pytest_django import DjangoDbBlocker

import balsam
from tests.commands import Finished, run_balsam
from tests.databases import create_database, discard_database, empty_tables
from tests.slurm.cluster import SlurmCluster, why_no_slurm

#: Names the directory of the whole run; xdist workers inherit it.
RUN_DIR = "BALSAM_TEST_RUN_DIR"
#: Memory that a run may fill with files: a whole one has taken 3 GB.
_PLENTY_BYTES = 8 << 30


def pytest_configure(config: pytest.Config) -> None:
    """Give this test process a home of its own, and configure Django as a user's script does."""
    if RUN_DIR not in os.environ:
        keep_files_in_memory()
        os.environ[RUN_DIR] = tempfile.mkdtemp(prefix="balsam-tests-")
        config.add_cleanup(remove_run_dir)
    for name in [
        name for name in os.environ if name.startswith("BALSAM_") and not name.startswith("BALSAM_TEST_")
    ]:
        del os.environ[name]
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or each command compiles all it imports
    home = process_dir() / "home"
    home.mkdir(parents=True, exist_ok=True)
    os.environ["HOME"] = str(home)
    hear_interrupts()
    hypothesis.settings.register_profile("untimed", deadline=None)
    hypothesis.settings.load_profile("untimed")
    balsam.setup()


def keep_files_in_memory() -> None:
    """Put temporary files into memory where there is plenty, unless TMPDIR says where they go.

    The tests make and delete files by the hundred thousand. On ext4 each new file then looks past all that
    were deleted in the last minutes (``recently_deleted`` in the kernel's inode allocator).
    """
    memory = Path("/dev/shm")
    if "TMPDIR" in os.environ or not (memory.is_dir() and os.access(memory, os.W_OK | os.X_OK)):
        return
    found = os.statvfs(memory)
    plenty = min(found.f_bavail * found.f_frsize, psutil.virtual_memory().available) > _PLENTY_BYTES
    if plenty and not found.f_flag & getattr(os, "ST_NOEXEC", 0):
        os.environ["TMPDIR"] = tempfile.tempdir = str(memory)


def hear_interrupts() -> None:
    """Let the commands under test be interrupted also where the tests are run in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def process_dir() -> Path:
    """Directory of this test process: one for each xdist worker."""
    return Path(os.environ[RUN_DIR]) / os.environ.get("PYTEST_XDIST_WORKER", "main")


def remove_run_dir() -> None:
    """Stop every server that a test process left, and delete all directories of the run."""
    run_dir = Path(os.environ.pop(RUN_DIR))
    for server_info in list(run_dir.rglob("server-info")):
        discard_database(server_info.parent)
    shutil.rmtree(run_dir, ignore_errors=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Escape what is no Unicode in captured output: a report of it could not be sent between processes."""
    report = yield
    report.sections = [(n, text.encode(errors="backslashreplace").decode()) for n, text in report.sections]
    return report


@pytest.fixture(autouse=True)
def same_surroundings() -> Iterator[None]:
    """Undo what the code under test does to the environment, as `SiteConfig` does, and where it has gone."""
    before, cwd = dict(os.environ), os.getcwd()
    yield
    os.chdir(cwd)
    if os.environ != before:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture
def monkeypatch(same_surroundings: None) -> Iterator[pytest.MonkeyPatch]:
    """Pytest's own, undone before the surroundings are: a plugin asks for it before all else."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="session")
def database_dir(django_db_blocker: DjangoDbBlocker) -> Iterator[Path]:
    """Directory of this test process's database, whose server runs."""
    db_path = process_dir() / "db"
    try:
        with django_db_blocker.unblock(), active_database(db_path):
            create_database(db_path)
        yield db_path
    finally:
        discard_database(db_path)


@pytest.fixture
def db(database_dir: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[Path]:
    """Empty tables in a real database that is the active one; gives its directory."""
    with django_db_blocker.unblock(), active_database(database_dir):
        empty_tables()
        yield database_dir


@contextmanager
def active_database(db_path: Path) -> Iterator[None]:
    """Name the active database for this process and those it starts; no connection outlives it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BALSAM_DB_PATH", str(db_path))
        try:
            yield
        finally:
            connections.close_all()


@pytest.fixture
def local_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of the user's files whose settings name the local queue, empty, as the scheduler."""
    home = tmp_path / "balsam-home"
    home.mkdir()
    (home / "settings.json").write_text('{"SCHEDULER_CLASS": "local"}')
    monkeypatch.setenv("BALSAM_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def slurm_cluster() -> Iterator[SlurmCluster]:
    """This test process's own Slurm of four nodes on this host; skips where it cannot be started."""
    if reason := why_no_slurm():
        pytest.skip(reason)
    cluster = SlurmCluster(process_dir() / "slurm")
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def slurm(slurm_cluster: SlurmCluster) -> Iterator[SlurmCluster]:
    """The real Slurm with all nodes idle; what the test has left in it is cancelled."""
    slurm_cluster.reset()
    yield slurm_cluster
    slurm_cluster.reset()


@pytest.fixture
def balsam_cli() -> Callable[..., Finished]:
    """Run the installed `balsam` as another process: ``balsam_cli("ls", "jobs", input="")``."""
    return run_balsam
