"""One rule for workflow filters: a part of the name, as it stands, for everything a launcher asks."""

import pytest

from balsam.core import claims
from balsam.schemas.sessions import OutlookRequest, StepClaimRequest
from tests.jobs import add_app, add_job, claim, open_session

pytestmark = pytest.mark.usefixtures("db")

NAMES = ("sweep1", "sweep2", "Sweep", "s_eep", "other")


@pytest.mark.parametrize(
    ("part", "taken"),
    [
        ("weep", {"sweep1", "sweep2", "Sweep"}),
        ("sweep1", {"sweep1"}),
        ("s_eep", {"s_eep"}),
        ("s%p", set()),
        ("sw.*", set()),
        ("", set(NAMES)),
    ],
)
def test_a_part_of_the_name_is_enough_and_is_no_pattern(part: str, taken: set[str]):
    add_app("hooked", preprocess="/bin/true")
    for name in NAMES:
        add_job(workflow=name, name=name)
        add_job(workflow=name, name=name, application="hooked")
    session = open_session()

    outlook = claims.outlook(OutlookRequest(workflow=part))
    assert (outlook.runnable, outlook.processable) == (len(taken), len(taken))
    assert {spec.name for spec in claim(session, workflow=part)} == taken
    steps = claims.claim_steps(StepClaimRequest(session_id=session, limit=100, workflow=part))
    assert {step.name for step in steps} == taken
