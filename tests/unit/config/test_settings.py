import contextlib
import copy
import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import balsam
from balsam.config import UserSettings, user_settings
from balsam.exceptions import ConfigError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory without settings."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("BALSAM_HOME", raising=False)
    return tmp_path


def write(home: Path, content: str | bytes | dict[str, Any]) -> Path:
    path = home / ".balsam" / "settings.json"
    path.parent.mkdir(exist_ok=True)
    if isinstance(content, dict):
        content = json.dumps(content, indent=4)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_missing_file_means_defaults_and_is_not_made(home: Path) -> None:
    assert user_settings() == UserSettings()
    assert not (home / ".balsam").exists()


def test_defaults_fit_any_machine() -> None:
    defaults = UserSettings()
    for name in ("SCHEDULER_CLASS", "MPI_RUN_TEMPLATE", "WORKER_DETECTION_TYPE", "JOB_TEMPLATE"):
        assert getattr(defaults, name) == "auto"


def test_given_keys_are_merged_with_the_defaults(home: Path) -> None:
    write(home, {"NUM_TRANSITION_THREADS": 7})
    assert user_settings() == UserSettings(NUM_TRANSITION_THREADS=7)


def test_file_with_missing_keys_is_left_as_it_is(home: Path) -> None:
    path = write(home, '{ "DEFAULT_PROJECT" : "mine" }\r\n')
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    assert user_settings().DEFAULT_PROJECT == "mine"
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert os.listdir(path.parent) == ["settings.json"]


def test_every_setting_of_the_database_generation_is_known(home: Path) -> None:
    given_keys = {
        "SCHEDULER_CLASS": "CobaltScheduler",
        "SCHEDULER_SUBMIT_EXE": "/usr/bin/qsub",
        "SCHEDULER_STATUS_EXE": "/usr/bin/qstat",
        "MPI_RUN_TEMPLATE": "ThetaMPICommand",
        "WORKER_DETECTION_TYPE": "THETA",
        "DEFAULT_PROJECT": "datascience",
        "SERVICE_PERIOD": 1,
        "NUM_TRANSITION_THREADS": 2,
        "MAX_CONCURRENT_MPIRUNS": 1000,
        "SERIAL_CORES_PER_NODE": 64,
        "SERIAL_HYPERTHREAD_STRIDE": 1,
        "LOG_HANDLER_LEVEL": "INFO",
        "LOG_BACKUP_COUNT": 5,
        "LOG_FILE_SIZE_LIMIT": 104857600,
        "QUEUE_POLICY": "theta_policy.ini",
        "JOB_TEMPLATE": "job-templates/theta.cobaltscheduler.tmpl",
    }
    write(home, given_keys)
    settings = user_settings()
    assert settings.extra == {}
    assert {name: getattr(settings, name) for name in given_keys} == given_keys


def test_unknown_keys_are_kept_and_read_like_the_others(home: Path) -> None:
    write(home, {"GRIDFTP_EXE": "/opt/globus-url-copy", "nested": {"a": [1]}})
    settings = user_settings()
    assert settings.GRIDFTP_EXE == "/opt/globus-url-copy"
    assert settings.extra["nested"] == {"a": [1]}
    assert balsam.settings.GRIDFTP_EXE == "/opt/globus-url-copy"


def test_setting_that_is_not_there_gets_a_proposal() -> None:
    with pytest.raises(AttributeError, match="no setting 'SERVICE_PERIODS'; did you mean 'SERVICE_PERIOD'"):
        _ = UserSettings().SERVICE_PERIODS


def test_settings_may_be_copied_and_pickled(home: Path) -> None:
    write(home, {"other": 1})
    assert pickle.loads(pickle.dumps(user_settings())) == user_settings() == copy.copy(user_settings())


def test_changed_file_is_read_again(home: Path) -> None:
    write(home, {"DEFAULT_PROJECT": "one"})
    assert user_settings().DEFAULT_PROJECT == "one"
    assert user_settings() is user_settings()
    write(home, {"DEFAULT_PROJECT": "another"})
    assert user_settings().DEFAULT_PROJECT == "another"


def test_home_is_looked_up_at_each_call(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, {"DEFAULT_PROJECT": "one"})
    assert user_settings().DEFAULT_PROJECT == "one"
    monkeypatch.setenv("HOME", str(home / "elsewhere"))
    assert user_settings() == UserSettings()


def test_balsam_home_replaces_the_directory(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "site").mkdir()
    (home / "site" / "settings.json").write_text('{"DEFAULT_PROJECT": "site"}')
    monkeypatch.setenv("BALSAM_HOME", str(home / "site"))
    assert user_settings().DEFAULT_PROJECT == "site"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{\n  "A": 1,\n  "B": \n}', r"settings\.json, line 4: it is not JSON at column 1"),
        ("", "line 1: it is not JSON"),
        ("{", "line 1: it is not JSON"),
        ("\n\n{'A': 1}", "line 3: it is not JSON at column 2"),
        ("[1]", "line 1: it is not a JSON object"),
        (b'{\n "A": 1,\n "B": "\xff"}', "line 3: byte 0xff is not UTF-8"),
        (b"\0" * 20, "line 1: it is not JSON"),
        ("[" * 100_000, "line 1: it is "),
        ('{"SERVICE_PERIOD": ' + "9" * 5000 + "}", "line 1: it is no sensible JSON"),
        ('{\n"SERVICE_PERIOD": 5,\n"LOG_BACKUP_COUNT": "5"\n}', "line 3: LOG_BACKUP_COUNT is '5', .* whole"),
        ('{\n"LOG_BACKUP_COUNT": true}', "line 2: LOG_BACKUP_COUNT is True, .* whole number"),
        ('{"LOG_BACKUP_COUNT": 1.5}', "line 1: LOG_BACKUP_COUNT is 1.5, .* whole number"),
        ('{"MPI_RUN_TEMPLATE": null}', "MPI_RUN_TEMPLATE is None, which is not a text"),
        ('{"SERVICE_PERIOD": 0}', "SERVICE_PERIOD is 0, which is less than 0.01"),
        ('{"SERVICE_PERIOD": NaN}', "SERVICE_PERIOD is nan, which is less than"),
        ('{\n\n"MAX_CONCURRENT_MPIRUNS": -1}', "line 3: MAX_CONCURRENT_MPIRUNS is -1, which is less than 1"),
        ('{"LOG_HANDLER_LEVEL": "LOUD"}', "LOG_HANDLER_LEVEL is 'LOUD', which is none of DEBUG"),
    ],
)
def test_wrong_file_is_an_error_with_its_line_and_stays(home: Path, content: str | bytes, told: str) -> None:
    path = write(home, content)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=told) as refused:
        user_settings()
    assert str(path) in str(refused.value)
    assert path.read_bytes() == before


def test_file_with_a_byte_order_mark_is_read(home: Path) -> None:
    write(home, b'\xef\xbb\xbf{"DEFAULT_PROJECT": "mine"}\r\n')
    assert user_settings().DEFAULT_PROJECT == "mine"


def test_directory_instead_of_a_file_is_told(home: Path) -> None:
    (home / ".balsam" / "settings.json").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"Cannot read .*settings\.json: Is a directory"):
        user_settings()


def test_unsearchable_home_is_told(home: Path) -> None:
    (home / ".balsam").write_text("not a directory")
    with pytest.raises(ConfigError, match=r"Cannot read .*settings\.json: Not a directory"):
        user_settings()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.one_of(st.binary(), st.text().map(str.encode)))
def test_any_content_is_read_or_refused(home: Path, content: bytes) -> None:
    path = write(home, content)
    with contextlib.suppress(ConfigError):
        user_settings()
    assert path.read_bytes() == content
