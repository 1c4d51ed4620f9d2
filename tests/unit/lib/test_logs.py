import logging
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from balsam.exceptions import ConfigError, DatabaseError, NoDatabaseError
from balsam.lib.logs import log_to_database_dir

logger = logging.getLogger("balsam.test")


@pytest.fixture(autouse=True)
def database_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An active database directory; what logging was set to comes back afterwards."""
    monkeypatch.setenv("BALSAM_DB_PATH", str(tmp_path))
    balsam = logging.getLogger("balsam")
    level, handlers = balsam.level, balsam.handlers[:]
    yield tmp_path
    for handler in set(balsam.handlers) - set(handlers):
        balsam.removeHandler(handler)
        handler.close()
    balsam.setLevel(level)


def test_line_has_time_process_level_and_place() -> None:
    path = log_to_database_dir("launcher")
    logger.warning("job %d failed", 7)
    when, pid, level, rest = path.read_text().split("|")
    assert re.fullmatch(r"\d\d-[A-Z][a-z]+-\d{4} \d\d:\d\d:\d\d", when)
    assert (pid, level) == (str(os.getpid()), "WARNING")
    assert re.fullmatch(r"balsam\.test:\d+\] job 7 failed\n", rest)


def test_file_is_named_by_time_in_the_log_directory(database_dir: Path) -> None:
    path = log_to_database_dir("launcher")
    assert path.parent == database_dir / "log"
    assert re.fullmatch(r"launcher_\d{4}-\d\d-\d\d_\d{6}\.log", path.name)


def test_starts_in_the_same_second_never_share_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "strftime", lambda form: "2021-06-09_120000")
    paths = [log_to_database_dir("launcher") for _ in range(4)]
    stem = f"launcher_2021-06-09_120000.{os.getpid()}"
    assert [path.name for path in paths] == [
        "launcher_2021-06-09_120000.log",
        f"{stem}.log",
        f"{stem}.2.log",
        f"{stem}.3.log",
    ]


def test_process_logs_to_its_latest_file_only() -> None:
    first, second = log_to_database_dir("launcher"), log_to_database_dir("service")
    logger.info("hello")
    assert first.read_text() == ""
    assert "hello" in second.read_text()


def test_only_the_logger_of_balsam_is_touched() -> None:
    root = logging.getLogger()
    before = (root.level, root.handlers[:])
    path = log_to_database_dir("launcher")
    logging.getLogger("somebody.else").error("not ours")
    assert (root.level, root.handlers) == before
    assert path.read_text() == ""


def test_level_decides_what_is_written() -> None:
    path = log_to_database_dir("launcher", level="warning")
    logger.info("too little")
    logger.warning("enough")
    assert "too little" not in path.read_text()
    assert "enough" in path.read_text()


def test_log_is_bounded_by_its_limit_and_backups() -> None:
    path = log_to_database_dir("launcher", size_limit_bytes=2000, backup_count=2)
    for number in range(200):
        logger.info("line %d %s", number, "x" * 50)
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == [path.name, f"{path.name}.1", f"{path.name}.2"]
    assert all(file.stat().st_size <= 2000 for file in files)
    assert "line 199 " in path.read_text()


def test_name_that_is_not_unicode_is_written_escaped() -> None:
    path = log_to_database_dir("launcher")
    logger.info("odd %s", "a\udc80b")
    assert "odd a\\udc80b" in path.read_text()


def test_without_a_database_the_way_to_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BALSAM_DB_PATH")
    with pytest.raises(NoDatabaseError, match="balsamactivate"):
        log_to_database_dir("launcher")


def test_database_directory_that_is_gone_is_not_made_again(
    database_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BALSAM_DB_PATH", str(database_dir / "gone"))
    with pytest.raises(
        DatabaseError, match=r"gone/log: No such file or directory\. Check that BALSAM_DB_PATH"
    ):
        log_to_database_dir("launcher")
    assert not (database_dir / "gone").exists()


def test_unknown_level_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'LOUD': it is not known.*LOG_HANDLER_LEVEL"):
        log_to_database_dir("launcher", level="LOUD")
