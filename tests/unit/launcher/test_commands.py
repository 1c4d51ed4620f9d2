import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balsam.exceptions import JobStartError
from balsam.launcher.commands import split_command, with_envscript


@given(st.lists(st.text().filter(lambda word: not word.startswith("~")), min_size=1))
def test_quoted_words_come_out_as_they_went_in(words: list[str]) -> None:
    assert split_command(shlex.join(words)) == words


@given(st.text(alphabet="ab /=\t\n\"'\\$`;|&*#\u00a0\x0b"))
def test_every_text_is_split_as_a_shell_does_or_refused(text: str) -> None:
    try:
        words = split_command(text)
    except JobStartError:
        return
    assert words == shlex.split(text)


def test_the_home_directory_is_expanded_in_each_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert split_command("~/bin/app ~ --in=~/x a~b") == ["/home/me/bin/app", "/home/me", "--in=~/x", "a~b"]


def test_nothing_else_is_expanded() -> None:
    words = split_command("app $HOME `id` $(id) *.txt a;b | c && d > e # f")
    assert words == ["app", "$HOME", "`id`", "$(id)", "*.txt", "a;b", "|", "c", "&&", "d", ">", "e", "#", "f"]


@pytest.mark.parametrize("text", ["echo 'a", 'echo "a', "echo a\\"])
def test_a_quote_without_its_partner_is_refused(text: str) -> None:
    with pytest.raises(JobStartError, match="Cannot split the command"):
        split_command(text)


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_command_is_refused(text: str) -> None:
    with pytest.raises(JobStartError, match="no command"):
        split_command(text)


def test_without_an_envscript_the_command_stays_as_it_is() -> None:
    assert with_envscript(["a", "b c"], "") == ["a", "b c"]


class TestEnvscript:
    """What bash makes of it; the scripts are real."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "env 'it' $x.sh"

    def run(self, path: Path, text: str, argv: list[str]) -> "subprocess.CompletedProcess[str]":
        path.write_text(text)
        return subprocess.run(
            with_envscript(argv, str(path)), capture_output=True, text=True, check=False, timeout=30
        )

    def test_its_variables_reach_the_command_and_the_arguments_stay_whole(self, path: Path) -> None:
        words = ["a b", "$HOME", "'", '"', "*", ""]
        done = self.run(
            path, "export A=1; echo $#", ["sh", "-c", 'echo $A; printf "<%s>" "$@"', "sh", *words]
        )
        assert done.stdout == "0\n1\n" + "".join(f"<{word}>" for word in words)
        assert done.returncode == 0 and done.stderr == ""

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("false", 1),
            ("set -e\nfalse\necho never", 1),
            ("exit 7", 7),
            ("exit 0", 1),
            ("return 5", 5),
            ("if then", 2),
        ],
    )
    def test_its_failure_fails_the_job_and_says_so(self, path: Path, text: str, code: int) -> None:
        done = self.run(path, text, ["echo", "ran"])
        assert done.returncode == code
        assert "ran" not in done.stdout and "never" not in done.stdout
        assert "the command was not run" in done.stderr

    def test_a_missing_one_fails_the_job(self, tmp_path: Path) -> None:
        argv = with_envscript(["echo", "ran"], str(tmp_path / "absent"))
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
        assert done.returncode == 1 and done.stdout == ""
        assert "No such file" in done.stderr and "the command was not run" in done.stderr

    def test_a_command_that_cannot_be_run_keeps_the_shells_exit_code(self, path: Path) -> None:
        done = self.run(path, ":", ["/no/such/program"])
        assert done.returncode == 127 and "the command was not run" not in done.stderr
