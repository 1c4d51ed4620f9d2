"""The users' document about a site on Theta, line by line: on one's own database, and through a server."""

import getpass
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pexpect
import pytest

from balsam.selftest.setting_up import make_fake
from tests.commands import Finished, run_balsam, script_path
from tests.launching import script
from tests.serving import leave
from tests.waiting import wait_until

DOCUMENT = (Path(__file__).parent / "documents" / "site-on-theta.txt").read_text()
#: What is typed, in order; the lines about installing Balsam are left to whoever runs the tests.
TYPED = re.findall(r"^\$ (.+)$", DOCUMENT.split("## Log In")[1], re.M)
PASSWORD = "a throwaway one"
#: Passes over its options, which are those of aprun, and runs the command behind them once.
APRUN = '#!/bin/bash\nwhile [ $# -gt 0 ] && [ "$1" != /bin/bash ]; do shift; done\nexec "$@"\n'
HOOKS = """
    def preprocess(self):
        self.job.data = {"prepared": True}
        self.job.state = "PREPROCESSED"

    def postprocess(self):
        self.job.state = "POSTPROCESSED"

    def shell_preamble(self):
        return ["export GREETED=yes", "echo preamble $GREETED"]

    def handle_timeout(self):
        self.job.state = "RESTART_READY"

    def handle_error(self):
        self.job.state = "FAILED"
"""


@dataclass
class Terminal:
    """A shell of the user of the document."""

    env: dict[str, str]
    cwd: Path
    address: str = ""
    typed: list[str] = field(default_factory=list)

    def type(self, start: str, input: str = "") -> Finished:
        """Type the next line of the document, which starts so."""
        line = TYPED[len(self.typed)]
        assert line.startswith(start), f"the document goes on with {line!r}"
        self.typed.append(line)
        command = line.split("   #")[0].strip()
        if command.startswith("cd "):
            self.cwd /= command.removeprefix("cd ")
            return Finished(0, "", "")
        if command.startswith("export "):
            name, _, value = command.removeprefix("export ").partition("=")
            self.env[name] = value
            return Finished(0, "", "")
        if command.startswith("watch "):
            command = command.removeprefix("watch ").strip('"')
        return self.run(command, input).check()

    def run(self, command: str, input: str = "") -> Finished:
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.cwd, env=self.env, input=input, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip
        return Finished(done.returncode, done.stdout, done.stderr)

    def rows(self, command: str) -> list[dict[str, Any]]:
        """Return what a listing says, as JSON."""
        found: list[dict[str, Any]] = json.loads(self.run(f"{command} -o json").check().stdout)["rows"]
        return found

    def answer(self, start: str, *dialogue: tuple[str, str]) -> str:
        """Type a line that asks, at a terminal, and answer each question."""
        line = TYPED[len(self.typed)]
        assert line.startswith(start)
        self.typed.append(line)
        child = pexpect.spawn("bash", ["-c", line], cwd=self.cwd, env=self.env, encoding="utf-8", timeout=60)
        said = ""
        for question, reply in dialogue:
            child.expect_exact(question)
            said += child.before + question
            child.sendline(reply)
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 0, said + child.before
        return said + str(child.before)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The environment of a login node of Theta, whose batch system is a fake."""
    queues = {"debug-cache-quad": {"max_nodes": 8}}
    commands = make_fake("cobalt", tmp_path / "fake", queues=queues, projects=["datascience"])
    script(commands, "aprun", APRUN)
    own = Path(script_path("balsam")).parent
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BALSAM")}
    return {
        **kept,
        "PATH": f"{commands}{os.pathsep}{own}{os.pathsep}{os.environ['PATH']}",
        "BALSAM_HOME": str(tmp_path / "home"),
        "HOME": str(tmp_path),
        "USER": getpass.getuser(),
    }


@pytest.fixture(params=["own database", "server"])
def terminal(
    request: pytest.FixtureRequest, db: Path, tmp_path: Path, environ: dict[str, str]
) -> Iterator[Terminal]:
    """The user in an empty directory; without a server the login is left out, as nothing needs one."""
    own = {"BALSAM_DB_PATH": str(db)}
    if request.param == "own database":
        user = Terminal({**environ, **own}, tmp_path, typed=TYPED[:2])
        yield user
    else:
        leave(db)
        run_balsam("server", "up", "--port", 0, env=own).check()
        told = run_balsam("server", "status", env=own).check().stdout
        found = re.search(r"https?://\S+\d", told)
        assert found, told
        user = Terminal(environ, tmp_path, address=found[0])
        yield user
    user.run("balsam site stop")
    if user.address:
        run_balsam("server", "down", env=own).check()


def log_in(user: Terminal) -> None:
    """Register and log in, as the prompts ask."""
    address, name = ("Balsam server address", user.address), ("Balsam username", "ada")
    twice = ("Password: ", PASSWORD), ("Confirm Password: ", PASSWORD)
    assert "Registration success!" in user.answer("balsam register", address, name, *twice)
    said = user.answer("balsam login", address, name, ("Balsam password: ", PASSWORD))
    assert "Logged In" in said and PASSWORD not in said


def make_site(user: Terminal) -> None:
    user.type("export BALSAM_LOG_LEVEL=WARNING")
    made = user.type("balsam site init my-site", "Theta-KNL\nmy-host\n")
    assert "Theta-KNL" in made.stdout
    assert f"New Balsam site set up at {user.cwd / 'my-site'}" in made.stdout
    user.type("cd my-site")
    assert "my-host" in user.type("balsam site ls").stdout
    assert (user.cwd / "apps" / "demo.py").exists() and (user.cwd / "logs").is_dir()
    settings = user.cwd / "settings.yml"
    text = settings.read_text()
    assert "machine: theta\n" in text and "debug-cache-quad" in text
    for before, after in (("idle_ttl_sec: 60", "idle_ttl_sec: 2"), ("sync_period: 10", "sync_period: 0.5")):
        assert before in text
        text = text.replace(before, after)
    settings.write_text(text)
    template = user.cwd / "job-template.sh"  # batch jobs find aprun where Theta has it
    head, comment, rest = template.read_text().partition("# What your jobs need goes here")
    assert comment
    template.write_text(f"{head}export PATH={user.env['PATH']}\n{comment}{rest}")


def set_up_apps(user: Terminal) -> None:
    name, template = re.findall(r"^Application .*?: (.*\S)\s*$", DOCUMENT, re.M)
    template_question = "Application Template [e.g. 'echo Hello {{ name }}!']"
    user.answer(
        "balsam app create",
        ("Application Name (of the form MODULE.CLASS): ", name),
        (f"{template_question}: ", template.removeprefix(f"{template_question}: ")),
    )
    file = user.cwd / "apps" / "test.py"
    text = file.read_text()
    assert "{{ sleeptime }} && echo goodbye" in text
    file.write_text(text[: text.index("    # Remove the signs")] + HOOKS.strip("\n") + "\n")
    assert "UPDATED      test.Hello" in user.type("balsam app sync").stdout
    assert "test.Hello" in user.type("balsam app ls").stdout


def add_jobs(user: Terminal) -> None:
    assert "create" in user.type("balsam job --help").stdout
    assert "--param" in user.type("balsam job create --help").stdout
    for number in (1, 2):
        made = user.type("balsam job create --app test.Hello", "y\n").stdout
        assert f"workdir: test/{number}\n" in made and "Do you want to create this Job?" in made
        assert f"Added Job id={number}" in made
    boilerplate = re.search(r"```python\n(.*?)```", DOCUMENT, re.S)
    assert boilerplate
    (user.cwd / "jobs.py").write_text(boilerplate[1].replace("3", "0"))  # nobody waits for them here
    user.run(f"{sys.executable} jobs.py").check()
    assert "test-api/9" in user.type("balsam job ls").stdout
    jobs = user.rows("balsam job ls")
    assert [job["workdir"] for job in jobs] == [
        *(f"test/{n}" for n in (1, 2)),
        *(f"test-api/{n}" for n in range(10)),
    ]
    assert {job["app"] for job in jobs} == {"Hello"} and {job["site"] for job in jobs} == {"my-host"}


def run_jobs(user: Terminal) -> None:
    assert "Started Balsam site daemon" in user.type("balsam site start").stdout
    stop = TYPED.index("balsam site stop")
    user.typed.append(TYPED[stop])  # typed at the end
    assert "state: pending_submission" in user.type("balsam queue submit").stdout

    def is_listed() -> bool:
        said = user.run(TYPED[len(user.typed)].removeprefix("watch ").strip('"')).check().stdout
        return "debug-cache-quad" in said and bool(user.rows("balsam queue ls --history")[0]["scheduler_id"])

    wait_until(is_listed, 60)
    user.type("watch")

    def are_over() -> bool:
        return {job["state"] for job in user.rows("balsam job ls")} <= {"JOB_FINISHED", "FAILED"}

    wait_until(are_over, 180)
    assert "JOB_FINISHED" in user.type("balsam job ls").stdout
    assert {job["state"] for job in user.rows("balsam job ls")} == {"JOB_FINISHED"}
    assert (user.cwd / "data/test/1/job.out").read_text() == "preamble yes\nhello world\ngoodbye\n"
    assert len(list((user.cwd / "data/test-api").iterdir())) == 10
    assert list((user.cwd / "logs").glob("*.log"))
    assert "Site daemon shutdown OK" in user.run("balsam site stop").check().stdout
    assert user.typed == TYPED


def test_document_is_followed_line_by_line(terminal: Terminal):
    if terminal.address:
        log_in(terminal)
    make_site(terminal)
    set_up_apps(terminal)
    add_jobs(terminal)
    try:
        run_jobs(terminal)
    finally:
        for log in [*terminal.cwd.glob("log/*"), *terminal.cwd.glob("qsubmit/*")]:
            print(f"== {log}\n{log.read_text(errors='backslashreplace')}")
