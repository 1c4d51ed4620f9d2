"""What scripts of the database generation do with one job: its columns, properties and methods."""

import json
import os
import re
import uuid
from datetime import datetime
from pathlib import Path

import pytest

from balsam.core.models import (
    ApplicationDefinition,
    BalsamJob,
    InvalidParentsError,
    InvalidStateError,
    NoApplication,
    from_time_string,
    get_time_string,
    history_line,
)
from balsam.lib.processes import this_process
from tests.jobs import (
    add_app,
    add_job,
    add_jobs,
    claim,
    open_session,
    run_all,
    state_of,
)

pytestmark = pytest.mark.usefixtures("db")

#: Column -> default, in the order in which `str(job)` shows them.
FIELDS = {
    "workflow": "",
    "name": "",
    "description": "",
    "lock": "",
    "input_files": "",
    "stage_in_url": "",
    "stage_out_files": "",
    "stage_out_url": "",
    "wall_time_minutes": 1,
    "num_nodes": 1,
    "coschedule_num_nodes": 0,
    "ranks_per_node": 1,
    "cpu_affinity": "none",
    "threads_per_rank": 1,
    "threads_per_core": 1,
    "node_packing_count": 1,
    "environ_vars": {},
    "mpi_flags": "",
    "application": "",
    "args": "",
    "user_workdir": "",
    "wait_for_parents": True,
    "post_error_handler": False,
    "post_timeout_handler": False,
    "auto_timeout_retry": True,
    "state": "CREATED",
    "queued_launch": None,
    "data": {},
}

# -- fields --------------------------------------------------------------------------------------------


def test_a_new_job_has_the_documented_defaults():
    job = BalsamJob()

    assert {name: getattr(job, name) for name in FIELDS} == FIELDS
    assert isinstance(job.job_id, uuid.UUID) and job.pk == job.job_id
    assert job.get_parents_by_id() == [] and job.parents == "[]"


def test_a_saved_job_has_the_documented_defaults():
    job = BalsamJob()
    job.save()

    stored = BalsamJob.objects.get(pk=job.pk)
    assert {name: getattr(stored, name) for name in FIELDS} == {**FIELDS, "state": "READY"}


def test_the_id_is_known_before_the_job_is_saved():
    job = BalsamJob(name="x")
    before = job.job_id
    job.save()

    assert BalsamJob.objects.get(job_id=before).name == "x"


def test_mutable_defaults_are_fresh():
    one, other = BalsamJob(), BalsamJob()
    one.data["x"] = 1

    assert other.data == {} == BalsamJob().data


def test_an_unknown_field_is_a_type_error_with_a_suggestion():
    with pytest.raises(TypeError, match="Did you mean wall_time_minutes"):
        BalsamJob(walltime_minutes=3)
    with pytest.raises(TypeError, match="has no field 'colour'"):
        BalsamJob(colour="red")


def test_parents_may_be_given_to_the_constructor():
    parent = add_job()
    for value in (json.dumps([str(parent.pk)]), [parent.pk], [parent]):
        job = BalsamJob(name="x", parents=value)
        job.save()
        assert json.loads(job.parents) == [str(parent.pk)]


def test_str_and_repr_show_every_field():
    job = add_job(name="n", workflow="w", data={"x": 1}, args="a  b")
    lines = str(job).splitlines()

    assert repr(job) == str(job)
    assert lines[:2] == [f"BalsamJob {job.job_id}", "-" * 46]
    labels = [line.split(":")[0] for line in lines[2:]]
    shown = [label for label in labels if label in FIELDS]
    assert shown == [name for name in FIELDS if name != "job_id"]
    assert not {"job_id", "state_history", "tick"} & set(labels)
    assert f"{'name:':<32}n" in lines and f"{'data:':<32}{{'x': 1}}" in lines
    assert lines[-2] == f"{'*** Executed command:':<32}/bin/true a b"
    assert lines[-1] == f"{'*** Working directory:':<32}{job.working_directory}"


def test_str_of_a_job_without_application_does_not_fail():
    assert "no such application" in str(BalsamJob(application="missing"))
    assert "no such application" in str(BalsamJob())


# -- properties ----------------------------------------------------------------------------------------


def test_numbers_derived_from_fields():
    job = BalsamJob(num_nodes=3, ranks_per_node=4, threads_per_rank=6, threads_per_core=2)

    assert (job.num_ranks, job.required_num_cores) == (12, 12)
    assert BalsamJob(threads_per_core=4).required_num_cores == 1
    with pytest.raises(AttributeError):
        job.required_num_cores = 3


def test_cute_id():
    job = BalsamJob(name="sim")

    assert job.cute_id == f"[sim | {str(job.pk)[:8]}]"
    assert BalsamJob(job_id=job.pk).cute_id == f"[{str(job.pk)[:8]}]"


def test_app_cmd_is_normalised(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/me")
    add_app("sim", "~/bin/sim  --fast")

    assert BalsamJob(application="sim", args=" a   ~/b ").app_cmd == "/home/me/bin/sim --fast a /home/me/b"


def test_scripts_of_the_application(tmp_path: Path):
    env = tmp_path / "env.sh"
    env.write_text("")
    add_app("sim", preprocess="pre.py", postprocess="post.py", envscript=str(env))
    add_app("none", envscript="/missing")

    job = BalsamJob(application="sim")
    assert (job.preprocess, job.postprocess, job.envscript) == ("pre.py", "post.py", str(env))
    assert BalsamJob(application="none").envscript is None
    assert BalsamJob().preprocess == BalsamJob().postprocess == ""
    with pytest.raises(ApplicationDefinition.DoesNotExist):
        _ = BalsamJob(application="missing").preprocess


def test_get_application():
    app = add_app("sim")

    assert BalsamJob(application="sim").get_application() == app
    with pytest.raises(NoApplication):
        BalsamJob().get_application()
    with pytest.raises(ApplicationDefinition.DoesNotExist):
        BalsamJob(application="missing").get_application()


def test_a_changed_application_is_seen_at_once():
    app = add_app("sim", "/bin/a")
    job = BalsamJob(application="sim")
    assert job.app_cmd == "/bin/a"
    app.executable = "/bin/b"
    app.save()

    assert job.app_cmd == "/bin/b"


def test_runtime_seconds():
    job = add_job()
    assert job.runtime_seconds is None
    run_all()

    assert job.runtime_seconds is not None and job.runtime_seconds >= 0


def test_working_directory(db: Path, tmp_path: Path):
    job = BalsamJob(name=" my job ", workflow="a/b")
    short = str(job.pk)[:8]

    assert job.working_directory == f"{db.resolve()}/data/a/b/my_job_{short}"
    job.workflow = ""
    assert job.working_directory == f"{db.resolve()}/data/my_job_{short}"
    job.user_workdir = str(tmp_path)
    assert job.working_directory == str(tmp_path)
    job.user_workdir = str(tmp_path / "missing")
    assert job.working_directory == f"{db.resolve()}/data/my_job_{short}"


def test_read_file_in_workdir(tmp_path: Path):
    (tmp_path / "out").write_text("result")
    job = BalsamJob(user_workdir=str(tmp_path))

    assert job.read_file_in_workdir("out") == "result"
    with pytest.raises(ValueError, match="missing not found"):
        job.read_file_in_workdir("missing")


# -- the graph -----------------------------------------------------------------------------------------


def test_parents_and_children():
    parents = [add_job(name=name) for name in "ab"]
    child = add_job(*parents, name="c")

    assert child.get_parents_by_id() == [str(parent.pk) for parent in parents]
    assert list(child.get_parents()) == parents
    assert list(parents[0].get_children()) == [child]
    assert parents[0].get_children_by_id() == [child.pk]
    assert parents[0].get_child_by_name("c") == child


def test_get_child_by_name_needs_exactly_one():
    parent = add_job()
    add_job(parent, name="twin"), add_job(parent, name="twin")

    for name in ("twin", "missing"):
        with pytest.raises(ValueError):
            parent.get_child_by_name(name)


def test_set_parents_takes_jobs_and_ids_and_saves_nothing_else():
    parents = [add_job() for _ in range(3)]
    child = add_job()
    child.args = "not saved"

    child.set_parents([parents[0], parents[1].pk, str(parents[2].pk)])
    assert len(child.get_parents_by_id()) == 3
    assert child.state == state_of(child) == "AWAITING_PARENTS"
    assert BalsamJob.objects.get(pk=child.pk).args == ""
    child.set_parents([])
    assert child.state == "PREPROCESSED" and child.parents == "[]"


@pytest.mark.parametrize("parents", [5, "abc", [uuid.uuid4()], ["no-id"], None])
def test_set_parents_refuses_what_are_no_jobs(parents: object):
    with pytest.raises(InvalidParentsError):
        add_job().set_parents(parents)


# -- environment ---------------------------------------------------------------------------------------


def test_get_envs():
    parent = add_job()
    job = add_job(parent, environ_vars="A=1:B=2", threads_per_rank=4)

    assert job.get_envs() == {
        "A": "1",
        "B": "2",
        "BALSAM_JOB_ID": str(job.pk),
        "BALSAM_PARENT_IDS": json.dumps([str(parent.pk)]),
        "BALSAM_DB_PATH": os.environ["BALSAM_DB_PATH"],
        "OMP_NUM_THREADS": "4",
    }
    assert job.get_envs(timeout=True)["BALSAM_JOB_TIMEOUT"] == "TRUE"
    assert job.get_envs(error=True)["BALSAM_JOB_ERROR"] == "TRUE"


def test_own_variables_cannot_replace_balsams():
    job = add_job(environ_vars={"BALSAM_JOB_ID": "x"})

    assert job.get_envs()["BALSAM_JOB_ID"] == str(job.pk)
    assert "OMP_NUM_THREADS" not in job.get_envs()


def test_parse_envstring_is_static():
    assert BalsamJob.parse_envstring("A=1:B=2") == {"A": "1", "B": "2"}


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("", {}),
        ("{}", {}),
        ("A=1:B=2", {"A": "1", "B": "2"}),
        ('{"URL": "http://x:80"}', {"URL": "http://x:80"}),
        ({"PATH": "/a:/b", "N": 1}, {"PATH": "/a:/b", "N": "1"}),
        (["A=1"], {"A": "1"}),
    ],
)
def test_environ_vars_take_a_dict_or_text(given: object, stored: dict[str, str]):
    job = add_job(environ_vars=given)
    job.refresh_from_db()
    assert job.environ_vars == stored
    job.environ_vars = given
    job.save()
    assert BalsamJob.objects.get(pk=job.pk).environ_vars == stored
    BalsamJob.objects.filter(pk=job.pk).update(environ_vars=given)
    assert BalsamJob.objects.get(pk=job.pk).environ_vars == stored


# -- states --------------------------------------------------------------------------------------------


def test_update_state():
    job = add_job()
    job.update_state("FAILED", "no good")

    assert job.state == state_of(job) == "FAILED"
    assert job.get_recent_state_str().endswith("FAILED] no good")
    with pytest.raises(InvalidStateError):
        job.update_state("NONSENSE")


def test_update_state_takes_its_arguments_by_position():
    job = add_job()
    job.update_state("FAILED", "message", True)

    assert state_of(job) == "FAILED"


def test_batch_update_state_skips_killed_jobs():
    jobs = add_jobs(3)
    jobs[0].update_state("USER_KILLED")

    BalsamJob.batch_update_state([job.pk for job in jobs], "FAILED", "all of them")
    assert [state_of(job) for job in jobs] == ["USER_KILLED", "FAILED", "FAILED"]
    BalsamJob.batch_update_state(BalsamJob.objects.all(), "CREATED")
    assert [state_of(job) for job in jobs] == ["USER_KILLED", "PREPROCESSED", "PREPROCESSED"]


ENTRY = re.compile(r"^\[(\d\d-\d\d-\d{4} \d\d:\d\d:\d\d\.\d{6}) (\w+)\](?: (.*))?$")


def test_the_history_text_has_the_known_shape():
    job = add_job()
    run_all()
    text = job.state_history

    assert text.startswith("\n[")
    entries = [ENTRY.match(line) for line in text.splitlines()[1:]]
    assert [entry and entry[2] for entry in entries] == [
        *("CREATED", "PREPROCESSED", "RUNNING", "RUN_DONE", "JOB_FINISHED")
    ]
    times = [from_time_string(entry[1]) for entry in entries if entry]
    assert times == sorted(times)


def test_messages_are_embedded_raw():
    job = add_job()
    job.update_state("FAILED", "first\n  second")

    assert job.state_history.endswith("FAILED] first\n  second")


def test_the_history_of_an_unsaved_job_is_its_creation():
    assert ENTRY.match(BalsamJob().state_history.strip())[2] == "CREATED"
    assert BalsamJob().get_recent_state_str().endswith("CREATED]")
    assert BalsamJob().get_state_times() == {}


def test_get_state_times_has_the_last_time_of_each_state():
    job = add_job()
    job.update_state("FAILED")
    job.update_state("CREATED")
    times = job.get_state_times()

    assert set(times) == {"CREATED", "PREPROCESSED", "FAILED"}
    assert times["PREPROCESSED"] > times["FAILED"]
    assert all(isinstance(time, datetime) and time.tzinfo is None for time in times.values())


def test_time_texts():
    when = datetime(2021, 6, 9, 12, 30, 1, 5)

    assert get_time_string(when) == "06-09-2021 12:30:01.000005"
    assert from_time_string(get_time_string(when)) == when
    assert history_line("RUNNING", "go", when) == "\n[06-09-2021 12:30:01.000005 RUNNING] go"


def test_tick_is_the_owners_heartbeat():
    job = add_job()
    assert job.tick == job.created
    claim(open_session())
    job.refresh_from_db()

    assert job.tick > job.created
    assert job.lock == f"{this_process().host}:{os.getpid()}"
