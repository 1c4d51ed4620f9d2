"""Where interpreters are kept warm."""

import sys

import pytest

from balsam.launcher.warm_pool import is_possible
from balsam.launcher.worker import why_not_warm


def test_nothing_is_kept_warm_where_forks_are_not_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    assert why_not_warm(is_mpi=False, adopts_orphans=False)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not is_possible()
    assert "cannot keep one warm" in why_not_warm(is_mpi=False, adopts_orphans=True)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone")
def test_on_linux_the_mpi_launcher_alone_is_in_the_way() -> None:
    assert why_not_warm(is_mpi=False, adopts_orphans=True) == ""
    assert "MPI launcher" in why_not_warm(is_mpi=True, adopts_orphans=True)
