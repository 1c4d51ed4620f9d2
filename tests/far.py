"""A database on "another machine": reached by ssh only, with a home of its own, whose user is the tester."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.commands import Finished, run_balsam
from tests.databases import discard_database
from tests.sshd import Login, Sshd, start_sshd

BIN_DIR = str(Path(sys.executable).parent)


@dataclass(frozen=True)
class FarSide:
    """The machine of the server: its home, the database ``testdb`` in it, and the way in."""

    home: Path
    sshd: Sshd

    @property
    def db_path(self) -> Path:
        return self.home / "testdb"

    def environ(self) -> dict[str, str]:
        """Environment of somebody who is logged in."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BALSAM_")}
        return {**kept, **session_environ(self.home)}

    def balsam(self, *args: str) -> Finished:
        """Run a command over there, as somebody who is logged in does."""
        return run_balsam(
            *args, cwd=self.home, env={**session_environ(self.home), "BALSAM_DB_PATH": str(self.db_path)}
        )

    def change_server_info(self, **changes: object) -> None:
        """Let `server-info` say something else, in one step."""
        path = self.db_path / "server-info"
        draft = path.with_name("server-info.new")
        draft.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
        draft.replace(path)


@dataclass(frozen=True)
class NearSide:
    """The user's machine: a home without any database, whose `ssh` leads to the far side."""

    home: Path
    environ: Mapping[str, str]

    def run(self, *lines: str, **environ: str) -> Finished:
        """Type lines in a bash that has no terminal."""
        done = subprocess.run(
            ["bash", "-c", "\n".join(lines)],
            cwd=self.home,
            env={**self.environ, **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr)


def session_environ(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "PATH": f"{BIN_DIR}:{os.environ['PATH']}"}


@contextmanager
def far_machine(login: Login | None = None, client_lines: Sequence[str] = ()) -> Iterator[FarSide]:
    """Make a far side that has no database yet; skips where there can be no sshd."""
    home = Path(tempfile.mkdtemp(prefix="far-", dir=os.environ["BALSAM_TEST_RUN_DIR"]))
    environ = session_environ(home)
    try:
        with start_sshd(home / "sshd", login=login, environ=environ, client_lines=client_lines) as sshd:
            yield FarSide(home, sshd)
    finally:
        discard_database(home / "testdb")
        shutil.rmtree(home)


@contextmanager
def far_side() -> Iterator[FarSide]:
    """Make a far side whose server runs."""
    with far_machine() as far:
        far.balsam("init", str(far.db_path)).check()
        far.balsam("server", "--connect").check()
        yield far


@contextmanager
def near_side(sshd: Sshd) -> Iterator[NearSide]:
    """Make a near side; what it has connected is disconnected at the end."""
    home = Path(tempfile.mkdtemp(prefix="near-", dir=os.environ["BALSAM_TEST_RUN_DIR"]))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BALSAM_")}
    path = f"{sshd.bin_dir}:{BIN_DIR}:{os.environ['PATH']}"
    near = NearSide(home, {**kept, "HOME": str(home), "PATH": path})
    try:
        yield near
    finally:
        near.run("for name in $(balsam remote ls -o ids); do balsam remote rm $name; done")
        shutil.rmtree(home)
