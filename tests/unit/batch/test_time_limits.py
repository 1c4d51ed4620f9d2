"""Launchers of batch jobs end before the batch job does, however short that is."""

import re
from pathlib import Path

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

import balsam

TEMPLATES = sorted((Path(balsam.__file__).parent / "platform" / "machines").glob("*/job-template.sh"))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.parent.name)
@pytest.mark.parametrize("minutes", [1, 2, 3, 60])
def test_launcher_of_the_shortest_batch_job_has_a_limit(template: Path, minutes: int):
    script = (
        ImmutableSandboxedEnvironment()
        .from_string(template.read_text())
        .render(time_minutes=minutes, optional_params={})
    )
    limits = re.findall(r"--time-limit-minutes[ =](\S+)", script)
    assert len(limits) == 1
    assert 0 < float(limits[0]) < minutes


def test_there_are_templates():
    assert TEMPLATES
