"""The page about guarantees names the invariants that are checked, and no others."""

import re
from pathlib import Path

from balsam.core.invariants import CHECKS, CYCLES

PAGE = (Path(__file__).parents[2] / "docs" / "guarantees.md").read_text()


def test_invariants_on_the_page_are_those_checked():
    listed = re.findall(r"^\* (.*)$", PAGE.partition("\n## Invariants\n")[2], re.M)
    assert listed == [*CHECKS.values(), CYCLES]
