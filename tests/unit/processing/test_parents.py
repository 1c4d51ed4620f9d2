import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from balsam.exceptions import StepError
from balsam.processing.interruption import Interruption
from balsam.processing.parents import link_parents
from balsam.schemas.jobs import ParentDir
from tests.unit.processing.specs import parent_dir, step_spec


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    path = tmp_path / "child"
    path.mkdir()
    return path


@pytest.fixture
def parents(tmp_path: Path) -> tuple[ParentDir, ParentDir]:
    return parent_dir(tmp_path / "one"), parent_dir(tmp_path / "two")


def link(workdir: Path, parents: tuple[ParentDir, ...], patterns: str, name: str = "child") -> list[str]:
    spec = step_spec(workdir, parents=parents, input_files=patterns, name=name)
    return link_parents(spec, Interruption())


def write(parent: ParentDir, name: str) -> Path:
    path = Path(parent.workdir, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(parent.job_id)
    return path


def links(workdir: Path) -> dict[str, str]:
    return {path.name: os.readlink(path) for path in workdir.iterdir()}


def test_files_and_directories_are_linked_under_their_names(workdir: Path, parents):
    file, directory = write(parents[0], "a.dat"), write(parents[0], "results/b").parent
    write(parents[0], "unwanted")
    assert link(workdir, parents, "*.dat results") == []
    assert links(workdir) == {"a.dat": str(file), "results": str(directory)}


def test_the_first_parent_gets_the_plain_name_and_the_others_a_suffix(workdir: Path, parents):
    first, second = write(parents[0], "square.dat"), write(parents[1], "square.dat")
    link(workdir, parents, "square*.dat*")
    assert links(workdir) == {
        "square.dat": str(first),
        f"square.dat_{parents[1].job_id[:8]}": str(second),
    }


def test_linking_again_changes_nothing(workdir: Path, parents):
    for parent in parents:
        write(parent, "square.dat")
        write(parent, "sub/square.dat")
    link(workdir, parents, "square.dat */square.dat")
    before = links(workdir)
    assert len(before) == 4
    link(workdir, parents, "square.dat */square.dat")
    assert links(workdir) == before


def test_a_file_that_is_there_already_is_kept(workdir: Path, parents):
    target = write(parents[0], "a")
    (workdir / "a").write_text("mine")
    link(workdir, parents, "a")
    assert (workdir / "a").read_text() == "mine"
    assert os.readlink(workdir / f"a_{parents[0].job_id[:8]}") == str(target)


def test_files_of_one_name_in_one_parent_all_get_a_link(workdir: Path, parents):
    targets = [str(write(parents[0], f"{number}/a")) for number in range(4)]
    link(workdir, parents, "*/a")
    assert sorted(links(workdir).values()) == targets


@pytest.mark.parametrize("name", ["preprocess.log", "postprocess.log", "child.out"])
def test_what_the_job_writes_itself_never_leads_into_a_parent(workdir: Path, parents, name: str):
    target = write(parents[0], name)
    link(workdir, parents, "*")
    assert links(workdir) == {f"{name}_{parents[0].job_id[:8]}": str(target)}


@pytest.mark.parametrize("pattern", ["../*", "/etc/*", "a/../../b"])
def test_a_pattern_that_leads_out_of_the_parent_is_refused(workdir: Path, parents, pattern: str):
    with pytest.raises(StepError, match="leads out"):
        link(workdir, parents, pattern)
    assert links(workdir) == {}


def test_a_pattern_that_matches_nothing_is_noted(workdir: Path, parents):
    write(parents[1], "a")
    assert link(workdir, parents, "a b*") == ["'b*' matches nothing in any parent"]


def test_a_parent_without_a_directory_is_no_error(workdir: Path, tmp_path: Path):
    gone = ParentDir("0" * 8, str(tmp_path / "gone"))
    assert link(workdir, (gone,), "*") == ["'*' matches nothing in any parent"]


def test_a_job_without_parents_links_nothing(workdir: Path):
    assert link(workdir, (), "*") == []


def test_a_job_that_works_in_its_parents_directory_links_nothing(tmp_path: Path):
    parent = parent_dir(tmp_path / "shared")
    write(parent, "a")
    link(Path(parent.workdir), (parent,), "*")
    assert os.listdir(parent.workdir) == ["a"]


def test_a_job_inside_its_parents_directory_does_not_link_itself(tmp_path: Path):
    parent = parent_dir(tmp_path / "parent")
    child = tmp_path / "parent" / "sub" / "child"
    child.mkdir(parents=True)
    target = write(parent, "a")
    link(child, (parent,), "*")
    assert links(child) == {"a": str(target)}


def test_a_link_that_cannot_be_made_is_an_error_with_its_reason(workdir: Path, parents):
    write(parents[0], "a")
    workdir.rmdir()
    with pytest.raises(StepError, match=r"Cannot link .*one/a as .*child/a: no such file"):
        link(workdir, parents, "a")


names = (
    st.binary(min_size=1, max_size=20)
    .filter(lambda name: not set(name) & {0, ord("/")} and name not in (b".", b".."))
    .map(os.fsdecode)
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@example(files=[{"\x01", "*"}])
@given(files=st.lists(st.sets(names, max_size=5), min_size=1, max_size=3))
def test_every_file_of_every_parent_has_one_link(tmp_path_factory: pytest.TempPathFactory, files):
    top = tmp_path_factory.mktemp("top")
    workdir = top / "child"
    workdir.mkdir()
    parents = tuple(parent_dir(top / f"parent{number}") for number in range(len(files)))
    targets = {
        str(write(parent, name)) for parent, group in zip(parents, files, strict=True) for name in group
    }
    for _ in range(2):
        link(workdir, parents, "* .*")
        assert sorted(links(workdir).values()) == sorted(targets)
        assert sorted(path.name for path in top.iterdir()) == sorted(
            ["child", *(f"parent{number}" for number in range(len(files)))]
        )
