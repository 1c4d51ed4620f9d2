"""What launches of applications as classes must do (G1 to G14), and the tests that fail where they do not."""

import pytest

from tests.contract.covered import Promise, missing_tests

_LAUNCHES = "acceptance/test_site_launches.py::"
_WARM = "integration/launcher/test_warm_interpreters.py::"
CHECKLIST = {
    "G1": Promise(
        "a job in mpi mode has its environment and its output",
        (f"{_LAUNCHES}test_job_has_its_environment_its_directory_and_its_output",),
    ),
    "G2": Promise(
        "a job in serial mode has its environment and its output",
        (f"{_LAUNCHES}test_job_has_its_environment_its_directory_and_its_output",),
    ),
    "G3": Promise(
        "what a Python method returns and raises comes back, in both modes",
        (
            "integration/api/test_applications.py::"
            "test_python_application_returns_values_and_raises_exceptions"
            " test_every_rank_runs_and_the_first_one_answers"
            " test_result_too_large_for_its_column_is_an_error_that_says_so",
            f"{_WARM}test_results_and_exceptions_that_cannot_be_sent_are_clear_errors"
            " test_file_in_place_of_an_outcome_is_none",
        ),
    ),
    "G4": Promise(
        "a preamble may be a list or a text",
        (
            "integration/api/test_applications.py::"
            "test_hooks_run_in_the_working_directory_and_change_the_job"
            " test_multi_line_preamble_runs_once_before_all_ranks",
        ),
    ),
    "G5": Promise(
        "a failed job has the end of its output and its code",
        (f"{_LAUNCHES}test_failed_job_has_the_end_of_its_output_and_its_code",),
    ),
    "G6": Promise(
        "the end of the time ends jobs as timeouts",
        (
            f"{_LAUNCHES}test_end_of_the_time_ends_python_jobs_as_timeouts",
            "acceptance/test_launcher.py::test_time_limit_ends_jobs_as_timeouts",
        ),
    ),
    "G7": Promise(
        "SIGTERM loses no result",
        (
            f"{_LAUNCHES}test_sigterm_loses_no_result_and_ends_what_runs",
            "acceptance/test_launcher.py::"
            "test_sigterm_ends_jobs_as_timeouts_and_the_next_launcher_restarts_them",
        ),
    ),
    "G8": Promise(
        "a launcher without work leaves",
        (
            "unit/launcher/test_leaving.py::test_leaves_at_once_when_nothing_can_come_up_for_it"
            " test_stays_for_children_of_jobs_that_others_run_but_not_for_ever",
            "acceptance/test_launcher.py::test_jobs_run_once_each_and_the_launcher_leaves",
        ),
    ),
    "G9": Promise(
        "jobs share nodes by their packing count, and see their own GPUs, whatever starts them",
        (
            "acceptance/test_launcher_gpus.py::test_jobs_that_run_at_once_have_gpus_of_their_own",
            "acceptance/test_launcher_on_machines.py::test_parallel_jobs_on_polaris"
            " test_parallel_jobs_on_aurora test_parallel_jobs_on_theta test_parallel_jobs_on_summit",
            "integration/launcher/test_rank_masks.py::test_each_rank_sees_its_own_tiles",
            f"{_WARM}test_each_job_sees_its_own_gpu",
        ),
    ),
    "G10": Promise(
        "a template is one script inside the ranks, and its exit status is kept",
        (f"{_LAUNCHES}test_template_is_one_script_inside_the_ranks_and_its_status_is_kept",),
    ),
    "G11": Promise(
        "a job that cannot be placed is told of",
        ("acceptance/test_launcher_gpus.py::test_job_of_more_gpus_than_there_are_is_left_with_the_reason",),
    ),
    "G12": Promise(
        "a restart keeps the output of the attempt before",
        (
            f"{_LAUNCHES}test_restarted_job_keeps_the_output_it_had",
            f"{_WARM}test_output_of_an_earlier_attempt_is_kept",
        ),
    ),
    "G13": Promise(
        "a working directory that cannot be made fails its job alone",
        (f"{_LAUNCHES}test_directory_that_cannot_be_made_fails_its_job_alone",),
    ),
    "G14": Promise(
        "a payload may be larger than a command line",
        (f"{_LAUNCHES}test_payload_may_be_larger_than_a_command_line",),
    ),
}


@pytest.mark.parametrize("item", CHECKLIST)
def test_every_item_has_tests_that_would_catch_it(item: str):
    assert CHECKLIST[item].tests
    assert not missing_tests(CHECKLIST[item].tests)


def test_no_item_is_left_out():
    assert list(CHECKLIST) == [f"G{number}" for number in range(1, 15)]
