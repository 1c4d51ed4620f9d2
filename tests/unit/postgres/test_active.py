from pathlib import Path

import pytest

from balsam.exceptions import NoDatabaseError
from balsam.postgres.active import active_db_path


def test_directory_of_the_variable_is_active(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    monkeypatch.setenv("BALSAM_DB_PATH", str(tmp_path / "link"))
    assert active_db_path() == tmp_path


@pytest.mark.parametrize("value", [None, "", "/nowhere/at/all"])
def test_nothing_active_is_told_with_what_to_type(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("BALSAM_DB_PATH", raising=False)
    if value is not None:
        monkeypatch.setenv("BALSAM_DB_PATH", value)
    with pytest.raises(NoDatabaseError) as caught:
        active_db_path()
    for words in ("balsamactivate DIR", "balsam which --list", "balsam init DIR"):
        assert words in str(caught.value)
