"""Transfers by rsync and scp through a real sshd, which is this machine: what is there can be looked at."""

import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from balsam.api import App, Job, Site, TransferItem
from balsam.core.models import BalsamJob
from balsam.processing.transfers import Mover, logins, outcomes
from balsam.states import JobState as S
from tests.commands import run_balsam
from tests.jobs import claim, report
from tests.sshd import Sshd, children_of, start_sshd
from tests.transfers import lanes, wait_for, workdir
from tests.waiting import wait_until

SLOTS = {
    "data": {"required": False, "direction": "in", "local_path": "in.dat"},
    "named": {"required": False, "direction": "in", "local_path": "."},
    "tree": {"required": False, "direction": "in", "local_path": "sub", "recursive": True},
    "result": {"required": False, "direction": "out", "local_path": "out.dat"},
    "results": {"required": False, "direction": "out", "local_path": "sub", "recursive": True},
}
TRANSPORTS = ["rsync", "scp"]


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with start_sshd(tmp_path_factory.mktemp("sshd")) as found:
        yield found


@pytest.fixture
def far(tmp_path: Path, sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory at the other end."""
    monkeypatch.setenv("PATH", sshd.environ()["PATH"])
    path = tmp_path / "far"
    path.mkdir()
    yield path
    sshd.cut_connections()


@pytest.fixture
def site(db: Path, tmp_path: Path) -> Site:
    path = tmp_path / "site"
    path.mkdir()
    site = Site("laptop", str(path))
    site.transfer_locations = {name: f"{name}://theta" for name in TRANSPORTS}
    site.save()
    return site


@pytest.fixture
def app(site: Site) -> App:
    return App.objects.create(site_id=site.id, name="Sum", command_template="true", transfers=SLOTS)


@pytest.mark.parametrize("by", TRANSPORTS)
def test_files_and_trees_go_both_ways(by, app, site, far, start_mover, session_id):
    (far / "a").write_text("the data")
    os.utime(far / "a", (1_000_000, 1_000_000))
    (far / "t" / "deep").mkdir(parents=True)
    (far / "t" / "deep" / "x").write_text("x")
    (far / "t" / "link").symlink_to("deep/x")
    (far / "current").symlink_to("a")
    job = Job.objects.create(
        "w/1",
        app.id,
        transfers={
            "data": f"{by}:{far}/a", "named": f"{by}:{far}/current", "tree": f"{by}:{far}/t",
            "result": f"{by}:{far}/made/b", "results": f"{by}:{far}/back",
        },
    )  # fmt: skip
    mover = start_mover()
    wait_for(job, S.PREPROCESSED)
    here = workdir(site, job)
    assert (here / "in.dat").read_text() == "the data"
    assert (here / "in.dat").stat().st_mtime == 1_000_000
    assert (here / "current").read_text() == "the data" and not (here / "current").is_symlink()
    assert (here / "sub" / "deep" / "x").read_text() == "x"
    (here / "out.dat").write_text("the result")
    report(session_id, claim(session_id, site_id=site.id), S.RUNNING, S.RUN_DONE)
    mover.wake()
    wait_for(job, S.JOB_FINISHED)
    assert (far / "made" / "b").read_text() == "the result"
    assert (far / "back" / "deep" / "x").read_text() == "x"
    assert lanes(site) == []


@pytest.mark.parametrize("by", TRANSPORTS)
def test_what_is_missing_or_a_directory_fails_its_own_job_only(by, app, site, far, start_mover):
    (far / "a").write_text("a")
    (far / "dir").mkdir()
    jobs = [
        Job.objects.create(name, app.id, transfers={"data": f"{by}:{far}/{name}"})
        for name in ("a", "missing", "dir")
    ]
    start_mover()
    for job, state in zip(jobs, (S.PREPROCESSED, S.FAILED, S.FAILED), strict=True):
        wait_until(lambda job=job: (job.refresh_from_db(), job.state in ("FAILED", "PREPROCESSED"))[1], 60)
        assert job.state == state, [item.transfer_info for item in TransferItem.objects.filter(job_id=job.id)]
    history = BalsamJob.objects.get(number=jobs[1].id).state_history
    assert "No such file or directory" in history and "missing" in history


def test_a_directory_that_is_not_there_fails_all_of_a_batch_at_once(app, site, far, start_mover):
    jobs = Job.objects.bulk_create(
        [Job(f"w{n}", app.id, transfers={"data": f"rsync:{far}/missing/{n}"}) for n in range(3)]
    )
    start_mover()
    for job in jobs:
        wait_for(job, S.FAILED)
        (item,) = TransferItem.objects.filter(job_id=job.id)
        assert f"{far}/missing" in item.transfer_info["message"]
        assert "No such file or directory" in item.transfer_info["message"]


@pytest.mark.parametrize("name", ["-rf", "a b '$(id)", "[a-z]*", "a*", "~", "ä:b", "back\\", "x\x7f"])
def test_files_in_a_directory_with_a_hostile_name(name, app, site, far, start_mover):
    (far / name).mkdir()
    (far / name / "a").write_text("a")
    (far / name / "b").write_text("b")
    jobs = Job.objects.bulk_create(
        [Job(one, app.id, transfers={"data": f"rsync:{far}/{name}/{one}"}) for one in "ab"]
    )
    start_mover()
    for job in jobs:
        wait_for(job, S.PREPROCESSED)
        assert (workdir(site, job) / "in.dat").read_text() == job.workdir


@pytest.mark.parametrize("by", TRANSPORTS)
def test_the_same_file_for_many_jobs_arrives_in_all_of_them(by, app, site, far, start_mover):
    (far / "a").write_text("a")
    count = 30 if by == "rsync" else 5
    Job.objects.bulk_create([Job(f"w{n}", app.id, transfers={"data": f"{by}:{far}/a"}) for n in range(count)])
    start_mover()
    wait_until(lambda: BalsamJob.objects.filter(state=S.PREPROCESSED).count() == count)
    for number in range(count):
        assert Path(site.path, "data", f"w{number}", "in.dat").read_text() == "a"


def legacy(url_in: str = "", url_out: str = "", files: str = "") -> BalsamJob:
    job = BalsamJob(
        name="old", application="old", stage_in_url=url_in, stage_out_url=url_out, stage_out_files=files
    )
    job.save()
    return job


@pytest.mark.parametrize("by", TRANSPORTS)
def test_addresses_of_the_database_generation(by, far, start_processor, add_app, launcher):
    add_app("old")
    (far / "d").mkdir()
    for name in ("a.dat", "b.dat", "d/c"):
        (far / name).write_text(name)
    (far / "results").mkdir()
    job = legacy(f"{by}:theta:{far}/*.dat {by}:theta:{far}/d", f"{by}:theta:{far}/results", "*.out d")
    processor = start_processor()
    here = Path(job.working_directory)
    wait_until(lambda: BalsamJob.objects.get(pk=job.pk).state == S.PREPROCESSED)
    assert sorted(os.listdir(here)) == ["a.dat", "b.dat", "d"]
    (here / "old.out").write_text("out")
    launcher.run_all()
    processor.wake_mover()
    wait_until(lambda: BalsamJob.objects.get(pk=job.pk).state == S.JOB_FINISHED)
    assert (far / "results" / "old.out").read_text() == "out"
    assert (far / "results" / "d" / "c").read_text() == "d/c"


def test_what_an_interrupted_run_has_left_gives_way(app, site, far, start_mover):
    def leave(name: str) -> None:
        for lane in Path(site.path, "data", ".balsam-transfers").glob("*-0.lock"):
            path = Path(f"{lane.with_suffix('')}{far}", name)
            path.parent.mkdir(parents=True)
            path.write_text("left")

    def bring(name: str) -> str:
        job = Job.objects.create(name, app.id, transfers={"data": f"rsync:{far}/{name}"})
        mover.wake()
        wait_for(job, S.PREPROCESSED)
        return (workdir(site, job) / "in.dat").read_text()

    mover = start_mover()
    (far / "a").write_text("a")
    assert bring("a") == "a"
    leave("a")
    (far / "a").unlink()
    (far / "a").mkdir()
    (far / "a" / "b").write_text("b")
    assert bring("a/b") == "b"
    leave("a/b")
    shutil.rmtree(far / "a")
    (far / "a").write_text("again")
    assert bring("a") == "again"


@pytest.mark.parametrize(
    "order", [("t", "t/deep", "t/deep/x"), ("t/deep/x", "t/deep", "t"), ("t/", "t/deep"), ("t", "t/")]
)
def test_trees_that_are_in_one_another_are_whole_for_each_job(order, app, site, far, start_mover):
    (far / "t" / "deep").mkdir(parents=True)
    (far / "t" / "deep" / "x").write_text("x")
    jobs = Job.objects.bulk_create(
        [Job(f"w{n}", app.id, transfers={"tree": f"rsync:{far}/{name}"}) for n, name in enumerate(order)]
    )
    start_mover()
    for job, name in zip(jobs, order, strict=True):
        wait_for(job, S.PREPROCESSED)
        below = "t/deep/x".removeprefix(name).lstrip("/")
        assert (workdir(site, job) / "sub" / below).read_text() == "x"
        (item,) = TransferItem.objects.filter(job_id=job.id)
        assert item.attempts == 1


def test_results_of_one_name_leave_those_of_other_jobs_as_they_are(app, site, far, start_mover, session_id):
    slots = {"results": f"rsync:{far}/back"}
    jobs = Job.objects.bulk_create([Job(f"w{n}", app.id, transfers=slots) for n in range(3)])
    for job in jobs:
        results = workdir(site, job) / "sub"
        results.mkdir(parents=True)
        (results / "out").write_text(job.workdir)
        (results / "link").symlink_to(job.workdir)
        (results / job.workdir).write_text("own")
    report(session_id, claim(session_id, limit=3, site_id=site.id), S.RUNNING, S.RUN_DONE)
    start_mover()
    for job in jobs:
        wait_for(job, S.JOB_FINISHED)
        assert (workdir(site, job) / "sub" / "out").read_text() == job.workdir
        assert TransferItem.objects.get(job_id=job.id).attempts == 1
        assert (far / "back" / job.workdir).read_text() == "own"
    assert (far / "back" / "out").read_text() in [job.workdir for job in jobs]


@pytest.mark.parametrize(("name", "words"), [("loop", "Too many levels"), ("a/x", "Not a directory")])
def test_what_cannot_be_a_file_is_not_tried_again(name, words, app, site, far, start_mover):
    (far / "a").write_text("a")
    (far / "loop").symlink_to("loop")
    job = Job.objects.create("w", app.id, transfers={"data": f"rsync:{far}/{name}"})
    start_mover()
    wait_for(job, S.FAILED)
    (item,) = TransferItem.objects.filter(job_id=job.id)
    assert item.attempts == 1 and words in item.transfer_info["message"]


def test_links_of_a_tree_by_rsync_lead_to_what_they_led_to(app, site, far, start_mover):
    tree = far / "t"
    (tree / "deep").mkdir(parents=True)
    (tree / "deep" / "x").write_text("x")
    (tree / "zdir").symlink_to("deep")
    (tree / "zfile").symlink_to("deep/x")
    (tree / "deep" / "up").symlink_to("../deep/x")
    (far / "beside").mkdir()
    (far / "beside" / "y").write_text("y")
    (tree / "out").symlink_to("../beside/y")
    (tree / "deep" / "outdir").symlink_to("../../beside")
    job = Job.objects.create("w", app.id, transfers={"tree": f"rsync:{far}/t"})
    start_mover()
    wait_for(job, S.PREPROCESSED)
    here = workdir(site, job) / "sub"
    assert os.readlink(here / "zdir") == "deep" and os.readlink(here / "zfile") == "deep/x"
    assert (here / "deep" / "up").read_text() == (here / "zdir" / "x").read_text() == "x"
    assert (here / "out").read_text() == (here / "deep" / "outdir" / "y").read_text() == "y"
    assert not (here / "out").is_symlink() and not (here / "deep" / "outdir").is_symlink()


def test_a_link_of_a_tree_to_a_directory_that_holds_it_fails(app, site, far, start_mover):
    (far / "t").mkdir()
    (far / "t" / "up").symlink_to("..")
    job = Job.objects.create("w", app.id, transfers={"tree": f"rsync:{far}/t"})
    start_mover()
    wait_for(job, S.FAILED)
    (item,) = TransferItem.objects.filter(job_id=job.id)
    assert f"{far}/t/up is a link to a directory that holds it" in item.transfer_info["message"]
    assert item.attempts == 1


def test_links_that_a_pattern_matches_become_what_they_lead_to(far, start_processor, add_app):
    add_app("old")
    (far / "d").mkdir()
    (far / "d" / "c").write_text("c")
    (far / "a.dat").write_text("a")
    (far / "link").symlink_to("a.dat")
    (far / "zlink").symlink_to("d")
    (far / "e").mkdir()
    (far / "e" / "out").symlink_to("../a.dat")
    job = legacy(f"rsync:theta:{far}/*")
    start_processor()
    wait_until(lambda: BalsamJob.objects.get(pk=job.pk).state == S.PREPROCESSED)
    here = Path(job.working_directory)
    assert sorted(os.listdir(here)) == ["a.dat", "d", "e", "link", "zlink"]
    for name in ("a.dat", "link", "e/out"):
        assert (here / name).read_text() == "a" and not (here / name).is_symlink()
    assert (here / "d" / "c").read_text() == (here / "zlink" / "c").read_text() == "c"


def test_a_pattern_that_matches_two_files_of_one_name_fails(far, start_processor, add_app):
    add_app("old")
    for name in ("1", "2"):
        (far / name).mkdir()
        (far / name / "same").write_text(name)
    job = legacy(f"rsync:theta:{far}/*/same")
    start_processor()
    wait_until(lambda: BalsamJob.objects.get(pk=job.pk).state == S.FAILED)
    words = f"matches both {far}/1/same and {far}/2/same".replace("both /", "both ").replace("and /", "and ")
    assert words in BalsamJob.objects.get(pk=job.pk).state_history


def mover_that_has_logged_in(
    slots: dict[str, str], app: App, far: Path, start_mover: Callable[..., Mover]
) -> Mover:
    """Start a mover, and have it bring the file ``a``."""
    (far / "a").write_text("a")
    first = Job.objects.create("first", app.id, transfers=slots)
    mover = start_mover(concurrency=1)
    wait_for(first, S.PREPROCESSED)
    return mover


def running(program: str) -> list[int]:
    """Name the processes of a program that this one has started."""
    return [pid for pid in children_of(os.getpid()) if _is_running(pid, program)]


@pytest.mark.parametrize("by", TRANSPORTS)
def test_a_transfer_that_is_cancelled_ends_what_moves_it(by, app, site, far, start_mover, sshd):
    slots = {"data": f"{by}:{far}/a"}
    mover = mover_that_has_logged_in(slots, app, far, start_mover)
    with sshd.paused():
        hanging = Job.objects.create("hanging", app.id, transfers=slots)
        mover.wake()
        (pid,) = wait_until(lambda: running(by))
        run_balsam("transfer", "cancel", "--job", hanging.id, "--yes").check()
        mover.wake()
        wait_until(lambda: not _is_running(pid, by), what="the end of the program")
        wait_until(lambda: lanes(site) == [])
    following = Job.objects.create("next", app.id, transfers=slots)
    mover.wake()
    wait_for(following, S.PREPROCESSED)
    assert BalsamJob.objects.get(number=hanging.id).state == S.FAILED
    assert mover.held_ids() == []


@pytest.mark.parametrize("by", TRANSPORTS)
def test_a_job_that_is_deleted_gets_no_file_though_its_batch_goes_on(by, app, site, far, start_mover, sshd):
    slots = {"data": f"{by}:{far}/a"}
    mover = mover_that_has_logged_in(slots, app, far, start_mover)
    with sshd.paused():
        gone, stays = Job.objects.bulk_create(
            [Job(name, app.id, transfers=slots) for name in ("gone", "stays")]
        )
        directory = workdir(site, gone)
        mover.wake()
        wait_until(lambda: running(by))
        gone.delete()
        mover.wake()
        wait_until(lambda: len(mover.held_ids()) == 1, what="word of that")
    wait_for(stays, S.PREPROCESSED)
    wait_until(lambda: lanes(site) == [])
    assert not directory.exists()


def _is_running(pid: int, program: str) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return Path(os.fsdecode(words[0])).name == program


def test_a_lost_login_is_told_and_waited_for(app, site, far, start_mover, sshd, monkeypatch):
    monkeypatch.setattr(outcomes, "_WAIT_SEC", 0.3)
    monkeypatch.setattr(logins, "_REST_SEC", 0.1)
    (far / "a").write_text("a")
    keys = sshd.directory / "authorized_keys"
    kept = keys.read_text()
    keys.write_text("")
    try:
        job = Job.objects.create("w", app.id, transfers={"data": f"rsync:{far}/a"})
        start_mover()
        wait_until(lambda: TransferItem.objects.get(job_id=job.id).transfer_info.get("message"))
        item = TransferItem.objects.get(job_id=job.id)
        assert "did not let you in" in item.transfer_info["message"]
        assert "balsam transfer login theta" in item.transfer_info["message"]
        assert item.transfer_info["needs_you"] is True
        wait_until(lambda: TransferItem.objects.get(job_id=job.id).attempts > 6)
        assert Job.objects.get(job.id).state == S.READY, "that is no failure"
    finally:
        keys.write_text(kept)
    wait_for(job, S.PREPROCESSED)


def hostile_names(count: int) -> list[str]:
    """Names that programs misread: options, quotes, blanks, wildcards, other scripts, control characters."""
    chance = random.Random(5)
    pieces = [
        *("-e", "--delete", " ", "'", '"', "`id`", "$(id)", "$HOME", ";", "&", "|", "*", "?", "[a-z]"),
        *("{a,b}", "\\", "\t", "ä", "語", "\u202e", "#", "%", "~", "!", "(", ")", "<", ">", "=", ":", "@"),
        *(".", "a", "\x01"),
    ]
    names = {"-rf", "--", "-", "~", "a:b", "@x", "#x", "*", "\\", " ", "  x  ", "host:path", ".h", "x\x7f"}
    while len(names) < count:
        name = "".join(chance.choices(pieces, k=chance.randint(1, 6)))
        if name not in (".", ".."):
            names.add(name)
    return sorted(names)


@pytest.mark.parametrize(("by", "count"), [("rsync", 200), ("scp", 25)])
def test_hostile_names_arrive_as_they_are_and_go_back(by, count, app, site, far, start_mover, session_id):
    names = hostile_names(count)
    for name in names:
        (far / name).write_text(f"<{name}>")
    (far / "back").mkdir()
    jobs = Job.objects.bulk_create(
        [
            Job(
                f"w{n}",
                app.id,
                transfers={"named": f"{by}:{far}/{name}", "result": f"{by}:{far}/back/{name}"},
            )
            for n, name in enumerate(names)
        ]
    )
    before = set(os.listdir(far))
    mover = start_mover()
    wait_until(lambda: BalsamJob.objects.filter(state="READY").count() == 0, 120)
    refused = {n for n, name in enumerate(names) if by == "rsync" and "\\" in name and set(name) & set("*?[")}
    bad = [
        (job.workdir, item.remote_path, item.transfer_info)
        for job in Job.objects.filter(state="FAILED")
        for item in TransferItem.objects.filter(job_id=job.id, state="error")
        if "Take scp" not in item.transfer_info["message"]
    ]
    assert not bad
    assert {int(job.workdir[1:]) for job in Job.objects.filter(state="FAILED")} == refused
    jobs = [job for n, job in enumerate(jobs) if n not in refused]
    names = [name for n, name in enumerate(names) if n not in refused]
    for job, name in zip(jobs, names, strict=True):
        assert os.listdir(workdir(site, job)) == [name]
        assert (workdir(site, job) / name).read_text() == f"<{name}>"
        (workdir(site, job) / "out.dat").write_text(f">{name}<")
    report(session_id, claim(session_id, limit=1000, site_id=site.id), S.RUNNING, S.RUN_DONE)
    mover.wake()
    wait_until(lambda: BalsamJob.objects.filter(state="POSTPROCESSED").count() == 0, 120)
    assert {name: (far / "back" / name).read_text() for name in names} == {
        name: f">{name}<" for name in names
    }
    assert sorted(os.listdir(far / "back")) == names
    assert set(os.listdir(far)) == before
