"""`settings.yml`: every key is read, and every mistake is told with its line."""

from pathlib import Path

import pytest

from balsam.config.site_builder import add_site_files, settings_text, site_template
from balsam.config.site_settings import InvalidSettings, load_site_settings
from balsam.exceptions import ConfigError
from balsam.platform.machines import KNOWN_MACHINES, load_machine


@pytest.fixture
def read(tmp_path: Path):
    def read(text: str):
        path = tmp_path / "settings.yml"
        path.write_text(text)
        return load_site_settings(path)

    return read


@pytest.mark.parametrize("name", KNOWN_MACHINES)
def test_what_init_writes_is_what_the_machine_has(read, name: str):
    machine = load_machine(name)
    settings = read(settings_text(machine, ["mine"]))
    assert settings.machine == name
    assert settings.scheduler.scheduler_class == machine.scheduler
    assert settings.scheduler.allowed_projects == ("mine",)
    queues = {queue: limits.max_walltime for queue, limits in settings.scheduler.allowed_queues.items()}
    assert queues == {queue: limits.max_minutes for queue, limits in machine.queues.items()}
    assert settings.elastic_queue is settings.queue_maintainer is settings.file_cleaner is None
    assert settings.processing is not None


@pytest.mark.parametrize("name", KNOWN_MACHINES)
def test_template_of_a_site_keeps_the_directives_of_the_machine(name: str):
    machine = load_machine(name)
    ours, theirs = site_template(machine), machine.job_template.read_text()
    directives = [line for line in theirs.splitlines() if line.startswith("#") and "launcher" not in line]
    assert [line for line in directives if line not in ours] == []
    assert ours.count("{{ launcher_cmd }}") == 1 and "wf_filter" not in ours


def test_what_is_left_out_is_the_machines(read):
    settings = read("machine: thetagpu\nscheduler:\n  sync_period: 2\n")
    assert settings.scheduler.sync_period == 2
    assert settings.scheduler.allowed_queues["full-node"].max_nodes == 21
    assert settings.launcher.max_concurrent_mpiruns == 990


def test_null_switches_a_module_off(read):
    settings = read("processing: null\nscheduler: null\ntransfers: null\nfilter_tags: null\n")
    assert settings.processing is settings.scheduler is settings.transfers is None
    assert settings.filter_tags == {}


def test_optional_modules_take_all_their_keys(read):
    settings = read(
        "elastic_queue:\n  submit_queue: q\n  max_num_nodes: 3\n  use_backfill: false\n"
        "queue_maintainer:\n  num_queued_jobs: 2\nfile_cleaner: {}\n"
    )
    assert (settings.elastic_queue.submit_queue, settings.elastic_queue.use_backfill) == ("q", False)
    assert settings.queue_maintainer.num_queued_jobs == 2
    assert settings.file_cleaner.cleanup_batch_size == 180


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("logging:\n  level: INFO\nschedular: {}\n", "line 3: schedular is no setting. Did you mean sched"),
        ("scheduler:\n  sync_perod: 1\n", "sync_perod is no setting. Did you mean sync_period"),
        ("scheduler:\n  sync_period: often\n", "line 2: scheduler.sync_period is 'often', which"),
        ("launcher:\n  idle_ttl_sec: true\n", "line 2: launcher.idle_ttl_sec is True"),
        ("processing:\n  num_workers: 0\n", "line 2: processing.num_workers is 0, which is less than 1"),
        ("elastic_queue:\n  min_num_nodes: 9\n  max_num_nodes: 3\n", "line 2: min_num_nodes 9 is more than"),
        ("elastic_queue:\n  wall_time_pad_min: 50\n", "line 2: wall_time_pad_min 50 is not less"),
        ("elastic_queue:\n  job_mode: both\n", "line 2: elastic_queue.job_mode is 'both'"),
        ("scheduler:\n  allowed_queues:\n    q:\n      max_nodes: x\n", "line 4: scheduler.allowed_queues"),
        ("scheduler:\n  allowed_projects: mine\n", "line 2: scheduler.allowed_projects is 'mine'"),
        ("logging:\n  level: LOUD\n", "line 2: logging.level"),
        ("- a\n", "line 1: it is no list of settings"),
        ("a: [\n", "it is no YAML here"),
        ("logging: {}\nlogging: {}\n", "line 2: logging is there twice, also on line 1"),
        ("machine: {}\n", "line 1: machine is {}"),
    ],
)  # fmt: skip
def test_mistake_is_told_with_its_line(read, text: str, told: str):
    with pytest.raises(InvalidSettings) as caught:
        read(text)
    assert told in str(caught.value)
    assert isinstance(caught.value, ConfigError)


def test_unknown_machine_is_told(read):
    with pytest.raises(ConfigError, match="not known"):
        read("machine: thetagpuu\n")


def test_classes_of_older_files_mean_what_they_meant(read, tmp_path: Path):
    settings = read(
        "scheduler:\n  scheduler_class: balsam.platform.scheduler.PBSScheduler\n"
        "launcher:\n  compute_node: balsam.platform.compute_node.PolarisNode\n"
    )
    found = settings.for_machine(tmp_path)
    assert (found.SCHEDULER_CLASS, found.WORKER_DETECTION_TYPE) == ("pbs", "auto")


def test_settings_of_the_site_are_the_users_where_it_says_nothing(read, tmp_path: Path):
    found = read("machine: thetagpu\n").for_machine(tmp_path)
    assert (found.MACHINE, found.SCHEDULER_CLASS, found.MPI_RUN_TEMPLATE) == (
        "thetagpu",
        "cobalt",
        "thetagpu",
    )
    assert str(tmp_path / "job-template.sh") == found.JOB_TEMPLATE


def test_files_that_are_there_stay(tmp_path: Path):
    (tmp_path / "settings.yml").write_text("machine: local\n")
    add_site_files(tmp_path, load_machine("local"), [])
    assert (tmp_path / "settings.yml").read_text() == "machine: local\n"
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()}
    assert (modes["qsubmit"], modes["job-template.sh"]) == ("0o700", "0o700")
    assert {"log", "data", "apps"} < set(modes)
