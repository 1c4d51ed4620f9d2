import json
import threading
from pathlib import Path

import pytest

from balsam.config import known_databases
from balsam.exceptions import AmbiguousError, ConfigError, NotFoundError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("BALSAM_DB_PATH", raising=False)
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def make(path: Path) -> Path:
    path.mkdir(parents=True)
    (path / "server-info").write_text("{}")
    return path


def test_nothing_is_known_at_first_and_asking_writes_nothing(home: Path) -> None:
    assert known_databases.known_databases() == []
    assert list(home.iterdir()) == []


def test_databases_are_added_once_and_listed_in_order(tmp_path: Path, home: Path) -> None:
    for name in ("b", "a", "b"):
        path = tmp_path / name
        known_databases.add(path if path.exists() else make(path))
    assert known_databases.known_databases() == [tmp_path / "a", tmp_path / "b"]
    assert json.loads((home / ".balsam/databases.json").read_text()) == [f"{tmp_path}/a", f"{tmp_path}/b"]


def test_vanished_directory_is_not_shown_and_not_forgotten(tmp_path: Path) -> None:
    known_databases.add(make(tmp_path / "a"))
    (tmp_path / "a").rename(tmp_path / "unmounted")
    assert known_databases.known_databases() == []
    (tmp_path / "unmounted").rename(tmp_path / "a")
    assert known_databases.known_databases() == [tmp_path / "a"]


def test_active_database_is_listed_though_nobody_added_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BALSAM_DB_PATH", str(make(tmp_path / "active")))
    assert known_databases.known_databases() == [tmp_path / "active"]


def test_many_can_add_at_once(tmp_path: Path) -> None:
    paths = [make(tmp_path / f"db{i:02}") for i in range(20)]
    threads = [threading.Thread(target=known_databases.add, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert known_databases.known_databases() == paths


@pytest.mark.parametrize("text", ["", '["/a"', "{}", "[1]", "null"])
def test_damaged_list_is_an_error_that_names_it_and_leaves_it(tmp_path: Path, home: Path, text: str) -> None:
    path = home / ".balsam/databases.json"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(ConfigError, match=str(path)):
        known_databases.known_databases()
    with pytest.raises(ConfigError, match=str(path)):
        known_databases.add(make(tmp_path / "a"))
    assert path.read_text() == text


def test_name_is_found_by_its_only_match(tmp_path: Path) -> None:
    for name in ("projects/climate", "scratch/climate2"):
        known_databases.add(make(tmp_path / name))
    assert known_databases.find("scratch") == tmp_path / "scratch/climate2"
    assert known_databases.find("climate") == tmp_path / "projects/climate"  # a whole name, not a part of one
    assert known_databases.find(f"{tmp_path}/scratch/climate2") == tmp_path / "scratch/climate2"


def test_directory_that_is_not_on_the_list_is_found_by_its_path(tmp_path: Path) -> None:
    assert known_databases.find(str(make(tmp_path / "new"))) == tmp_path / "new"


def test_ambiguous_name_is_refused_with_its_matches(tmp_path: Path) -> None:
    for name in ("x/db", "y/db"):
        known_databases.add(make(tmp_path / name))
    with pytest.raises(AmbiguousError, match=f"{tmp_path}/x/db, {tmp_path}/y/db"):
        known_databases.find("db")


def test_unknown_name_is_told_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="Known: none"):
        known_databases.find("db")
    known_databases.add(make(tmp_path / "a"))
    with pytest.raises(NotFoundError, match=f"Known: {tmp_path}/a"):
        known_databases.find("nothing")
