"""Addresses of the database generation, on this machine; what they meant before there were transfers."""

import os
import shlex
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from balsam.exceptions import StepError
from tests.unit.processing.transfers.carried import carried, transfer_spec


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    path = tmp_path / "data" / "job"
    path.mkdir(parents=True)
    return path


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "archive"
    path.mkdir()
    return path


def take_in(workdir: Path, url: str) -> list[str]:
    notes = []
    for word in shlex.split(url):
        notes += _done(workdir, direction="in", remote_path=word, local_path=".")
    return notes


def bring_out(workdir: Path, files: str, url: str) -> list[str]:
    notes = []
    for word in shlex.split(url):
        notes += _done(workdir, direction="out", remote_path=word, local_path=files)
    return notes


def _done(workdir: Path, **fields: str) -> list[str]:
    result = carried(transfer_spec(workdir, **fields))
    if result.state != "done":
        raise StepError(result.message)
    return result.message.splitlines()


@pytest.mark.parametrize("prefix", ["", "local:", "LOCAL:"])
def test_a_file_is_staged_in(workdir: Path, archive: Path, prefix: str):
    (archive / "x.rst").write_text("x")
    take_in(workdir, f"{prefix}{archive}/x.rst")
    assert (workdir / "x.rst").read_text() == "x"


def test_a_directory_is_staged_in_as_such_and_with_a_star_its_contents(workdir: Path, archive: Path):
    (archive / "sub").mkdir()
    (archive / "sub" / "a").write_text("a")
    take_in(workdir, f"local:{archive}")
    assert (workdir / "archive" / "sub" / "a").read_text() == "a"
    take_in(workdir, f"local:{archive}/*")
    assert (workdir / "sub" / "a").read_text() == "a"


def test_several_urls_are_staged_in(workdir: Path, archive: Path):
    for name in ("a", "b", "c d"):
        (archive / name).write_text(name)
    take_in(workdir, f"{archive}/a local:{archive}/b '{archive}/c d'")
    assert sorted(os.listdir(workdir)) == ["a", "b", "c d"]


def test_the_home_directory_is_known(workdir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "input").write_text("i")
    take_in(workdir, "local:~/input")
    assert (workdir / "input").read_text() == "i"


def test_colons_of_a_path_are_kept(workdir: Path, archive: Path):
    (archive / "a:b:c").write_text("abc")
    take_in(workdir, f"local:{archive}/a:b:c")
    take_in(workdir, f"{archive}/a:b:c")
    assert (workdir / "a:b:c").read_text() == "abc"


def test_staging_in_nothing_fails_with_the_pattern(workdir: Path, archive: Path):
    with pytest.raises(StepError, match=r"'/.*/missing\*' matches no file"):
        take_in(workdir, f"local:{archive}/missing*")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("gsiftp://host/x", r"no GridFTP here. Write scp:"),
        ("ftp://host/x", "no transport 'ftp'"),
        ("user@host:/x", "Write scp:user@host:/x"),
        (":x", "no transport ''"),
        ("scp:-oProxyCommand=x:/y", "Cannot read the address"),
        ("rsync:/no/host", "Cannot read the address"),
        ("http:/x", "Cannot read the address"),
        ("local:", "no path"),
        ("local:a\nb", "a line break"),
    ],
)
def test_what_cannot_be_read_is_refused_clearly(workdir: Path, archive: Path, url: str, words: str):
    with pytest.raises(StepError, match=words):
        take_in(workdir, shlex.quote(url))
    (workdir / "a").touch()
    with pytest.raises(StepError, match=words):
        bring_out(workdir, "a", shlex.quote(url))


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "link:/tmp"])
def test_results_do_not_go_where_files_only_come_from(workdir: Path, url: str):
    (workdir / "a").touch()
    with pytest.raises(StepError, match=r"only brought in|cannot be linked"):
        bring_out(workdir, "a", url)


def test_files_and_directories_are_staged_out_to_every_destination(
    workdir: Path, archive: Path, tmp_path: Path
):
    second = tmp_path / "second"
    second.mkdir()
    (workdir / "a.out").write_text("a")
    (workdir / "hello.out").write_text("h")
    (workdir / "plots").mkdir()
    (workdir / "plots" / "p.png").write_text("p")
    (workdir / "scratch").write_text("s")
    notes = bring_out(workdir, "*.out plots", f"local:{archive} {second}")
    assert notes == []
    for destination in (archive, second):
        assert sorted(os.listdir(destination)) == ["a.out", "hello.out", "plots"]
        assert (destination / "plots" / "p.png").read_text() == "p"


def test_a_link_from_a_parent_is_staged_out_as_a_file(workdir: Path, archive: Path, tmp_path: Path):
    (tmp_path / "parent.dat").write_text("p")
    (workdir / "in.dat").symlink_to(tmp_path / "parent.dat")
    bring_out(workdir, "*.dat", str(archive))
    assert not (archive / "in.dat").is_symlink()
    assert (archive / "in.dat").read_text() == "p"


def test_staging_out_nothing_is_noted(workdir: Path, archive: Path):
    (workdir / "a").touch()
    assert bring_out(workdir, "a missing*", str(archive)) == ["Nothing to stage out matches 'missing*'"]
    assert bring_out(workdir, "missing", "/no/such/directory") == ["Nothing to stage out matches 'missing'"]


def test_a_missing_destination_is_an_error_with_advice(workdir: Path, tmp_path: Path):
    (workdir / "a").touch()
    with pytest.raises(StepError, match=r"not an existing directory.*mkdir -p"):
        bring_out(workdir, "a", f"local:{tmp_path}/missing")
    assert not (tmp_path / "missing").exists()


def test_a_file_is_no_destination(workdir: Path, archive: Path):
    (workdir / "a").write_text("a")
    (archive / "file").write_text("f")
    with pytest.raises(StepError, match="not an existing directory"):
        bring_out(workdir, "a", f"{archive}/file")
    assert (archive / "file").read_text() == "f"


@pytest.mark.parametrize("pattern", ["../*", "/etc/hostname", "sub/../../x"])
def test_nothing_outside_the_working_directory_is_staged_out(workdir: Path, archive: Path, pattern: str):
    (workdir.parent / "secret").touch()
    with pytest.raises(StepError, match="leads out"):
        bring_out(workdir, pattern, str(archive))
    assert os.listdir(archive) == []


def test_two_files_that_would_have_one_name_are_refused(workdir: Path, archive: Path):
    for sub in ("one", "two"):
        (workdir / sub).mkdir()
        (workdir / sub / "a").write_text(sub)
    with pytest.raises(StepError, match=r"Both .*one/a and .*two/a"):
        bring_out(workdir, "*/a", str(archive))
    assert os.listdir(archive) == []


def test_a_file_that_two_patterns_match_is_copied_once(workdir: Path, archive: Path):
    (workdir / "a.dat").write_text("a")
    bring_out(workdir, "a* *.dat", str(archive))
    assert os.listdir(archive) == ["a.dat"]


#: Anything a user may type; the quoting is that of a shell.
typed_names = st.text(
    st.characters(exclude_characters="/\0\n\r", exclude_categories=("Cs",)), min_size=1, max_size=30
).filter(lambda name: name not in (".", ".."))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(name=typed_names)
def test_every_name_is_staged_in_and_out_and_no_shell_sees_it(
    tmp_path_factory: pytest.TempPathFactory, name: str
):
    source, workdir, archive = (tmp_path_factory.mktemp(part) for part in ("source", "work", "archive"))
    (source / name).write_text("content")
    take_in(workdir, shlex.quote(f"local:{source}/{name}"))
    assert os.listdir(workdir) == [name]
    bring_out(workdir, shlex.quote(name), str(archive))
    assert (archive / name).read_text() == "content"
