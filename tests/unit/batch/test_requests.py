"""Nothing that a user types can end a directive or begin a command in a job script."""

from dataclasses import replace

import pytest

from balsam.batch.requests import checked, flag_words
from balsam.exceptions import UsageError
from balsam.schemas.batch_jobs import BatchJobRequest

FINE = BatchJobRequest(
    scheduler="slurm", project="p", queue="q", num_nodes=1, wall_time_min=1, job_mode="mpi"
)
NAMES = ["Comp_Perf_Workshop", "debug-flat-quad", "gpu@host.org", "a,b", "x/y", "1", "a+b:c"]
HOSTILE = [
    *(
        "a\n#SBATCH --uid=0",
        "a\r",
        "a;b",
        "a b",
        "$(id)",
        "`id`",
        "a'b",
        'a"b',
        "-w",
        "--wrap=x",
        "a&b",
        "a|b",
    ),
    *("a>b", "a\\b", "a\0b", "", "a#b", "a*", "{{x}}", "ü"),
]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_projects_and_queues_are_taken(name: str):
    request = replace(FINE, project=name, queue=name)
    assert checked(request) == request


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_no_name_is_refused(text: str):
    with pytest.raises(UsageError, match=r"project \(-A\)"):
        checked(replace(FINE, project=text))
    with pytest.raises(UsageError, match=r"queue \(-q\)"):
        checked(replace(FINE, queue=text))


@pytest.mark.parametrize("workflow", ["a b", "a;b", "a/b", "50%", "ü", "a&b", "x*"])
def test_workflows_may_be_called_nearly_anything(workflow: str):
    assert checked(replace(FINE, workflow=workflow)).workflow == workflow


@pytest.mark.parametrize("workflow", ["a'b", 'a"b', "$(id)", "`id`", "a\\b", "a\nb", "wow!"])
def test_workflows_that_a_shell_would_read_are_refused_with_the_way_around(workflow: str):
    with pytest.raises(UsageError, match="A part of the name"):
        checked(replace(FINE, workflow=workflow))


def test_flags_are_words_as_a_shell_splits_them():
    assert flag_words("") == []
    assert flag_words("--constraint='a&b' -l select=2:x=1") == ["--constraint=a&b", "-l", "select=2:x=1"]


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        ("other.sh", "taken for the script"),
        ("--x='", "No closing quotation"),
        ("--x\n--y", "no flag needs"),
        ("--x;id", "no flag needs"),
        ("--x=$(id)", "no flag needs"),
        ("--x=`id`", "no flag needs"),
    ],
)
def test_flags_that_are_none_are_refused(flags: str, problem: str):
    with pytest.raises(UsageError, match=problem):
        checked(replace(FINE, sched_flags=flags))


def test_parameters_are_identifiers_and_plain_values():
    params = {"node_type": "knl, 64 cores", "x": "/a/b=c"}
    assert checked(replace(FINE, optional_params=params)).optional_params == params
    for name, value in (("a-b", "x"), ("", "x"), ("x", "a;b"), ("x", "$HOME"), ("x", "a\nb"), ("x", "a'b")):
        with pytest.raises(UsageError, match="parameter"):
            checked(replace(FINE, optional_params={name: value}))
