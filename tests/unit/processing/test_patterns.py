from pathlib import Path

import pytest

from balsam.exceptions import StepError
from balsam.processing.patterns import matches, matches_inside, words


def test_words_are_split_at_blanks():
    assert words(" a*.dat\n b/c ") == ["a*.dat", "b/c"]


def test_quotes_keep_a_name_with_blanks_together():
    assert words("'a b.dat' local:\"/x y\"") == ["a b.dat", "local:/x y"]


def test_an_unbalanced_quote_is_part_of_the_name():
    assert words("it's a") == ["it's", "a"]


def test_matches_are_sorted_and_leave_hidden_files_out(tmp_path: Path):
    for name in ("b", "a", ".hidden"):
        (tmp_path / name).touch()
    assert matches(f"{tmp_path}/*") == [f"{tmp_path}/a", f"{tmp_path}/b"]


def test_a_name_with_wildcards_that_exists_is_meant_literally(tmp_path: Path):
    (tmp_path / "[x]*").touch()
    (tmp_path / "x").touch()
    assert matches(f"{tmp_path}/[x]*") == [f"{tmp_path}/[x]*"]
    assert matches_inside(str(tmp_path), "[x]*") == ["[x]*"]


def test_a_slash_at_the_end_is_ignored(tmp_path: Path):
    (tmp_path / "sub").mkdir()
    assert matches(f"{tmp_path}/sub/") == [f"{tmp_path}/sub"]
    assert matches_inside(str(tmp_path), "su*/") == ["sub"]


def test_patterns_reach_into_directories(tmp_path: Path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.dat").touch()
    assert matches_inside(str(tmp_path), "./*/*.dat") == ["sub/a.dat"]


@pytest.mark.parametrize("pattern", ["/etc/passwd", "../x", "a/../../x", "..", "*/../.."])
def test_a_pattern_that_leads_out_is_refused(tmp_path: Path, pattern: str):
    with pytest.raises(StepError, match="leads out of"):
        matches_inside(str(tmp_path), pattern)


@pytest.mark.parametrize("pattern", ["", ".", "./", "./."])
def test_a_pattern_for_the_directory_itself_is_refused(tmp_path: Path, pattern: str):
    with pytest.raises(StepError, match="itself"):
        matches_inside(str(tmp_path), pattern)
