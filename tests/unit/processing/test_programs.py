import os
from pathlib import Path

import pytest

from balsam.exceptions import StepError
from balsam.processing.programs import find_program, split_command


def program(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


def test_a_command_is_split_as_a_shell_does_it():
    assert split_command("""pre.py --name 'a b' "c\\"d" e\\ f""") == ["pre.py", "--name", "a b", 'c"d', "e f"]


def test_nothing_but_quotes_is_special():
    words = ["pre", "$HOME;", "rm", "-rf", "*", "|", "`id`", "&&", "x", ">", "y"]
    assert split_command(" ".join(words)) == words


def test_the_home_directory_is_expanded_in_every_word(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert split_command("~/pre.sh ~/in a~") == ["/home/me/pre.sh", "/home/me/in", "a~"]


def test_a_blank_command_has_no_words():
    assert split_command(" \n") == []


def test_an_unbalanced_quote_is_an_error_that_says_so():
    with pytest.raises(StepError, match="no closing quotation"):
        split_command("echo 'oops")


def test_a_name_is_looked_up_on_the_path_of_the_job(tmp_path: Path):
    found = program(tmp_path / "bin" / "tool")
    assert find_program("tool", {"PATH": f"/nowhere:{tmp_path}/bin"}, "/") == found


def test_a_relative_path_entry_is_seen_from_the_working_directory(tmp_path: Path):
    found = program(tmp_path / "bin" / "tool")
    assert os.path.samefile(find_program("tool", {"PATH": "bin"}, str(tmp_path)), found)


def test_what_may_not_be_executed_on_the_path_is_passed_over(tmp_path: Path):
    (tmp_path / "no").mkdir()
    (tmp_path / "no" / "tool").touch()
    found = program(tmp_path / "yes" / "tool")
    assert find_program("tool", {"PATH": f"{tmp_path}/no:{tmp_path}/yes"}, "/") == found


@pytest.mark.parametrize("word", ["./pre.sh", "sub/pre.sh", "pre.sh"])
def test_a_path_is_seen_from_the_working_directory_then_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str
):
    here, workdir = tmp_path / "here", tmp_path / "workdir"
    at_here = program(here / word)
    workdir.mkdir()
    monkeypatch.chdir(here)
    assert os.path.samefile(find_program(word, {"PATH": "/nowhere"}, str(workdir)), at_here)
    in_workdir = program(workdir / word)
    assert os.path.samefile(find_program(word, {"PATH": "/nowhere"}, str(workdir)), in_workdir)


def test_a_missing_program_is_an_error_that_says_where_it_was_looked_for(tmp_path: Path):
    with pytest.raises(StepError, match=rf"no such program on PATH \(/nowhere\), in {tmp_path}"):
        find_program("no-such-tool", {"PATH": "/nowhere"}, str(tmp_path))
    with pytest.raises(StepError, match="no such program relative to"):
        find_program("./no-such-tool", {}, str(tmp_path))


def test_a_script_that_is_not_executable_is_an_error_with_advice(tmp_path: Path):
    (tmp_path / "pre.py").touch()
    with pytest.raises(StepError, match=r"pre\.py is not executable.*chmod \+x .*python "):
        find_program(str(tmp_path / "pre.py"), {}, str(tmp_path))


def test_a_directory_is_no_program(tmp_path: Path):
    (tmp_path / "tool").mkdir()
    with pytest.raises(StepError, match="no such program"):
        find_program("./tool", {}, str(tmp_path))


def test_a_launcher_whose_directory_was_removed_still_finds_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    found = program(tmp_path / "workdir" / "tool")
    assert os.path.samefile(find_program("./tool", {}, str(tmp_path / "workdir")), found)
