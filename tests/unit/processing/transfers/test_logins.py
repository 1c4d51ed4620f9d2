"""A host that does not let us in is not asked again and again."""

import pytest

from balsam.exceptions import DatabaseUnreachable, LoginRefusedError, TransferWait
from balsam.platform.transfer import Place
from balsam.processing.transfers import logins


class Refusing:
    """A connection that cannot be opened, and how often that was tried."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.num_tries = 0
        self.is_there = False

    def is_open(self) -> bool:
        return self.is_there

    def open(self, prompts: object) -> None:
        self.num_tries += 1
        raise self.error


def tries_in(seconds: int, error: Exception, monkeypatch: pytest.MonkeyPatch) -> Refusing:
    """Ask once a second, by a clock of its own."""
    now = 0.0
    master = Refusing(error)
    monkeypatch.setattr(logins, "_masters", lambda place: [master])
    monkeypatch.setattr(logins, "master_of", lambda place: master)
    monkeypatch.setattr(logins, "_through", lambda master: ("-o", "ControlPath=here"))
    monkeypatch.setattr(logins.time, "monotonic", lambda: now)
    found = logins.Logins()
    for _ in range(seconds):
        with pytest.raises(TransferWait) as told:
            found.options(Place("rsync", "far"))
        assert told.value.needs_you == isinstance(error, LoginRefusedError)
        now += 1.0
    master.is_there = True
    assert found.options(Place("rsync", "far")) == ("-o", "ControlPath=here"), "a login is seen at once"
    return master


def test_a_refused_login_is_tried_ever_less_often(monkeypatch: pytest.MonkeyPatch):
    refused = LoginRefusedError("far did not let you in: Permission denied\n`ssh far` has to work.")
    assert tries_in(3600, refused, monkeypatch).num_tries == 5 + (3600 - 155) // 120 + 1


def test_a_host_that_does_not_answer_is_tried_each_five_seconds(monkeypatch: pytest.MonkeyPatch):
    assert tries_in(60, DatabaseUnreachable("Cannot reach host far"), monkeypatch).num_tries == 12
