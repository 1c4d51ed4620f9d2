import shutil
import subprocess
from pathlib import Path

import pytest

from balsam.exceptions import ConfigError
from balsam.remote.prompts import AT_TERMINAL, NOBODY, answered_by, prompts_for


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "answer"
    path.write_text("#!/bin/sh\necho secret\n")
    path.chmod(0o755)
    return path


def test_who_answers_depends_on_the_program_and_the_user(program: Path):
    assert prompts_for("", is_attended=True) is AT_TERMINAL
    assert prompts_for("", is_attended=False) is NOBODY
    for is_attended in (True, False):
        assert prompts_for(str(program), is_attended=is_attended) == answered_by(str(program))


def test_program_is_asked_by_ssh_itself_and_once(program: Path):
    prompts = answered_by(str(program))
    assert prompts.environ["SSH_ASKPASS"] == str(program)
    assert "NumberOfPasswordPrompts=1" in prompts.options
    assert "StrictHostKeyChecking=yes" in prompts.options


def test_program_is_found_on_path(program: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    assert answered_by("answer").environ["SSH_ASKPASS"] == str(program)


@pytest.mark.parametrize("name", ["/nowhere/ask", "no-such-program", "/etc/passwd", ""])
def test_program_that_cannot_be_run_is_told(name: str):
    with pytest.raises(ConfigError, match="--answer-with PROGRAM"):
        answered_by(name)


@pytest.mark.skipif(shutil.which("ssh") is None, reason="ssh is not installed")
def test_options_are_ones_that_ssh_knows(program: Path):
    for prompts in (AT_TERMINAL, NOBODY, answered_by(str(program))):
        command = ["ssh", "-F", "/dev/null", "-G", *prompts.options, "host"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
