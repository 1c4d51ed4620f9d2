"""What pip installs with Balsam has known limits, and is Balsam alone."""

import re
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def requirements() -> list[str]:
    return [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["mpi"]]


@pytest.mark.parametrize("requirement", requirements())
def test_requirement_has_a_lower_and_an_upper_bound(requirement: str):
    assert re.fullmatch(r"[\w.-]+(\[\w+\])?>=\d[\d.]*,<\d[\d.]*", requirement), requirement


def test_no_other_directory_that_starts_like_balsam_is_packaged():
    patterns = PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
    names = ("balsam", "balsam.core", "balsam.core.sql", "balsam-demo", "balsamdb", "balsam_demo.balsam")
    packaged = [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]
    assert packaged == ["balsam", "balsam.core", "balsam.core.sql"]
