"""The users' document about the Python API, typed line by line, on a database of its own.

The batch submission is replaced by a launcher on this machine.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from balsam.cli.demo_app import app_text

DOCUMENT = (Path(__file__).parent / "documents" / "python-api.txt").read_text()
PYTHON = re.findall(r"^```python\n(.*?)^```", DOCUMENT, re.M | re.S)
(SHELL,) = re.findall(r"^```bash\n(.*?)^```", DOCUMENT, re.M | re.S)
LAUNCHER = "balsam launcher --consume-all --job-mode=serial"


class Shell:
    """A directory with a home, a database and an application, and a way to type in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        home = directory / "home"
        home.mkdir()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BALSAM_")}
        self.environ = {**kept, "HOME": str(home), "PATH": f"{Path(sys.executable).parent}:{kept['PATH']}"}

    def type(self, lines: str) -> str:
        """Run lines in a bash with the database active; returns what they print, stderr included."""
        text = f"set -e\n. balsamactivate db >activate.log 2>&1\n{lines}"
        done = subprocess.run(
            ["bash", "-c", text],
            cwd=self.directory,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{lines}\n{done.stdout}"
        return done.stdout

    def write_app(self, text: str) -> None:
        """Save a file as the document's app.py, executable."""
        app = self.directory / "app.py"
        app.write_text(text)
        app.chmod(0o755)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path)
    subprocess.run(["balsam", "init", "db"], cwd=tmp_path, env=shell.environ, check=True)
    yield shell
    shell.type("balsam server --stop")


def app_of_the_steps() -> str:
    """Put the document's single steps together, as a reader would."""
    models, bootstrap, run, create_jobs, entry_point = PYTHON[:5]
    return "\n".join(
        [
            "#!/usr/bin/env python",
            "import sys",
            models,
            "from balsam.launcher.dag import current_job",
            bootstrap,
            run,
            create_jobs,
            entry_point,
        ]
    )


@pytest.mark.parametrize(
    "app", [PYTHON[-1], app_of_the_steps()], ids=["the full example", "the single steps"]
)
def test_ten_numbers_are_squared(shell: Shell, app: str):
    shell.write_app(app)
    assert "Created 10 jobs" in shell.type("python app.py 10")
    listing = shell.type("BALSAM_LS_FIELDS=data balsam ls")
    assert "{'x': 9}" in listing
    shell.type(LAUNCHER)
    listing = shell.type("BALSAM_LS_FIELDS=data balsam ls")
    assert listing.count("JOB_FINISHED") == 10
    for x in range(10):
        assert f"{{'x': {x}, 'y': {x * x}}}" in listing


def test_lines_of_the_document_are_those_typed_here():
    for line in ("python app.py 10", "BALSAM_LS_FIELDS=data balsam ls"):
        assert f"\n{line}\n" in SHELL


def test_demo_writes_the_full_example():
    assert app_text("/usr/bin/env python") == PYTHON[-1]


def test_file_can_be_run_again_from_another_path(shell: Shell):
    shell.write_app(PYTHON[-1])
    shell.type("python app.py 1")
    shell.type("mkdir elsewhere; cp app.py elsewhere/; python elsewhere/app.py 1")
    apps = shell.type("balsam ls apps --verbose")
    assert apps.count("executable:") == 1
    assert f"{shell.directory}/app.py" in apps
    shell.type(LAUNCHER)
    assert "JOB_FINISHED  2" in shell.type("balsam ls --by-states")
