"""Every machine that is known: its data loads, and its template makes a script that runs a launcher."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from balsam.config.queue_policy import load_policy
from balsam.exceptions import ConfigError
from balsam.platform.gpus import GPU_KINDS
from balsam.platform.machines import KNOWN_MACHINES, Machine, load_machine, registry
from balsam.platform.mpirun import KNOWN_TEMPLATES
from balsam.platform.nodes import KNOWN_TYPES
from balsam.platform.scheduler import KNOWN_SCHEDULERS

DIRECTORY = Path(registry.__file__).parent
DIRECTIVES = {"slurm": "#SBATCH", "pbs": "#PBS", "cobalt": "#COBALT", "lsf": "#BSUB", "local": "none"}

all_machines = pytest.mark.parametrize("machine", KNOWN_MACHINES, indirect=True)


@pytest.fixture
def machine(request: pytest.FixtureRequest) -> Machine:
    """Load the machine of the name that is the parameter."""
    return load_machine(request.param)


def script_of(machine: Machine, **more: Any) -> str:
    """Render a machine's job template with all names that a template may use."""
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
    template = environment.from_string(machine.job_template.read_text())
    variables = {
        "project": "sci",
        "queue": "debug",
        "nodes": 2,
        "num_nodes": 2,
        "time_minutes": 90,
        "wall_time_min": 90,
        "job_mode": "mpi",
        "wf_filter": "consume-all",
        "filter_tags": {},
        "partitions": "",
        "optional_params": {},
        "sched_flags": "",
        "balsam_bin": "/opt/bin",
        "pg_bin": "/opt/pg",
        "balsam_db_path": "'/my db'",
        "balsam_site_path": "'/my db'",
        "launcher_cmd": "/opt/bin/balsam launcher",
        **more,
    }
    return template.render(variables)


def test_the_known_machines_are_those_with_a_directory() -> None:
    assert sorted(KNOWN_MACHINES) == sorted(p.parent.name for p in DIRECTORY.glob("*/settings.toml"))


@all_machines
def test_its_names_are_known_to_those_who_read_them(machine: Machine) -> None:
    assert machine.name in KNOWN_MACHINES
    assert machine.title
    assert machine.scheduler in KNOWN_SCHEDULERS
    assert machine.mpi_run_template in KNOWN_TEMPLATES
    assert machine.worker_detection_type in KNOWN_TYPES
    assert machine.gpu_kind in GPU_KINDS
    assert machine.max_concurrent_mpiruns > 0


@all_machines
@pytest.mark.parametrize("minutes", [1, 2, 3, 90, 1441])
@pytest.mark.parametrize("params", [{}, {"reservation": "friday"}])
def test_its_script_is_one_that_bash_reads(machine: Machine, minutes: int, params: dict[str, str]) -> None:
    script = script_of(machine, time_minutes=minutes, optional_params=params)
    subprocess.run(["bash", "-n"], input=script, text=True, check=True, timeout=60)
    directives = [
        line
        for line in script.splitlines()
        if line.startswith(DIRECTIVES[machine.scheduler.removesuffix("-qos")])
    ]
    assert bool(directives) == (machine.scheduler != "local")
    assert not [
        line for line in script.splitlines() if line.startswith("#") and line.rstrip() in DIRECTIVES.values()
    ]


@pytest.mark.parametrize(
    ("minutes", "told"), [(10, "0:10:00"), (60, "1:00:00"), (90, "1:30:00"), (180, "3:00:00")]
)
@pytest.mark.parametrize("name", ["pbs", "polaris", "aurora", "sunspot"])
def test_pbs_is_told_hours_and_minutes(name: str, minutes: int, told: str) -> None:
    assert f"#PBS -l walltime={told}\n" in script_of(load_machine(name), time_minutes=minutes)


@pytest.mark.parametrize("name", ["pbs", "polaris", "aurora", "sunspot"])
def test_pbs_is_told_the_shell_since_it_takes_the_users_own(name: str) -> None:
    assert "#PBS -S /bin/bash\n" in script_of(load_machine(name))


def test_a_parameter_of_the_submission_becomes_a_directive() -> None:
    script = script_of(load_machine("perlmutter-gpu"), optional_params={"reservation": "friday"})
    assert "#SBATCH --reservation=friday\n" in script
    assert "--reservation" not in script_of(load_machine("perlmutter-gpu"))


@pytest.fixture
def bin_dir(tmp_path: Path) -> Path:
    """Hold a `balsamactivate` that works, and a launcher that tells its arguments and waits for SIGTERM."""
    (tmp_path / "balsamactivate").write_text('export BALSAM_DB_PATH="$1"\n')
    launcher = tmp_path / "balsam"
    launcher.write_text(
        f"#!{sys.executable}\n"
        "import os, signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: os._exit(7))\n"
        "print(os.environ['BALSAM_DB_PATH'], *sys.argv[1:], flush=True)\n"
        "signal.pause()\n"
    )
    launcher.chmod(0o755)
    return tmp_path


@all_machines
def test_a_signal_to_its_script_reaches_the_launcher_whose_exit_code_is_the_jobs(
    machine: Machine, bin_dir: Path
) -> None:
    script = bin_dir / "script.sh"
    wanted = {"launcher_cmd": f"{bin_dir}/balsam launcher", "balsam_bin": str(bin_dir), "time_minutes": 2}
    script.write_text(script_of(machine, **wanted))
    environ = {"PATH": os.environ["PATH"], "HOME": str(bin_dir)}
    with subprocess.Popen(["bash", script], env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = process.stdout.readline().split()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 7
    assert told[:3] == ["/my", "db", "launcher"]
    assert told[3:] == [
        "--consume-all",
        "--job-mode",
        "mpi",
        "--ignore-failures",
        "--time-limit-minutes",
        "1.0",
    ]


@all_machines
def test_a_database_that_cannot_be_activated_ends_its_script(machine: Machine, bin_dir: Path) -> None:
    (bin_dir / "balsamactivate").write_text("return 6\n")
    script = script_of(machine, launcher_cmd="/no/such/launcher", balsam_bin=str(bin_dir))
    environ = {"PATH": os.environ["PATH"], "HOME": str(bin_dir)}
    done = subprocess.run(["bash", "-c", script], env=environ, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (6, b"", b"")


@all_machines
def test_its_queue_policy_keeps_within_its_queues(machine: Machine) -> None:
    queues = load_policy(machine.queue_policy).queues
    assert queues
    for queue in queues:
        assert queue.max_queued > 0
        limits = machine.queues.get(queue.name)
        assert limits is not None or machine.name in ("slurm", "pbs", "lsf", "cobalt")
        assert limits is None or all(band.max_time_min <= limits.max_minutes for band in queue.bands)


def test_what_the_machines_of_the_tables_have() -> None:
    polaris, aurora, summit = map(load_machine, ("polaris", "aurora", "summit"))
    assert polaris.nodes.gpus == ("3", "2", "1", "0") and len(polaris.nodes.cpus) == 32
    assert aurora.nodes.gpus[0] == "0.0" and aurora.nodes.gpus[-1] == "5.1" and len(aurora.nodes.gpus) == 12
    assert not {0, 52} & set(aurora.nodes.cpus) and len(aurora.nodes.cpus) == 102
    assert aurora.max_mpi_launches_per_allocation == 1000
    assert len(summit.nodes.cpus) == 42 and not summit.mpi_shares_nodes
    assert load_machine("theta").queues["default"].max_nodes == 4010


def test_auto_is_the_generic_machine_of_the_batch_system(monkeypatch: pytest.MonkeyPatch) -> None:
    for found, name in (("slurm", "slurm"), ("local", "local"), ("of-a-third-party", "local")):
        monkeypatch.setattr(registry, "detect_scheduler", lambda found=found: found)
        assert load_machine("auto").name == name


@pytest.mark.parametrize(
    ("name", "meant"), [("Polaris", "polaris"), ("perlmutter", "perlmutter-"), ("thetaknl", "theta")]
)
def test_an_unknown_machine_gets_a_proposal(name: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=f"MACHINE '{name}' is not known. Did you mean '{meant}"):
        load_machine(name)


SETTINGS = """\
title = "Ours"
scheduler = "slurm"
mpi_run_template = "slurm"
worker_detection_type = "slurm"
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    directory = tmp_path / "ours"
    directory.mkdir()
    (directory / "settings.toml").write_text(SETTINGS)
    (directory / "job-template.sh").touch()
    (directory / "queue-policy.ini").touch()
    return directory


def test_a_site_describes_its_own_machine_in_a_directory(own: Path) -> None:
    (own / "settings.toml").write_text(SETTINGS + 'cpus = "2-4,8"\ngpu_kind = "rocm"\n')
    machine = load_machine(str(own))
    assert (machine.name, machine.title, machine.gpu_kind) == ("ours", "Ours", "rocm")
    assert machine.nodes.cpus == (2, 3, 4, 8)
    assert machine.job_template == own / "job-template.sh"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (SETTINGS + "cpu = '0'", "cpu is no key; did you mean cpus"),
        (SETTINGS + "cpus = 64", "cpus is 64, which is not a text"),
        (SETTINGS + "cpus = 'all'", "'all' is neither a number nor a range"),
        (SETTINGS + "cpus = '0-3,2'", "cpus names one twice"),
        (SETTINGS + "gpus = [0]", "gpus is .0., which is not a list of texts"),
        (SETTINGS + "memory_mb = true", "memory_mb is True, which is not a whole number"),
        (SETTINGS + "memory_mb = -1", "memory_mb is -1, which is less than 0"),
        (SETTINGS + "gpu_kind = 'mig'", "gpu_kind is 'mig', which is none of cuda"),
        (SETTINGS + "[queues.debug]\nmax_nodes = 1", "queues.debug needs max_nodes, max_queued, max_minutes"),
        (
            SETTINGS + "[queues.debug]\nmax_nodes = 0\nmax_queued = 1\nmax_minutes = 1",
            "max_nodes of queues.debug is 0",
        ),
        ("title = 'x'", "scheduler is missing"),
        ("title = x", "line 1"),
    ],
)
def test_a_wrong_description_is_told_with_its_file(own: Path, text: str, problem: str) -> None:
    (own / "settings.toml").write_text(text)
    with pytest.raises(ConfigError, match=rf"ours/settings.toml: .*{problem}"):
        load_machine(str(own))


def test_a_file_that_is_missing_is_told(own: Path) -> None:
    (own / "queue-policy.ini").unlink()
    with pytest.raises(ConfigError, match=r"ours/queue-policy.ini: there is no such file"):
        load_machine(str(own))
    with pytest.raises(ConfigError, match=r"nowhere/settings.toml: No such file"):
        load_machine(str(own.parent / "nowhere"))
