"""What earlier versions did wrong (W1 to W45), and the tests that fail if any of it comes back."""

import pytest

from tests.contract.covered import Promise, missing_tests

#: Number -> what was wrong, and the tests.
WEAKNESSES = {
    "W1": Promise(
        "the serial master listened on a fixed port for everybody, and workers ran what any master sent",
        (
            "unit/launcher/test_channel_ends.py::test_a_worker_of_another_launch_database_or_session_is_refused"
            " test_a_head_without_the_secret_is_refused_by_the_worker"
            " test_listening_on_a_foreign_address_is_refused_with_the_reason",
            "unit/launcher/test_channel.py::"
            "test_a_proof_cannot_be_reflected_replayed_or_used_for_another_worker",
            "acceptance/test_listening.py::"
            "test_database_and_launcher_listen_on_loopback_and_serve_no_web_page",
        ),
    ),
    "W2": Promise(
        "PostgreSQL trusted everybody on the network",
        (
            "integration/postgres/test_life_cycle.py::test_nobody_logs_in_without_the_password"
            " test_server_is_durable_and_keeps_to_this_host",
            "integration/postgres/test_surroundings.py::test_other_users_of_this_host_are_kept_out",
            "unit/postgres/test_configuration.py::test_every_login_needs_a_password_and_all_else_is_refused",
            "unit/postgres/test_serverinfo.py::test_file_is_one_line_that_only_the_owner_can_read",
        ),
    ),
    "W3": Promise(
        "web pages without login, with debugging on and a constant secret key",
        (
            "acceptance/test_listening.py::"
            "test_database_and_launcher_listen_on_loopback_and_serve_no_web_page",
            "unit/test_no_web_pages.py::test_nothing_serves_web_pages"
            " test_django_neither_debugs_nor_has_a_secret_that_all_share",
        ),
    ),
    "W4": Promise(
        "one bad job ended the transition processes or the launcher",
        (
            "acceptance/test_launcher.py::test_bad_jobs_fail_alone_each_with_its_reason",
            "integration/processing/test_processor.py::test_one_bad_job_fails_alone",
            "integration/launcher/test_worker.py::test_bad_jobs_fail_alone_with_their_reason",
        ),
    ),
    "W5": Promise(
        "saving a whole row brought killed jobs back",
        (
            "integration/core/test_saving.py::test_a_stale_object_does_not_bring_a_killed_job_back"
            " test_a_stale_object_does_not_touch_state_lock_or_history"
            " test_a_state_assigned_to_a_stale_object_is_refused_but_the_rest_is_saved",
        ),
    ),
    "W6": Promise(
        "hooks ran without PATH and HOME",
        (
            "integration/processing/test_hooks.py::test_a_hook_inherits_the_environment_overlaid_by_the_jobs"
            " test_an_interpreter_is_found_on_the_path",
        ),
    ),
    "W10": Promise(
        "a question without an answer was asked for ever",
        (
            "unit/cli/test_prompts.py::test_end_of_input_is_no_answer_and_no_loop"
            " test_closed_stdin_is_no_answer",
            "acceptance/test_cli.py::test_closed_input_ends_a_question",
        ),
    ),
    "W11": Promise(
        "`rm --all --wf-filter` deleted everything",
        ("integration/cli/test_modify_rm.py::test_workflow_narrows_all_and_id",),
    ),
    "W12": Promise(
        "settings.json was overwritten where a key was missing",
        (
            "unit/config/test_settings.py::test_file_with_missing_keys_is_left_as_it_is"
            " test_given_keys_are_merged_with_the_defaults",
        ),
    ),
    "W13": Promise(
        "a kill was ignored in serial mode, and reached the child alone",
        (
            "acceptance/test_scenarios_kills.py::test_killed_serial_job_gives_its_place_to_the_next",
            "acceptance/test_launcher.py::test_killed_job_is_stopped_with_all_its_processes",
            "integration/launcher/test_runner.py::"
            "test_a_kill_reaches_processes_in_groups_and_sessions_of_their_own",
        ),
    ),
    "W14": Promise(
        "jobs of stale locks were run twice, and their way back was not recorded",
        (
            "integration/core/test_leases.py::test_a_lost_owners_jobs_are_free_again_with_the_reason"
            " test_a_lease_lasts_for_its_length_by_the_database_clock test_a_lease_is_lost_for_good",
            "integration/core/test_transitions.py::test_a_result_of_an_owner_that_was_taken_over_is_refused"
            " test_two_owners_of_the_same_attempt_are_told_apart",
            "chaos/test_crashes.py::test_launcher_that_sleeps_past_its_lease_is_refused",
        ),
    ),
    "W15": Promise(
        "a failure overwrote USER_KILLED",
        (
            "integration/core/test_transitions.py::test_a_late_result_of_a_killed_job_is_refused_and_recorded"
            " test_a_killed_job_stays_killed test_one_end_state_does_not_become_another",
        ),
    ),
    "W16": Promise(
        "jobs that wait were locked and looked at every 5 s, and starved others",
        (
            "integration/core/test_costs_of_waiting.py::test_nobody_locks_moves_or_records_jobs_that_wait"
            " test_jobs_are_processed_however_many_wait_before_them"
            " test_end_of_a_parent_reads_its_own_children_only"
            " test_end_of_a_parent_releases_all_its_children_at_once",
        ),
    ),
    "W17": Promise(
        "the children of a deleted parent waited for ever",
        ("integration/cli/test_modify_rm.py::test_children_of_a_deleted_job_fail_with_the_reason",),
    ),
    "W18": Promise(
        "cycles were allowed, and kill and `ls --tree` followed them for ever",
        (
            "integration/launcher/test_dag.py::test_cycles_are_refused"
            " test_detect_circular_finds_a_cycle_that_came_from_elsewhere",
            "integration/core/test_dense_graphs.py::test_whole_ladder_is_killed"
            " test_tree_has_a_line_for_each_job test_edge_from_the_end_to_the_start_is_refused",
        ),
    ),
    "W19": Promise(
        "staging by scp and gsiftp was broken, and names went to a shell unquoted",
        (
            "unit/processing/transfers/test_old_addresses.py::test_what_cannot_be_read_is_refused_clearly"
            " test_every_name_is_staged_in_and_out_and_no_shell_sees_it",
        ),
    ),
    "W20": Promise(
        "envscripts were sourced by a shell that knows no `source`",
        (
            "unit/launcher/test_commands.py::"
            "TestEnvscript::test_its_variables_reach_the_command_and_the_arguments_stay_whole"
            " TestEnvscript::test_its_failure_fails_the_job_and_says_so",
        ),
    ),
    "W21": Promise(
        "mkchild, `ls apps --id`, killjob without a match, FutureTask and spawn_child(clone=) crashed",
        (
            "integration/cli/test_graph.py::test_mkchild_adds_a_child_of_the_job_it_runs_in"
            " test_kill_without_a_match_is_not_found",
            "integration/cli/test_ls.py::test_apps_are_found_by_id",
            "integration/launcher/test_futures.py::test_a_result_that_does_not_come_in_time_is_a_timeout",
            "integration/launcher/test_dag.py::test_clone_may_be_said_when_spawning",
        ),
    ),
    "W22": Promise(
        "`modify` could set neither booleans nor JSON",
        (
            "integration/cli/test_modify_rm.py::test_value_is_read_by_the_type_of_the_attribute"
            " test_bad_attribute_or_value_is_a_usage_error",
        ),
    ),
    "W23": Promise(
        "init and server exited with 0 where they failed",
        (
            "acceptance/test_database_commands.py::"
            "test_init_that_fails_says_so_with_its_status_and_leaves_nothing"
            " test_server_of_another_host_is_a_conflict test_server_goes_up_and_down",
            "acceptance/test_sharing.py::test_user_cannot_be_added_while_the_server_is_down",
        ),
    ),
    "W24": Promise(
        "`server --reset` left the server stopped",
        ("acceptance/test_database_commands.py::test_reset_leaves_the_server_running_on_its_port",),
    ),
    "W28": Promise(
        "the history was a text in the job's row that grew without end",
        (
            "integration/core/test_history_size.py::test_row_of_a_job_does_not_grow_with_its_history"
            " test_history_of_one_job_is_found_by_an_index",
            "integration/cli/test_ls.py::test_history_reads_all_events_at_once",
        ),
    ),
    "W29": Promise(
        "importing dag asked the scheduler, and read settings and templates",
        (
            "unit/test_imports.py::test_import_has_no_side_effects",
            "integration/launcher/test_dag.py::test_importing_dag_contacts_no_database",
        ),
    ),
    "W30": Promise(
        "running launchers never noticed a changed application",
        (
            "integration/core/test_changed_applications.py::"
            "test_launcher_that_ran_it_before_starts_the_new_executable"
            " test_processing_that_ran_its_hook_before_runs_the_new_one",
        ),
    ),
    "W31": Promise(
        "jobs were started that could not end in the time left",
        (
            "acceptance/test_launcher.py::test_job_that_needs_more_time_than_is_left_is_not_started",
            "integration/launcher/test_worker.py::test_a_job_that_cannot_end_in_the_time_left_goes_back",
        ),
    ),
    "W32": Promise(
        "timeouts were retried without end, exit code 1 in secret, and the output of before was lost",
        (
            "integration/core/test_transitions.py::test_a_timeout_restarts_the_job_up_to_its_limit"
            " test_an_error_is_retried_as_often_as_the_job_allows",
            "acceptance/test_launcher.py::test_job_that_exits_with_one_is_started_once",
            "integration/launcher/test_runner.py::test_the_output_of_earlier_attempts_is_kept",
        ),
    ),
    "W33": Promise(
        "jobs shared a GPU by accident, and mpi mode knew of none",
        (
            "acceptance/test_launcher_gpus.py::test_jobs_that_run_at_once_have_gpus_of_their_own"
            " test_job_of_more_gpus_than_there_are_is_left_with_the_reason",
            "unit/launcher/test_placement_properties.py::test_gpus_are_shared_only_by_those_who_asked_for_shares",
        ),
    ),
    "W34": Promise(
        "launches shared a log or its name, and no log ever ended",
        (
            "unit/lib/test_logs.py::test_starts_in_the_same_second_never_share_a_file"
            " test_log_is_bounded_by_its_limit_and_backups",
            "unit/postgres/test_configuration.py::test_statements_and_their_values_are_not_logged"
            " test_log_of_the_server_is_kept_for_a_week_and_no_longer",
            "integration/launcher/test_runner.py::"
            "test_a_process_runs_in_a_new_directory_with_both_streams_in_its_output_file",
        ),
    ),
    "W35": Promise(
        "environ_vars could hold no colon",
        (
            "unit/lib/test_envstrings.py::test_what_is_written_is_read_back test_every_form_is_read",
            "contract/test_legacy_jobs.py::test_environ_vars_take_a_dict_or_text",
        ),
    ),
    "W40": Promise(
        "a time limit of two minutes became none",
        (
            "acceptance/test_launcher.py::test_tiny_time_limit_is_a_limit"
            " test_time_limit_ends_jobs_as_timeouts",
            "unit/batch/test_time_limits.py::test_launcher_of_the_shortest_batch_job_has_a_limit",
        ),
    ),
    "W41": Promise(
        "a workflow filter meant equality here and a part there, and nothing was said where nothing matched",
        (
            "integration/core/test_workflow_filters.py::test_a_part_of_the_name_is_enough_and_is_no_pattern",
            "acceptance/test_submit_launch.py::test_a_filter_is_a_part_of_workflows_as_for_the_launcher",
            "acceptance/test_launcher.py::test_launcher_for_a_workflow_that_nobody_has_says_so",
        ),
    ),
    "W42": Promise(
        "requirements without bounds broke what was installed later",
        ("unit/test_requirements.py::test_requirement_has_a_lower_and_an_upper_bound",),
    ),
    "W43": Promise(
        "names of users, ids and values were read by SQL and the shell",
        (
            "acceptance/test_activate.py::test_bcd_takes_an_id_for_nothing_but_an_id",
            "integration/postgres/test_sharing.py::test_user_of_any_name_works_and_goes",
            "integration/core/test_hostile_values.py::test_queries_take_hostile_text_as_text",
            "unit/batch/test_requests.py::test_what_is_no_name_is_refused"
            " test_workflows_that_a_shell_would_read_are_refused_with_the_way_around",
            "unit/batch/test_templates.py::test_paths_are_one_word_wherever_the_database_is"
            " test_a_value_is_never_rendered_itself",
        ),
    ),
    "W44": Promise(
        "importing balsam changed logging, hooks and the name of the process",
        (
            "unit/test_imports.py::test_import_has_no_side_effects",
            "unit/lib/test_logs.py::test_only_the_logger_of_balsam_is_touched",
        ),
    ),
    "W45": Promise(
        "`ls` had no order, and its tree showed jobs twice",
        (
            "integration/cli/test_ls.py::test_jobs_are_a_table_in_order_of_creation"
            " test_tree_shows_children_below_their_parents_once test_tree_with_a_limit_goes_deep_first",
        ),
    ),
}


@pytest.mark.parametrize("weakness", WEAKNESSES)
def test_every_weakness_has_tests_that_would_catch_it(weakness: str):
    assert WEAKNESSES[weakness].tests
    assert not missing_tests(WEAKNESSES[weakness].tests)


def test_no_weakness_of_the_database_and_its_launcher_is_left_out():
    numbers = [*range(1, 7), *range(10, 25), *range(28, 36), *range(40, 46)]
    assert list(WEAKNESSES) == [f"W{number}" for number in numbers]


def test_a_test_that_does_not_exist_is_found():
    named = "contract/test_weaknesses.py::test_gone test_a_test_that_does_not_exist_is_found"
    assert missing_tests([named]) == ["contract/test_weaknesses.py::test_gone"]
    assert missing_tests(["contract/gone.py::test_x"]) == ["contract/gone.py::test_x"]
