"""The users' document about a remote client, typed line by line, with plain ssh, which asks for a code.

AlignTK and the scripts of aps-balsam are stand-ins, in `aligntk`, and the batch system over there is Balsam's
own small queue.
"""

import getpass
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from balsam.postgres.connecting import short_hostname
from tests.commands import Finished
from tests.far import FarSide, NearSide, far_machine, near_side
from tests.sshd import Login
from tests.waiting import wait_until

HERE = Path(__file__).parent
DOCUMENT = (HERE / "documents" / "theta-xray-service.txt").read_text()
LOGIN = Login()
#: What ssh asks; only root's sshd can ask.
QUESTIONS = list(LOGIN.questions) if os.geteuid() == 0 else []
#: What the document puts into `~/.ssh/config`.
SSH_CONFIG = "Host *\nControlMaster auto\nControlPath ~/.ssh/master-%r@%h:%p\n"


def block(first_line: str) -> str:
    """Return the block of the document that starts with a line."""
    found = re.search(rf"^```\n({re.escape(first_line)}\n.*?)^```", DOCUMENT, re.M | re.S)
    assert found, f"the document has no block that starts with {first_line}"
    return found[1]


@pytest.fixture
def sockets() -> Iterator[Path]:
    """A short path for the shared connections: ssh looks for `~` in the table of users, not in HOME."""
    with tempfile.TemporaryDirectory(prefix="xray-", dir="/tmp") as name:
        yield Path(name)


@pytest.fixture
def theta(sockets: Path) -> Iterator[FarSide]:
    """Theta, with AlignTK and a copy of aps-balsam in the home."""
    lines = SSH_CONFIG.replace("~/.ssh", str(sockets)).splitlines()
    with far_machine(LOGIN if QUESTIONS else None, lines) as far:
        shutil.copytree(HERE / "aligntk", far.home / "aps-balsam/aligntk", symlinks=True)
        shutil.move(far.home / "aps-balsam/aligntk/bin", far.home / "aligntk-1.0.2/install/bin")
        yield far
        if (far.db_path / "server-info").exists():
            far.balsam("service", "--stop")


@pytest.fixture
def alcfxray1(theta: FarSide) -> Iterator[NearSide]:
    """The client: aps-balsam and some images in the home."""
    with near_side(theta.sshd) as near:
        shutil.copytree(HERE / "aligntk", near.home / "aps-balsam/aligntk", symlinks=True)
        images = near.home / "images/on/alcfxray1"
        images.mkdir(parents=True)
        for number in range(4):
            (images / f"slice{number}.tif").write_bytes(b"II*\0")
        yield near
        near.run("ssh -O exit theta")


def fill_in(text: str, theta: FarSide) -> str:
    """Replace the document's names by those of the test."""
    return text.replace("/path/to/testdb", str(theta.db_path)).replace("msalim@", f"{getpass.getuser()}@")


def on_theta(theta: FarSide, lines: str) -> Finished:
    near = NearSide(theta.home, theta.environ())
    return near.run("set -e", fill_in(lines, theta)).check()


def type_at_terminal(near: NearSide, lines: str) -> tuple[str, list[str]]:
    """Type lines at a terminal and answer ssh's questions; returns what was shown, and the questions."""
    environ = dict(near.environ)
    child = pexpect.spawn(
        "bash", ["-ec", lines], env=environ, cwd=str(near.home), timeout=60, encoding="utf-8"
    )
    shown, asked = "", []
    while (which := child.expect_exact([*QUESTIONS, pexpect.EOF])) < len(QUESTIONS):
        shown += child.before or ""
        asked.append(QUESTIONS[which])
        child.sendline(LOGIN.questions[QUESTIONS[which]])
    shown += child.before or ""
    child.close()
    assert child.exitstatus == 0, shown
    return shown, asked


def set_up_theta(theta: FarSide) -> None:
    """Type the document's first half."""
    set_up = block("module load balsam").removeprefix("module load balsam\n")
    on_theta(theta, set_up)
    on_theta(theta, block("mdkir /path/to/testdb/transferred_images").replace("mdkir", "mkdir"))
    apps = block("# after setting aligntk_bin above")
    done = on_theta(theta, f". balsamactivate testdb\ncd aps-balsam/aligntk\n{apps}")
    for name in ("find_rst", "register", "align"):
        assert f"aligntk-1.0.2/install/bin/{name} " in done.stdout
    assert "pre_findrst.py" in done.stdout


def set_up_service(theta: FarSide) -> None:
    """Edit the policy as the document says, for a machine of one node, and stand the service up."""
    home = theta.home / ".balsam"
    (home / "settings.json").write_text('{"SCHEDULER_CLASS": "local"}')
    debug, found, default = (home / "theta_policy.ini").read_text().partition("[default]")
    assert found, "balsam init leaves a policy with the queue"
    debug = debug.replace("submit-jobs = on", "submit-jobs = off")
    default = default.replace("submit-jobs = off", "submit-jobs = on").replace(
        "max-queued = 20", "max-queued = 1"
    )
    default = default.replace('"min-nodes": 128,', '"min-nodes": 1,').replace(
        '"min-time": 0.5,', '"min-time": 0,'
    )
    (home / "theta_policy.ini").write_text(debug + found + default)
    assert "Starting Balsam service" in theta.balsam("service").check().stdout


def test_document_works_line_by_line(theta: FarSide, alcfxray1: NearSide) -> None:
    assert SSH_CONFIG in DOCUMENT
    set_up_theta(theta)
    written = (theta.db_path / "server-info").read_bytes()

    _, asked = type_at_terminal(alcfxray1, fill_in(block("mkdir ~/db"), theta))
    assert asked == QUESTIONS
    submit = fill_in(block("cd ~/aps-balsam/aligntk"), theta)
    shown, asked = type_at_terminal(alcfxray1, submit)
    assert "added 3 jobs to the workflow alcfxray1" in shown
    assert asked == QUESTIONS, "the tunnel asks once, and the copying not again"

    transferred = theta.db_path / "transferred_images/alcfxray1"
    assert len(list(transferred.glob("*.tif"))) == 4
    listed = on_theta(theta, ". balsamactivate testdb\nbalsam ls -o json").stdout
    rows = json.loads(listed[listed.index("{") :])["rows"]
    assert {row["name"]: row["state"] for row in rows} == {
        "find_rst": "STAGED_IN",
        "register": "AWAITING_PARENTS",
        "align": "AWAITING_PARENTS",
    }

    info = json.loads((alcfxray1.home / "db/server-info").read_text())
    assert (info["host"], info["port"]) == ("localhost", json.loads(written)["port"])
    assert info["thetahost"] == json.loads(written)["host"]
    assert [path.name for path in (alcfxray1.home / "db").iterdir()] == ["server-info"]
    assert (theta.db_path / "server-info").read_bytes() == written

    again = submit.replace("~/images/on/alcfxray1", "~/images/on/more")
    alcfxray1.run("cp -r images/on/alcfxray1 images/on/more").check()
    shown, asked = type_at_terminal(alcfxray1, again)
    assert "added 3 jobs to the workflow more" in shown
    assert asked == [], "the tunnel stays in the background"


def count_finished(near: NearSide) -> int:
    return len(
        near.run("BALSAM_DB_PATH=~/db balsam ls --state JOB_FINISHED -o ids").check().stdout.splitlines()
    )


def test_workflow_of_a_client_runs_without_a_hand_on_the_server(theta: FarSide, alcfxray1: NearSide) -> None:
    set_up_theta(theta)
    set_up_service(theta)
    submit = fill_in(block("mkdir ~/db") + block("cd ~/aps-balsam/aligntk"), theta)
    type_at_terminal(alcfxray1, submit.replace("./submit", "./submit --num-nodes 1"))
    done = alcfxray1.run(". balsamactivate ~/db", "balsam ls --verbose", "balsam ls apps").check()
    assert f"{theta.db_path}/data/alcfxray1/find_rst_" in done.stdout
    assert str(alcfxray1.home / "db/data") not in done.stdout

    wait_until(lambda: count_finished(alcfxray1) == 3, 120, what="the end of the workflow")
    (service_log,) = theta.db_path.glob("log/service_*.log")
    said = service_log.read_text()
    assert f"host {short_hostname()}" in said.splitlines()[0]
    assert "to default: " in said
    assert "to debug-flat-quad: " not in said
    (output,) = theta.db_path.glob("data/alcfxray1/align_*/amaps")
    assert sorted(path.name for path in output.iterdir()) == [f"slice{n}_slice{n + 1}" for n in range(3)]
    assert [path.name for path in (alcfxray1.home / "db").iterdir()] == ["server-info"]


def test_client_starts_no_server_when_the_far_one_is_down(theta: FarSide, alcfxray1: NearSide) -> None:
    set_up_theta(theta)
    type_at_terminal(alcfxray1, fill_in(block("mkdir ~/db") + block("cd ~/aps-balsam/aligntk"), theta))
    theta.balsam("server", "--stop").check()
    for line in (". balsamactivate ~/db", "BALSAM_DB_PATH=~/db balsam ls"):
        done = alcfxray1.run(line)
        assert done.returncode != 0
        assert "localhost" in done.stderr
    assert [path.name for path in (alcfxray1.home / "db").iterdir()] == ["server-info"]
    assert theta.balsam("server", "--status").returncode == 6
