"""What a user's shell does: the three scripts, sourced in bash and zsh, strict or not."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.commands import Finished, run_balsam, script_path
from tests.databases import discard_database

Shell = Callable[..., Finished]
BIN_DIR = str(Path(sys.executable).parent)


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home of its own, with two databases; the name of one has a blank."""
    top = Path(tempfile.mkdtemp(prefix="act-", dir=os.environ["BALSAM_TEST_RUN_DIR"]))
    for name in ("climate", "my db"):
        run_balsam("init", top / name, env={"HOME": str(top)}).check()
    yield top
    for name in ("climate", "my db"):
        discard_database(top / name)
    shutil.rmtree(top)


@pytest.fixture(params=["bash -eu", "zsh -eu"])
def shell(request: pytest.FixtureRequest, home: Path) -> Shell:
    """Run lines in a new shell that stands in the home: ``shell("line", "line")``."""
    program, *options = request.param.split()
    skip_without(program)
    return lambda *lines: run_shell([program, *options], home, *lines)


def skip_without(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


def run_shell(command: list[str], home: Path, *lines: str) -> Finished:
    done = subprocess.run(
        [*command, "-c", "\n".join(lines)],
        cwd=home,
        env={**os.environ, "HOME": str(home), "PATH": f"{BIN_DIR}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("argument", ["climate", "clim", "./climate", "$PWD/climate", "climate/"])
def test_database_is_activated_by_name_or_directory(shell: Shell, home: Path, argument: str) -> None:
    done = shell(
        f'. balsamactivate "{argument}"', 'echo "at $BALSAM_DB_PATH"', "balsam server --status -o ids"
    )
    assert f"at {home}/climate\n{home}/climate\n" in done.check().stdout


@pytest.mark.parametrize("program", ["bash", "zsh"])
def test_shell_that_is_not_strict_goes_on_after_a_failure(program: str, home: Path) -> None:
    skip_without(program)
    done = run_shell(
        [program],
        home,
        ". balsamdeactivate",
        ". balsamactivate nowhere",
        "echo status $?",
        ". balsamactivate climate",
    ).check()
    assert "status 1" in done.stdout


def test_path_with_a_blank_is_activated(shell: Shell, home: Path) -> None:
    done = shell('. balsamactivate "my db"', 'env | grep "^BALSAM_DB_PATH=" ').check()
    assert f"BALSAM_DB_PATH={home}/my db" in done.stdout


def test_name_of_the_database_is_in_the_prompt_until_it_is_deactivated(shell: Shell) -> None:
    done = shell(
        'PS1="$ "',
        ". balsamactivate climate",
        'echo "now <$PS1>"',
        '. balsamactivate "my db"',
        'echo "now <$PS1>"',
        ". balsamdeactivate",
        'echo "now <$PS1> <${BALSAM_DB_PATH-none}> <${OLD_PS1-none}>"',
    ).check()
    shown = [line for line in done.stdout.splitlines() if line.startswith("now")]
    assert shown == ["now <[BalsamDB: climate] $ >", "now <[BalsamDB: my db] $ >", "now <$ > <none> <none>"]


def test_server_goes_on_when_the_shell_is_deactivated(shell: Shell, home: Path) -> None:
    shell(". balsamactivate climate", ". balsamdeactivate").check()
    assert run_balsam("server", "--status", env={"BALSAM_DB_PATH": f"{home}/climate"}).returncode == 0


@pytest.mark.parametrize("arguments", ["", "a b", "''"])
def test_other_than_one_argument_is_refused_with_the_known_databases(shell: Shell, arguments: str) -> None:
    done = shell(f"set -- {arguments}", '. balsamactivate "$@" || echo "status $?"')
    assert "status 1" in done.stdout
    assert "Usage" in done.stderr


@pytest.mark.parametrize(
    ("argument", "words"),
    [("nowhere", "No database matches"), (".", "server-info is missing"), ("m", "matches 2 databases")],
)
def test_what_is_no_database_leaves_the_shell_as_it_was(shell: Shell, argument: str, words: str) -> None:
    done = shell(f". balsamactivate {argument} || echo status $?", 'echo "<${BALSAM_DB_PATH-none}>"')
    assert "status 1\n<none>" in done.stdout
    assert words in done.stderr


def test_server_that_cannot_be_reached_leaves_the_shell_as_it_was(shell: Shell, home: Path) -> None:
    client = home / "client"
    client.mkdir(exist_ok=True)
    (client / "server-info").write_text('{"host": "localhost", "port": 1}')
    done = shell(
        '. balsamactivate "my db"',
        ". balsamactivate client || echo status $?",
        'echo "<$BALSAM_DB_PATH> <$PS1>"',
    )
    assert f"status 1\n<{home}/my db> <[BalsamDB: my db] >" in done.stdout
    assert "Nothing answers at localhost, port 1" in done.stderr


def test_deactivating_nothing_is_an_error(shell: Shell) -> None:
    done = shell(". balsamdeactivate || echo status $?")
    assert done.stdout == "status 1\n"
    assert "No database is active" in done.stderr


def test_no_functions_are_left_in_the_shell(shell: Shell) -> None:
    done = shell(". balsamactivate climate", ". balsamdeactivate || true", ". bcd x || true", "typeset -f")
    assert "_balsam" not in done.stdout


@pytest.mark.parametrize("name", ["balsamactivate", "balsamdeactivate", "bcd"])
@pytest.mark.parametrize("how", ["", "bash", "sh", "zsh"])
def test_script_that_is_run_instead_of_sourced_says_so(home: Path, name: str, how: str) -> None:
    if how:
        skip_without(how)
    command = [*how.split(), script_path(name), "climate"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"{name} must be sourced" in done.stderr


def test_shell_without_arguments_for_the_dot_command_is_refused(home: Path) -> None:
    done = run_shell(["sh"], home, f". {script_path('balsamactivate')} climate", "echo went on")
    if "Usage" in done.stderr or "Connected" in done.output or "Started" in done.output:
        pytest.skip("sh is bash here")
    assert "in bash or zsh" in done.stderr
    assert "went on" in done.stdout


@pytest.fixture(scope="module")
def job_id(home: Path) -> str:
    """A job of the first database, whose working directory exists."""
    code = (
        "from balsam.core.models import ApplicationDefinition as A, BalsamJob as J\n"
        "import os\n"
        "A(name='x', executable='/bin/true').save()\n"
        "j = J(name='a job', workflow='w', application='x'); j.save()\n"
        "J(name='new', workflow='w', application='x').save()\n"
        "os.makedirs(j.working_directory); print(j.job_id)\n"
    )
    run_shell(["bash"], home, ". balsamactivate climate").check()
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "HOME": str(home), "BALSAM_DB_PATH": f"{home}/climate"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_bcd_goes_to_the_working_directory_of_a_job(shell: Shell, home: Path, job_id: str) -> None:
    done = shell(". balsamactivate climate", f". bcd {job_id[:8]}", "pwd").check()
    assert done.stdout.endswith(f"{home}/climate/data/w/a_job_{job_id[:8]}\n")


@pytest.mark.parametrize(
    "argument", ["zzzz", "-", "');import os;os.mkdir('pwned')#", "--help-me", "x' OR '1'='1"]
)
def test_bcd_takes_an_id_for_nothing_but_an_id(shell: Shell, home: Path, job_id: str, argument: str) -> None:
    done = shell(". balsamactivate climate", f'id="{argument}"', '. bcd "$id" || echo "status $?"', "pwd")
    assert done.stdout.endswith(f"status 1\n{home}\n")
    assert not (home / "pwned").exists()


def test_bcd_to_a_directory_that_does_not_exist_yet_says_so(shell: Shell, home: Path, job_id: str) -> None:
    done = shell(
        ". balsamactivate climate",
        f"id=$(balsam ls -o ids | grep -v {job_id[:8]})",
        ". bcd $id",
        "pwd",
    ).check()
    assert "does not exist yet" in done.stderr
    assert done.stdout.endswith(f"{home}\n")
