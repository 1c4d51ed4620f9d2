"""An allocation divided into parts."""

import os
import signal
import sys
import threading

import pytest

from balsam.exceptions import UsageError
from balsam.launcher.parts import commands_of, run_together


def test_parts_take_the_nodes_in_order():
    leader, workers = commands_of(["mpi:1:role=leader", "serial:3"], 10, None, 2)
    assert leader[-2:] == ["--tag", "role=leader"] and "--tag" not in workers
    assert {"--limit-nodes=1", "--offset-nodes=2"} < set(leader)
    assert {"--limit-nodes=3", "--offset-nodes=3"} < set(workers)


@pytest.mark.parametrize("part", ["mpi", "mpi:0", "both:1", "mpi:x", "mpi:1:role"])
def test_part_in_another_form_is_told(part: str):
    with pytest.raises(UsageError, match="MODE:NODES"):
        commands_of([part], 10, None, 0)


def test_parts_of_more_nodes_than_there_are_are_told():
    with pytest.raises(UsageError, match="need 3 nodes"):
        commands_of(["mpi:1", "mpi:2"], 10, 2, 0)


def test_exit_code_is_the_worst():
    commands = [[sys.executable, "-c", f"raise SystemExit({code})"] for code in (0, 3, 1)]
    assert run_together(commands) == 3


def test_signal_reaches_every_part(tmp_path):
    script = (
        "import pathlib, signal, sys\n"
        "def end(*_):\n    pathlib.Path(sys.argv[1], 'told').touch(); sys.exit(5)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "pathlib.Path(sys.argv[1], 'up').touch()\n"
        "signal.pause()\n"
    )
    directories = [tmp_path / name for name in "ab"]
    for directory in directories:
        directory.mkdir()

    def tell() -> None:
        from tests.waiting import wait_until

        wait_until(lambda: all((directory / "up").exists() for directory in directories))
        os.kill(os.getpid(), signal.SIGTERM)

    teller = threading.Thread(target=tell)
    teller.start()
    assert run_together([[sys.executable, "-c", script, str(directory)] for directory in directories]) == 5
    teller.join()
    assert all((directory / "told").exists() for directory in directories)
