"""Job templates are rendered in a sandbox, with every name that templates know, as words of a shell."""

import shlex
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from balsam.batch.desk import Desk
from balsam.batch.templates import render_script
from balsam.exceptions import ConfigError, UsageError
from balsam.schemas.batch_jobs import BatchJobRequest
from tests.tiny_scheduler import TinyScheduler

REQUEST = BatchJobRequest(
    scheduler="tiny", project="proj", queue="debug", num_nodes=3, wall_time_min=90, job_mode="serial"
)
NAMES = [
    *("project", "queue", "nodes", "num_nodes", "time_minutes", "wall_time_min", "job_mode", "wf_filter"),
    *("filter_tags", "partitions", "optional_params", "sched_flags", "balsam_bin", "pg_bin"),
    *("balsam_db_path", "balsam_site_path", "launcher_cmd"),
]


@pytest.fixture
def render(local_queue: Path, tmp_path: Path) -> Any:
    """Render a template's text for a request, in a database of a difficult name."""

    def rendered(text: str, db_path: Path = tmp_path / "it's my db", **fields: Any) -> str:
        (local_queue / "mine.tmpl").write_text(text)
        desk: Desk = TinyScheduler().desk(db_path, JOB_TEMPLATE="mine.tmpl")
        return render_script(desk, replace(REQUEST, **fields))

    return rendered


def test_every_name_is_there(render: Any):
    lines = render("\n".join(f"{name}={{{{ {name} }}}}" for name in NAMES)).splitlines()
    values = dict(line.split("=", 1) for line in lines)
    assert list(values) == NAMES
    assert (values["project"], values["queue"], values["nodes"], values["num_nodes"]) == (
        "proj",
        "debug",
        "3",
        "3",
    )
    assert (values["time_minutes"], values["wall_time_min"], values["job_mode"]) == ("90", "90", "serial")
    assert values["wf_filter"] == "consume-all"


def test_users_may_reckon_with_times(render: Any):
    text = "{{ time_minutes-2 }} {{ wall_time_min//60 }}:{{ '%02d' % (wall_time_min % 60) }}:00"
    assert render(text) == "88 1:30:00"


def test_the_filter_is_the_body_of_a_flag(render: Any):
    assert render("--{{ wf_filter }}", workflow="sweep1") == "--wf-filter=sweep1"
    assert shlex.split(render("--{{ wf_filter }}", workflow="my wf; x")) == ["--wf-filter=my wf; x"]


def test_paths_are_one_word_wherever_the_database_is(render: Any, tmp_path: Path):
    script = render('printf "%s|" {{ balsam_db_path }} {{ balsam_site_path }}/data')
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == f"{tmp_path}/it's my db|{tmp_path}/it's my db/data|"


def test_the_launcher_has_the_settings_of_the_submission(render: Any, local_queue: Path):
    assert f"env BALSAM_HOME={local_queue} /" in render("exec {{ launcher_cmd }}")


def test_a_path_with_control_characters_is_refused(render: Any):
    with pytest.raises(UsageError, match="control characters"):
        render("{{ balsam_db_path }}", db_path=Path("/a\nb"))


def test_a_value_is_never_rendered_itself(render: Any):
    assert render("{{ optional_params.x }}", optional_params={"x": "{{ queue }}"}) == "{{ queue }}"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("#!/bin/bash\n\n{{ nodez }}", "line 3: 'nodez' is undefined"),
        ("a\n{% if nodes %}", "line 2: .*Unexpected end of template"),
        ("{{ nodes + }}", "line 1: "),
        ("a\nb\n{{ nodes / 0 }}", "line 3: division by zero"),
        ("{{ nodes.x }}", "line 1: .*has no attribute"),
        ("{{ queue + nodes }}", "line 1: "),
        ("\n{{ ''.__class__.__mro__ }}", "line 2: .*unsafe"),
        ("{{ optional_params.update(a=1) }}", "unsafe|not safely callable"),
        ("{% include '/etc/passwd' %}", "line 1: "),
    ],
)
def test_a_mistake_is_told_with_file_and_line(render: Any, text: str, problem: str):
    with pytest.raises(ConfigError, match=rf"mine\.tmpl, {problem}" if "line" in problem else problem):
        render(text)


def test_a_missing_template_is_told(local_queue: Path, tmp_path: Path):
    desk = TinyScheduler().desk(tmp_path, JOB_TEMPLATE="job-templates/none.tmpl")
    with pytest.raises(ConfigError, match=r"job-templates/none\.tmpl.*JOB_TEMPLATE"):
        render_script(desk, REQUEST)


def test_a_template_in_another_encoding_is_told(local_queue: Path, tmp_path: Path):
    (local_queue / "mine.tmpl").write_bytes(b"#!/bin/bash\n# caf\xe9\n")
    with pytest.raises(ConfigError, match=r"mine\.tmpl"):
        render_script(TinyScheduler().desk(tmp_path, JOB_TEMPLATE="mine.tmpl"), REQUEST)


@pytest.mark.parametrize(("minutes", "limit"), [(1, "0.5"), (2, "1.0"), (5, "3"), (90, "88")])
def test_the_packaged_template_leaves_the_launcher_time_to_end(tmp_path: Path, minutes: int, limit: str):
    script = render_script(TinyScheduler().desk(tmp_path), replace(REQUEST, wall_time_min=minutes))
    assert script.startswith("#!/bin/bash")
    assert f"--time-limit-minutes {limit}\n" in script
