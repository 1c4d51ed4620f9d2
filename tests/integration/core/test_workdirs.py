"""Where jobs run is told as the server's host calls it, also to a client elsewhere."""

import uuid
from pathlib import Path

import pytest

from balsam.core import workdirs
from balsam.core.models import BalsamJob, Site
from balsam.exceptions import AmbiguousError, NotFoundError
from tests.conftest import active_database
from tests.jobs import add_job


def test_a_client_with_nothing_but_server_info_is_told_the_servers_path(db: Path, tmp_path: Path):
    job = add_job(name="a", workflow="w")
    here = job.working_directory
    (tmp_path / "server-info").write_text((db / "server-info").read_text())

    with active_database(tmp_path):
        assert Site.objects.get().path == str(db.resolve())
        assert BalsamJob.objects.get(pk=job.pk).working_directory == here


@pytest.mark.parametrize(
    ("name", "workflow", "expected"),
    [
        ("a b/c", "", "a_b_c_{id}"),
        ("", "", "{id}"),
        ("x", "../../etc", "etc/x_{id}"),
        ("..", "a//b/./", "a/b/.._{id}"),
    ],
)
def test_no_name_leads_out_of_the_data_directory(db: Path, name: str, workflow: str, expected: str):
    job = BalsamJob(name=name, workflow=workflow)

    short = str(job.pk)[:8]
    assert job.working_directory == f"{db.resolve()}/data/{expected.format(id=short)}"


def test_a_directory_is_found_by_a_part_of_the_id(db: Path):
    job = add_job(name="a")

    assert workdirs.find(str(job.pk)[:13]) == Path(job.working_directory)
    with pytest.raises(NotFoundError):
        workdirs.find("zzzz")
    add_job(job_id=uuid.UUID(int=1)), add_job(job_id=uuid.UUID(int=2))
    with pytest.raises(AmbiguousError):
        workdirs.find("0000-0000-0000")


def test_a_directory_of_the_users_choice_is_looked_for_on_the_servers_side_only(db: Path, tmp_path: Path):
    own = add_job(name="own", workflow="w", user_workdir=str(tmp_path))
    far = add_job(name="far", workflow="w", user_workdir="/lus/only/over/there")
    home = add_job(name="home", workflow="w", user_workdir="~")
    assert own.working_directory == str(tmp_path)
    assert far.working_directory == f"{db.resolve()}/data/w/far_{str(far.pk)[:8]}"
    (tmp_path / "server-info").write_text((db / "server-info").read_text())

    with active_database(tmp_path):
        assert own.working_directory == str(tmp_path)
        assert far.working_directory == "/lus/only/over/there"
        assert home.working_directory == f"{db.resolve()}/data/w/home_{str(home.pk)[:8]}"
