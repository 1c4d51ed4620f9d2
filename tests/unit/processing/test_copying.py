import os
import socket
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from balsam.exceptions import StepError, StepInterrupted
from balsam.processing import copying
from balsam.processing.copying import Copier
from balsam.processing.interruption import Interruption


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "target"
    path.mkdir()
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.mkdir()
    return path


def copy(source: Path, target: Path, **options: bool) -> list[str]:
    copier = Copier(str(target), Interruption(), **options)
    copier.copy(str(source))
    return copier.notes


def test_a_file_keeps_its_mode_and_time(source: Path, target: Path):
    file = source / "run.sh"
    file.write_text("echo")
    file.chmod(0o750)
    os.utime(file, (1_000_000, 2_000_000))
    copy(file, target)
    copied = (target / "run.sh").stat()
    assert (target / "run.sh").read_text() == "echo"
    assert stat.S_IMODE(copied.st_mode) == 0o750
    assert copied.st_mtime == 2_000_000


def test_an_existing_file_is_replaced_whole_and_nothing_else_is_left(source: Path, target: Path):
    (source / "a").write_text("new")
    (target / "a").write_text("a longer old text")
    with open(target / "a") as reader:
        copy(source / "a", target)
        assert reader.read() == "a longer old text"
    assert (target / "a").read_text() == "new"
    assert os.listdir(target) == ["a"]


def test_a_directory_is_copied_under_its_name_and_merged(source: Path, target: Path):
    (source / "sub").mkdir()
    (source / "sub" / "a").write_text("a")
    (target / "source").mkdir()
    (target / "source" / "kept").write_text("kept")
    copy(source, target)
    assert (target / "source" / "sub" / "a").read_text() == "a"
    assert (target / "source" / "kept").read_text() == "kept"


def test_a_directory_that_may_not_be_written_is_copied_twice(source: Path, target: Path):
    (source / "a").write_text("a")
    source.chmod(0o555)
    copy(source, target)
    copy(source, target)
    assert stat.S_IMODE((target / "source").stat().st_mode) == 0o555
    source.chmod(0o755)
    (target / "source").chmod(0o755)


def test_a_link_that_is_named_is_followed(source: Path, target: Path):
    (source / "a").write_text("a")
    (source / "link").symlink_to("a")
    copy(source / "link", target)
    assert not (target / "link").is_symlink()
    assert (target / "link").read_text() == "a"


def test_links_in_a_directory_stay_links_and_still_lead_somewhere(source: Path, target: Path):
    (source / "a").write_text("a")
    (source / "inner").symlink_to("a")
    (source.parent / "elsewhere").write_text("e")
    (source / "outer").symlink_to("../elsewhere")
    (source / "loop").symlink_to(".")
    copy(source, target)
    copied = target / "source"
    assert os.readlink(copied / "inner") == "a"
    assert (copied / "outer").read_text() == "e"
    assert os.readlink(copied / "loop") == "."


def test_a_link_to_nothing_stays_one(source: Path, target: Path):
    (source / "dangling").symlink_to("/nowhere/at/all")
    copy(source / "dangling", target)
    assert os.readlink(target / "dangling") == "/nowhere/at/all"


def test_a_link_in_the_target_is_replaced_and_not_written_through(source: Path, target: Path):
    (source / "a").write_text("new")
    victim = source.parent / "victim"
    victim.write_text("precious")
    (target / "a").symlink_to(victim)
    copy(source / "a", target)
    assert victim.read_text() == "precious"
    assert (target / "a").read_text() == "new"


def test_a_directory_link_that_leads_out_of_the_working_directory_is_refused(source: Path, target: Path):
    (source / "a").write_text("a")
    victim = source.parent / "victim"
    victim.mkdir()
    (target / "source").symlink_to(victim)
    with pytest.raises(StepError, match="leads out"):
        copy(source, target, stays_inside=True)
    assert os.listdir(victim) == []


def test_a_directory_link_in_an_archive_is_followed(source: Path, target: Path):
    (source / "a").write_text("a")
    big_disk = source.parent / "big"
    big_disk.mkdir()
    (target / "source").symlink_to(big_disk)
    copy(source, target)
    assert (big_disk / "a").read_text() == "a"


def test_a_directory_is_not_copied_into_itself(source: Path):
    inner = source / "inner"
    inner.mkdir()
    with pytest.raises(StepError, match="into itself"):
        copy(source, inner)


def test_a_file_copied_onto_itself_stays(source: Path):
    (source / "a").write_text("a")
    copy(source / "a", source)
    assert (source / "a").read_text() == "a"


@pytest.mark.parametrize("is_directory", [True, False])
def test_a_file_and_a_directory_do_not_replace_each_other(source: Path, target: Path, is_directory: bool):
    if is_directory:
        (source / "a").mkdir()
        (target / "a").write_text("file")
    else:
        (source / "a").write_text("file")
        (target / "a").mkdir()
    with pytest.raises(StepError, match=r"a directory has that name|file exists|not a directory"):
        copy(source / "a", target)


def test_a_pipe_or_socket_is_left_out_and_noted(source: Path, target: Path):
    os.mkfifo(source / "pipe")
    here = os.getcwd()
    os.chdir(source)  # the name of a socket is short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        os.chdir(here)
        (source / "a").write_text("a")
        notes = copy(source, target)
    assert os.listdir(target / "source") == ["a"]
    assert [note.rsplit("/")[-1] for note in notes] == ["pipe", "socket"]


def test_the_reason_names_what_cannot_be_copied(source: Path, tmp_path: Path):
    (source / "a").write_text("a")
    with pytest.raises(StepError, match=r"Cannot copy .*source/a to .*gone: no such file or directory"):
        copy(source / "a", tmp_path / "gone")


def test_an_interrupted_copy_leaves_nothing_behind(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
):
    interruption = Interruption()
    (source / "a").write_bytes(b"x" * 3000)
    monkeypatch.setattr(copying, "_CHUNK_BYTES", 1000)
    monkeypatch.setattr(copying.shutil, "copystat", lambda *_: interruption.set() or interruption.check())
    with pytest.raises(StepInterrupted):
        Copier(str(target), interruption).copy(str(source / "a"))
    assert os.listdir(target) == []


def test_nothing_is_copied_after_an_interruption(source: Path, target: Path):
    interruption = Interruption()
    interruption.set()
    with pytest.raises(StepInterrupted):
        Copier(str(target), interruption).copy(str(source))
    assert os.listdir(target) == []


#: What a directory entry may be called, as the system's own bytes.
file_names = (
    st.binary(min_size=1, max_size=40)
    .filter(lambda name: not set(name) & {0, ord("/")} and name not in (b".", b".."))
    .map(os.fsdecode)
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(name=file_names)
def test_files_of_every_name_are_copied(tmp_path_factory: pytest.TempPathFactory, name: str):
    source = tmp_path_factory.mktemp("source")
    target = tmp_path_factory.mktemp("target")
    (source / name).write_text("content")
    copy(source / name, target)
    copy(source, target)
    assert (target / name).read_text() == "content"
    assert (target / source.name / name).read_text() == "content"
