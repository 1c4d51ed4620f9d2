"""The scenarios that earlier versions were tested with (T1 to T18), and the tests that play them here."""

import pytest

from tests.contract.covered import Promise, missing_tests

SCENARIOS = {
    "T1": Promise(
        "one job from stage-in through hooks that edit it to stage-out, with its logs",
        ("acceptance/test_scenarios_one_job.py::test_job_goes_from_stage_in_through_its_hooks_to_stage_out",),
    ),
    "T2": Promise(
        "a nonzero exit without a handler fails the job and keeps its files",
        ("acceptance/test_scenarios_one_job.py::test_job_that_fails_without_a_handler_keeps_its_output",),
    ),
    "T3": Promise(
        "an error handler saves the job",
        (
            "acceptance/test_scenarios_one_job.py::test_error_handler_saves_the_job"
            " test_restarted_job_does_not_run_beside_its_handler",
        ),
    ),
    "T4": Promise(
        "a launcher that is stopped leaves a timeout, and the next one restarts the job",
        (
            "acceptance/test_scenarios_timeouts.py::test_job_of_a_stopped_launcher_is_restarted_by_the_next_one",
        ),
    ),
    "T5": Promise(
        "a timeout handler decides in place of a restart",
        ("acceptance/test_scenarios_timeouts.py::test_timeout_handler_decides_in_place_of_a_restart",),
    ),
    "T6": Promise(
        "without automatic restarts a timeout fails the job",
        ("acceptance/test_scenarios_timeouts.py::test_job_that_does_not_restart_by_itself_fails",),
    ),
    "T7": Promise(
        "27 graphs of three jobs of all kinds over two interrupted launchers",
        ("acceptance/test_scenarios_many.py::test_all_graphs_finish_over_two_interrupted_launchers",),
    ),
    "T8": Promise(
        "a static map and reduce gathers the files of all parents",
        ("acceptance/test_scenarios_graphs.py::test_map_and_reduce_gathers_the_files_of_all_parents",),
    ),
    "T9": Promise(
        "errors and timeouts of parents and children inside a graph are handled",
        (
            "acceptance/test_scenarios_graphs.py::test_errors_and_timeouts_inside_a_graph_are_handled",
            "integration/core/test_scenarios.py::test_a_handled_failure_lets_the_children_run",
        ),
    ),
    "T10": Promise(
        "the handler of a timed out parent hands its children to a rescue job",
        ("acceptance/test_scenarios_graphs.py::test_timed_out_parent_hands_its_children_to_a_rescue_job",),
    ),
    "T11": Promise(
        "a postprocess adds parents to a job that waits",
        (
            "acceptance/test_scenarios_graphs.py::test_reduce_job_waits_for_the_jobs_that_a_hook_adds",
            "integration/core/test_scenarios.py::test_a_reduce_job_waits_for_parents_that_its_parent_spawns",
        ),
    ),
    "T14": Promise(
        "a job killed during its preprocess never runs",
        (
            "acceptance/test_scenarios_kills.py::test_job_killed_during_its_preprocess_never_runs",
            "integration/processing/test_processor.py::"
            "test_a_job_killed_while_its_preprocess_runs_stays_killed_and_the_hook_ends",
        ),
    ),
    "T15": Promise(
        "killing a running serial job ends it",
        (
            "acceptance/test_scenarios_kills.py::test_killed_serial_job_gives_its_place_to_the_next"
            " test_kill_wins_over_the_end_that_it_brings_about",
        ),
    ),
    "T16": Promise(
        "killing a running job of two ranks ends both",
        ("acceptance/test_scenarios_mpi.py::test_killed_parallel_job_ends_with_all_its_ranks",),
    ),
    "T17": Promise(
        "a hook builds a graph and kills a part of it",
        ("acceptance/test_scenarios_kills.py::test_script_kills_a_tree_of_jobs_and_leaves_the_others_alone",),
    ),
    "T18": Promise(
        "ranks that acquire jobs at once get different ones",
        (
            "acceptance/test_scenarios_mpi.py::test_ranks_that_acquire_jobs_at_once_get_different_ones",
            "integration/core/test_scenarios.py::test_ranks_acquire_disjoint_jobs_that_others_do_not_see",
        ),
    ),
    "T12": Promise(
        "ranks, threads and nodes are exactly those asked for",
        (
            "acceptance/test_scenarios_mpi.py::test_ranks_threads_and_nodes_are_exactly_those_asked_for"
            " test_every_rank_of_a_job_sees_its_number_and_its_threads",
        ),
    ),
    "T13": Promise(
        "every rank adds a job at once, and all are run",
        ("acceptance/test_scenarios_mpi.py::test_all_jobs_that_ranks_add_at_once_are_run",),
    ),
}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_is_played_by_a_test(scenario: str):
    assert not missing_tests(SCENARIOS[scenario].tests)


def test_no_scenario_is_left_out():
    assert set(SCENARIOS) == {f"T{number}" for number in range(1, 19)}
