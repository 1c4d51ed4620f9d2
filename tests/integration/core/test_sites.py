"""Jobs of several sites in one database: each is handed out at its own, with its own files and command."""

from pathlib import Path

import pytest

from balsam.core import claims
from balsam.core.models import ApplicationDefinition, BalsamJob, Site
from balsam.core.models.application import full_name
from balsam.schemas.sessions import ClaimRequest, OutlookRequest, StepClaimRequest
from tests.jobs import claim, open_session


@pytest.fixture
def other(db: Path, tmp_path: Path) -> Site:
    return Site.objects.create(name="other", path=str(tmp_path / "other"))


def add_hello(site: Site, **fields: object) -> ApplicationDefinition:
    template = "echo Hello, {{ say_hello_to }}! $CUDA_VISIBLE_DEVICES"
    values = {"command_template": template, "site": site, **fields}
    return ApplicationDefinition.objects.create(name=full_name("Hello", site.pk), **values)


def add_job(app: ApplicationDefinition, **fields: object) -> BalsamJob:
    values = {"workdir": "demo/hello", "parameters": {"say_hello_to": "the world"}, **fields}
    return BalsamJob.objects.create(application=app.name, site_id=app.site_id, **values)


def test_job_of_another_site_is_claimed_there_alone(other: Site):
    job = add_job(add_hello(other))
    session = open_session()
    assert claim(session) == []
    (spec,) = claim(session, site_id=other.pk)
    assert spec.job_id == str(job.pk)
    assert spec.workdir == f"{other.path}/data/demo/hello"
    assert spec.output_name == "job.out"
    assert "say_hello_to" not in spec.command and "'the world'" in spec.command.replace("'\"'\"'", "'")
    assert job.working_directory == spec.workdir


def test_applications_of_two_sites_may_share_a_name(other: Site):
    first = Site.objects.get(pk=1)
    apps = [add_hello(first, command_template="echo first"), add_hello(other, command_template="echo other")]
    assert [app.name for app in apps] == ["Hello", f"Hello@{other.pk}"]
    assert [app.short_name for app in apps] == ["Hello", "Hello"]
    for app in apps:
        add_job(app, workdir=f"at/{app.site_id}")
    session = open_session()
    commands = [claim(session, site_id=app.site_id)[0].command for app in apps]
    assert ["echo first" in commands[0], "echo other" in commands[1]] == [True, True]


def test_tags_narrow_what_is_claimed(db: Path):
    app = add_hello(Site.objects.get(pk=1))
    for tags in ({"workflow": "a", "n": "1"}, {"workflow": "a", "n": "2"}, {"workflow": "b"}):
        add_job(app, tags=tags)
    session = open_session()
    wanted = {"workflow": "a"}
    assert claims.outlook(OutlookRequest(session_id=session, tags=wanted)).runnable == 2
    request = ClaimRequest(session_id=session, limit=10, tags={**wanted, "n": "2"})
    assert len(claims.claim(request)) == 1
    assert len(claim(session, tags=wanted)) == 1
    assert len(claim(session)) == 1


def test_missing_parameter_is_the_problem_of_one_job(db: Path):
    app = add_hello(Site.objects.get(pk=1))
    add_job(app, parameters={})
    add_job(app)
    problems = sorted(spec.problem for spec in claim(open_session()))
    assert problems[0] == "" and "'say_hello_to' is undefined" in problems[1]


def test_defaults_and_variables_of_the_application_reach_the_job(db: Path):
    app = add_hello(
        Site.objects.get(pk=1),
        command_template="run {{ a }} {{ b }}",
        parameters={"a": {"required": True}, "b": {"required": False, "default": "two"}},
        environment_variables={"COLOUR": "red", "SIZE": "1"},
    )
    add_job(app, parameters={"a": "one"}, environ_vars={"SIZE": "2"}, threads_per_rank=1)
    (spec,) = claim(open_session())
    assert spec.command.endswith("'run one two'")
    assert {name: spec.environ[name] for name in ("COLOUR", "SIZE", "OMP_NUM_THREADS")} == {
        "COLOUR": "red", "SIZE": "2", "OMP_NUM_THREADS": "1",
    }  # fmt: skip


def test_steps_are_claimed_at_the_site_with_the_parents_directories(other: Site):
    hello = add_hello(other)
    hooked = ApplicationDefinition.objects.create(
        name=full_name("Hooked", other.pk), site=other, command_template="true", preprocess="prepare"
    )
    first = add_job(add_hello(Site.objects.get(pk=1)), workdir="there")
    second = add_job(hello, workdir="here")
    child = add_job(hooked, workdir="child", wait_for_parents=False)
    child.set_parents([first, second])
    session = open_session()
    assert claims.claim_steps(StepClaimRequest(session_id=session, limit=10)) == []
    (step,) = claims.claim_steps(StepClaimRequest(session_id=session, limit=10, site_id=other.pk))
    assert step.workdir == f"{other.path}/data/child"
    assert [parent.workdir for parent in step.parents] == [
        first.working_directory,
        f"{other.path}/data/here",
    ]
