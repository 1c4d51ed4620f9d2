"""Linking, killing and adding children."""

from collections.abc import Callable

import pytest

from balsam.core.models import ApplicationDefinition, BalsamJob
from tests.commands import Finished

Cli = Callable[..., Finished]
CHILD = ("mkchild", "--name", "next", "--workflow", "wf", "--application", "echo")
CHILD += ("--wall-minutes", "5", "--num-nodes", "1", "--ranks-per-node", "2")


def add_jobs(*names: str) -> list[BalsamJob]:
    ApplicationDefinition.objects.get_or_create(name="echo", defaults={"executable": "/bin/echo"})
    return BalsamJob.objects.bulk_create(
        BalsamJob(name=name, workflow="wf", application="echo") for name in names
    )


def states() -> dict[str, str]:
    return dict(BalsamJob.objects.values_list("name", "state"))


def test_dep_makes_the_child_wait(balsam: Cli):
    a, b = add_jobs("a", "b")
    done = balsam("dep", str(a.pk)[:13], str(b.pk)[9:].upper()).check()
    assert done.stdout == f"Created link {a.cute_id} --> {b.cute_id}\n"
    assert states() == {"a": "PREPROCESSED", "b": "AWAITING_PARENTS"}
    assert b.get_parents_by_id() == [str(a.pk)]


def test_dep_refuses_cycles_repeats_and_unknown_jobs(balsam: Cli):
    a, b = add_jobs("a", "b")
    balsam("dep", a.pk, b.pk).check()
    assert balsam("dep", b.pk, a.pk).returncode == 2
    assert balsam("dep", a.pk, b.pk).returncode == 7
    assert balsam("dep", a.pk, "f" * 32).returncode == 3
    assert balsam("dep", "-", b.pk).returncode == 3


def test_kill_takes_an_id_prefix_and_asks(balsam: Cli):
    a, _ = add_jobs("a", "b")
    done = balsam("kill", str(a.pk)[:20], input="y\n").check()
    assert f"Really kill job {a.cute_id}? [y/n]: " in done.stdout
    assert states() == {"a": "USER_KILLED", "b": "PREPROCESSED"}


def test_killjob_recursive_kills_all_below(balsam: Cli):
    a, b, c, d = add_jobs("a", "b", "c", "d")
    for parent, child in [(a, b), (b, c), (a, c)]:
        balsam("dep", parent.pk, child.pk).check()
    done = balsam("killjob", "--id", a.pk, "--rec", "--yes").check()
    assert "Killed 3 jobs." in done.stdout
    assert states() == {"a": "USER_KILLED", "b": "USER_KILLED", "c": "USER_KILLED", "d": d.state}


def test_kill_without_a_match_is_not_found(balsam: Cli):
    add_jobs("a")
    for fragment in ("zzz", "00000000-0000-0000-0000-000000000000", ""):
        done = balsam("kill", f"--id={fragment}", "--yes")
        assert done.returncode == 3, done.output
        assert done.stderr.startswith("No job has an id that starts with")


def test_ambiguous_prefix_kills_nothing(balsam: Cli):
    jobs = [BalsamJob(job_id=f"aaaa000{i}-0000-4000-8000-000000000000", name=f"j{i}") for i in range(5)]
    BalsamJob.objects.bulk_create(jobs)
    done = balsam("kill", "AAAA", "--yes")
    assert done.returncode == 3
    assert "Several jobs have ids that start with 'AAAA': [j0 | aaaa0000]" in done.stderr
    balsam("kill", "aaaa0003", "--yes").check()
    assert states()["j3"] == "USER_KILLED"


def test_no_kills_nothing_and_killed_jobs_stay_killed(balsam: Cli):
    [a] = add_jobs("a")
    assert "Aborted" in balsam("kill", a.pk, input="n\n").check().stdout
    balsam("kill", a.pk, "--yes").check()
    done = balsam("kill", a.pk, "--yes")
    assert done.returncode == 4
    assert "USER_KILLED already" in done.stderr


def test_kill_wants_one_id(balsam: Cli):
    assert balsam("kill").returncode == 2
    assert balsam("kill", "a", "--id", "b").returncode == 2


def test_mkchild_adds_a_child_of_the_job_it_runs_in(balsam: Cli, monkeypatch: pytest.MonkeyPatch):
    [parent] = add_jobs("a")
    monkeypatch.setenv("BALSAM_JOB_ID", str(parent.pk))
    done = balsam(*CHILD, "--args", "x").check()
    child = BalsamJob.objects.get(name="next")
    assert child.get_parents_by_id() == [str(parent.pk)]
    assert (child.state, child.ranks_per_node, child.wall_time_minutes) == ("AWAITING_PARENTS", 2, 5)
    assert f"Created link {parent.cute_id} --> {child.cute_id}" in done.stdout


def test_mkchild_with_hooks_leaves_the_application_as_it_is(balsam: Cli, monkeypatch: pytest.MonkeyPatch):
    [parent] = add_jobs("a")
    monkeypatch.setenv("BALSAM_JOB_ID", str(parent.pk))
    balsam(*CHILD, "--preprocessor", "/bin/pre", "--postprocessor", "/bin/post").check()
    balsam(*CHILD, "--preprocessor", "/bin/pre", "--postprocessor", "/bin/post").check()
    first, second = BalsamJob.objects.filter(name="next")
    assert (first.preprocess, first.postprocess) == ("/bin/pre", "/bin/post")
    assert first.application == second.application != "echo"
    assert ApplicationDefinition.objects.get(name="echo").preprocess == ""


def test_mkchild_outside_of_a_job_says_so(balsam: Cli):
    add_jobs("a")
    done = balsam(*CHILD)
    assert done.returncode == 2
    assert "BALSAM_JOB_ID" in done.stderr
    assert BalsamJob.objects.count() == 1
