"""Every key of `settings.yml` does something where it is used; what would do nothing is refused."""

import logging
import os
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from types import UnionType
from typing import Any

import pytest
import yaml

from balsam.agent.elastic_sizing import Load, size_of
from balsam.agent.file_cleaning import FileCleaning
from balsam.agent.queue_maintainer import QueueMaintainer
from balsam.agent.site_post import SitePost
from balsam.api import App, BatchJob, Job, Site
from balsam.cli.launcher import _linger_sec
from balsam.client import Client
from balsam.config import InvalidSettings, Settings, SiteConfig
from balsam.config.site_dir import SiteDir, find_site_dir, write_site_file
from balsam.config.site_record import limits_record, settings_record
from balsam.config.site_settings import ElasticQueueSettings, FileCleanerSettings, QueueMaintainerSettings
from balsam.launcher.options import LauncherOptions
from balsam.launcher.surroundings import in_surroundings
from balsam.lib.file_end import last_lines
from balsam.platform.machines import load_machine
from balsam.platform.nodes import Node
from balsam.platform.scheduler.contract import BackfillWindow
from balsam.schemas.batch_limits import BatchLimits
from tests.jobs import claim, finish, open_session
from tests.launching import script

Read = Callable[..., SiteConfig]


@pytest.fixture
def read(db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Make a site with settings, and return it as programs see it."""
    monkeypatch.setenv("BALSAM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BALSAM_SITE_PATH", "")
    script(tmp_path, "aprun", "#!/bin/sh\n")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    path = tmp_path / "site"
    path.mkdir()
    site = Site.objects.create("here", path)
    write_site_file(SiteDir(path=path, site_id=site.id, database=str(db)))

    def read(key: str = "", value: object = None, **more: object) -> SiteConfig:
        section, _, name = key.partition(".")
        said: dict[str, Any] = {"machine": "local", **more}
        if key:
            said[section] = {**said.get(section, {}), name: value} if name else value
        (path / "settings.yml").write_text(yaml.safe_dump(said))
        return SiteConfig(path)

    return read


def launching(config: SiteConfig) -> LauncherOptions:
    """What a launcher of the site goes by, in mpi mode, with an MPI launcher at hand."""
    settings = replace(config.for_machine(), MPI_RUN_TEMPLATE="aprun")
    return in_surroundings(LauncherOptions(mode="mpi"), settings, load_machine("local"), [Node("here", (0,))])


def batch_job(config: SiteConfig, **shape: Any) -> Any:
    """A batch job of the site as its agent sees it."""
    known = {"num_nodes": 1, "wall_time_min": 5, "job_mode": "mpi", "queue": "q", "project": "p"}
    made = BatchJob.objects.create(**{"site_id": config.site_id, **known, **shape})
    return Client().batch_jobs(ids=[made.id])[0]


def refused(config: SiteConfig, **shape: Any) -> str:
    assert config.settings.scheduler is not None
    limits = BatchLimits(**limits_record(config.settings.scheduler))
    return limits.refusal(batch_job(config, **shape))


def log_line(config: SiteConfig) -> str:
    """What a program of the site writes into its log, of an information and a warning."""
    path = config.enable_logging()
    logging.getLogger("balsam.test").info("news")
    logging.getLogger("balsam.test").warning("beware")
    return path.read_text()


def recorded(config: SiteConfig, field: str) -> object:
    """What the record of the site says."""
    return settings_record(config.settings).get(field)


PLACES = {"a": "local://x"}
#: Key, a value, and what comes of it where it is used.
EFFECTS: list[tuple[str, Any, Callable[[SiteConfig], object], object]] = [
    ("logging.level", "WARNING", lambda c: "news" in log_line(c), False),
    ("logging.format", "<%(message)s>", log_line, "<news>\n<beware>\n"),
    ("logging.datefmt", "at %Y", lambda c: log_line(c).startswith("at 2"), True),
    ("filter_tags", {"a": "b"}, lambda c: SitePost(c).selection.tags, {"a": "b"}),
    ("launcher.idle_ttl_sec", 7, lambda c: _linger_sec(c.site_dir), 7),
    (
        "launcher.error_tail_num_lines",
        2,
        lambda c: last_lines("a\nb\nc", launching(c).error_tail_lines),
        "b\nc",
    ),
    ("launcher.max_concurrent_mpiruns", 3, lambda c: launching(c).max_concurrent, 3),
    ("launcher.mpirun_allows_node_packing", False, lambda c: launching(c).takes_whole_nodes, True),
    ("launcher.sort_by", "long_large_first", lambda c: launching(c).job_order, "long_large_first"),
    ("launcher.compute_node", "local", lambda c: c.for_machine().WORKER_DETECTION_TYPE, "local"),
    ("launcher.mpi_app_launcher", "aprun", lambda c: c.for_machine().MPI_RUN_TEMPLATE, "aprun"),
    ("scheduler.scheduler_class", "pbs", lambda c: c.for_machine().SCHEDULER_CLASS, "pbs"),
    ("scheduler.sync_period", 0.5, lambda c: SitePost(c).sync_period_sec, 0.5),
    (
        "scheduler.allowed_queues",
        {"q": {"max_nodes": 2}},
        lambda c: "more than the 2" in refused(c, num_nodes=3),
        True,
    ),
    (
        "scheduler.allowed_queues",
        {"q": {"max_walltime": 4}},
        lambda c: "more than the 4" in refused(c),
        True,
    ),
    ("scheduler.allowed_queues", {"r": {}}, lambda c: refused(c, queue="r"), ""),
    ("scheduler.allowed_projects", ["mine"], lambda c: "project 'p'" in refused(c), True),
    (
        "scheduler.optional_batch_job_params",
        {"x": "1"},
        lambda c: refused(c, queue="local", optional_params={"x": "2"}),
        "",
    ),
    ("scheduler.job_template_path", "my.sh", lambda c: Path(c.for_machine().JOB_TEMPLATE).name, "my.sh"),
    ("processing.num_workers", 3, lambda c: SitePost(c).num_workers, 3),
    ("transfers.transfer_locations", PLACES, lambda c: recorded(c, "transfer_locations"), PLACES),
    ("transfers.globus_endpoint_id", "0" * 32, lambda c: recorded(c, "globus_endpoint_id"), "0" * 32),
]
#: Value that older files have by themselves, and one that would change nothing.
SUPERSEDED = {
    "logging.buffer_num_records": (1024, 7),
    "logging.flush_period": (30, 7),
    "launcher.delay_sec": (1, 7),
    "launcher.local_app_launcher": (
        "balsam.platform.app_run.LocalAppRun",
        "balsam.platform.app_run.MPICHRun",
    ),
    "launcher.serial_mode_prefetch_per_rank": (64, 7),
    "launcher.serial_mode_startup_params": ({"cpu_affinity": "none"}, {"cpu_affinity": "depth"}),
    "processing.prefetch_depth": (1000, 7),
}
#: Of the module that moves files, whose own tests are about them.
OF_TRANSFERS = {
    "transfers.max_concurrent_transfers",
    "transfers.globus_endpoint_site_path",
    "transfers.transfer_batch_size",
    "transfers.num_items_query_limit",
    "transfers.service_period",
}


@pytest.mark.parametrize(("key", "value", "effect", "expected"), EFFECTS)
def test_key_of_the_settings_does_something(
    read: Read, key: str, value: Any, effect: Callable[[SiteConfig], object], expected: object
):
    assert effect(read(key, value)) == expected
    assert effect(read()) != expected, "it is so without the key"


@pytest.mark.parametrize("key", SUPERSEDED)
def test_key_that_would_do_nothing_is_refused_with_its_line(read: Read, key: str):
    known, other = SUPERSEDED[key]
    read(key, known)
    with pytest.raises(InvalidSettings, match=rf"settings\.yml, line \d+: {key} is .*Remove the line"):
        read(key, other)


def test_keys_of_the_queue_maintainer_are_those_of_its_batch_jobs(read: Read):
    said = {
        "submit_period": 7, "submit_project": "mine", "submit_queue": "debug", "job_mode": "serial",
        "num_queued_jobs": 2, "num_nodes": 3, "wall_time_min": 11,
    }  # fmt: skip
    assert set(said) == {field.name for field in fields(QueueMaintainerSettings)}
    config = read("queue_maintainer", said, filter_tags={"a": "b"})
    keeper = QueueMaintainer(Client(), config.site_id, config.settings, lambda: None)
    assert {keeper.cycle() for _ in range(4)} == {7}
    made = [(b.project, b.queue, b.job_mode, b.num_nodes, b.wall_time_min) for b in BatchJob.objects.all()]
    assert made == [("mine", "debug", "serial", 3, 11)] * 2
    assert {str(b.filter_tags) for b in BatchJob.objects.all()} == {"{'a': 'b'}"}


#: Key of the elastic queue, a value, and what is asked for then, for the work of 10 nodes.
SIZES = [
    ("min_num_nodes", 12, (12, 55)),
    ("max_num_nodes", 4, (4, 55)),
    ("max_wall_time_min", 50, (10, 45)),
    ("wall_time_pad_min", 15, (10, 45)),
    ("min_wall_time_min", 61, None),
    ("max_queued_jobs", 1, None),
    ("use_backfill", False, (10, 95)),
]
ELSEWHERE = {"service_period", "submit_project", "submit_queue", "job_mode", "max_queue_wait_time_min"}


@pytest.mark.parametrize(("key", "value", "size"), SIZES)
def test_key_of_the_elastic_queue_changes_its_size(
    read: Read, key: str, value: Any, size: tuple[int, int] | None
):
    base = {"max_wall_time_min": 100}
    load, windows = Load(runnable=10, num_live=1), [BackfillWindow(20, 60)]
    settings = read("elastic_queue", {**base, key: value}).settings.elastic_queue
    assert settings is not None
    found = size_of(settings, load, windows)
    assert (None if found is None else (found.num_nodes, found.wall_time_min)) == size
    usual = size_of(ElasticQueueSettings(max_wall_time_min=100), load, windows)
    assert usual is not None and (usual.num_nodes, usual.wall_time_min) == (10, 55) != size
    assert {key for key, _, _ in SIZES} | ELSEWHERE == {field.name for field in fields(ElasticQueueSettings)}


def test_keys_of_the_file_cleaner_are_its_pace(read: Read):
    config = read("file_cleaner", {"cleanup_batch_size": 2, "service_period": 7})
    cleaner = config.settings.file_cleaner
    assert cleaner is not None and {field.name for field in fields(FileCleanerSettings)} == {
        "cleanup_batch_size",
        "service_period",
    }
    app = App.objects.create(site_id=config.site_id, name="A", command_template="x", cleanup_files=["*.tmp"])
    Job.objects.bulk_create([Job(f"w/{n}", app.id) for n in range(3)])
    session = open_session()
    finish(session, claim(session, site_id=config.site_id))
    cleaning = FileCleaning(Client(), config, cleaner)
    assert cleaning.cycle() == 0
    assert Job.objects.filter(pending_file_cleanup=True).count() == 1
    assert cleaning.cycle() == 7
    assert Job.objects.filter(pending_file_cleanup=True).count() == 0


def test_no_key_is_left_out():
    def keys(cls: type, prefix: str = "") -> set[str]:
        found: set[str] = set()
        for field in fields(cls):
            alternatives = field.type.__args__ if isinstance(field.type, UnionType) else (field.type,)
            inner: Any = next(filter(is_dataclass, alternatives), None)
            found |= keys(inner, f"{field.name}.") if inner is not None else {prefix + field.name}
        return found

    by_themselves = {"machine"} | {
        f"{name}.{field.name}"
        for name, cls in (
            ("queue_maintainer", QueueMaintainerSettings),
            ("elastic_queue", ElasticQueueSettings),
            ("file_cleaner", FileCleanerSettings),
        )
        for field in fields(cls)
    }
    proven = {key for key, *_ in EFFECTS} | set(SUPERSEDED) | OF_TRANSFERS | by_themselves
    assert keys(Settings) == proven


def test_longest_jobs_come_first_where_a_site_wants_that(read: Read):
    config = read()
    assert find_site_dir() is not None
    app = App.objects.create(site_id=config.site_id, name="A", command_template="x")
    shapes = [(1, 5), (4, 5), (1, 90), (2, 90)]
    for nodes, minutes in shapes:
        Job.objects.create(f"w/{nodes}-{minutes}", app.id, num_nodes=nodes, wall_time_min=minutes)

    def come(order: str, limit: int) -> list[tuple[int, int]]:
        session = open_session()
        specs = claim(session, limit, site_id=config.site_id, order=order)
        Client().close_session(session, "looked")
        return [(spec.num_nodes, spec.wall_time_min) for spec in specs]

    assert come("large_first", 4) == [(4, 5), (2, 90), (1, 90), (1, 5)]
    assert come("long_large_first", 3) == [(2, 90), (1, 90), (4, 5)]


def test_record_of_the_site_is_told_what_the_settings_allow(read: Read):
    read("scheduler.allowed_projects", ["mine"]).update_site_from_config()
    site = Site.objects.get("here")
    assert (site.allowed_projects, list(site.allowed_queues)) == (["mine"], ["local"])
    assert site.last_refresh is not None
