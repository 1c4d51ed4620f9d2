"""What accounts at a server must do (A1 to A6), and what of earlier servers must not come back."""

import pytest

from tests.contract.covered import Promise, missing_tests

_LOGINS = "integration/server/test_logins.py"
_REST = "integration/server/test_rest.py"
_TERMINAL = "acceptance/test_logins.py"

PROMISES = {
    "A1": Promise(
        "registering answers with 201 and the id",
        (f"{_LOGINS}::test_account_is_registered_and_a_taken_name_refused",),
    ),
    "A2": Promise(
        "a taken name is a clear error after one request",
        (
            f"{_LOGINS}::test_account_is_registered_and_a_taken_name_refused",
            f"{_TERMINAL}::test_wrong_answers_end_at_once_with_one_request",
        ),
    ),
    "A3": Promise(
        "a wrong password is a clear error at once",
        (f"{_TERMINAL}::test_wrong_answers_end_at_once_with_one_request",),
    ),
    "A4": Promise("without a login nothing is told", (f"{_REST}::test_nothing_is_told_without_a_login",)),
    "A5": Promise(
        "an expired token tells the way to log in",
        (f"{_LOGINS}::test_expired_token_is_refused_with_the_way_to_log_in",),
    ),
    "A6": Promise("two users never see each other's", (f"{_REST}::test_two_accounts_never_see_each_other",)),
    "token expiry": Promise(
        "agents and launchers stopped when a token expired after 48 hours",
        (
            "integration/server/test_renewal.py::test_ten_processes_outlive_many_tokens"
            " test_token_that_expires_is_renewed_and_the_request_repeated"
            " test_token_that_another_process_has_renewed_is_taken_over",
        ),
    ),
    "security": Promise(
        "a secret key of all, no revocation, no limits, no narrower logins for agents",
        (
            f"{_LOGINS}::test_logins_are_listed_and_ended test_scopes_say_what_a_login_may_do"
            " test_login_for_one_site_finds_no_other test_who_asks_too_often_is_told_when_to_come_back",
            f"{_TERMINAL}::test_no_secret_is_told_to_anybody",
            "integration/server/test_providers.py::test_forged_answers_are_refused",
            "integration/server/test_login_pages.py::test_forms_of_other_pages_are_refused",
        ),
    ),
}


@pytest.mark.parametrize("name", PROMISES)
def test_every_promise_about_accounts_has_its_tests(name: str):
    assert not missing_tests(PROMISES[name].tests)
