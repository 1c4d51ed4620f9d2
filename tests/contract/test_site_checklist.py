"""The tests of what sites promise (A to K, by numbers) and of what earlier versions did wrong (W1 to W18)."""

import pytest

from tests.contract.covered import Promise, missing_tests

_REST = "integration/server/test_rest.py::"
_OBJECTS = "integration/api/test_objects.py::"
_SESSIONS = "integration/api/test_sessions.py::"
_APPS = "integration/api/test_applications.py::"
_FILES = "integration/cli/test_app_files.py::"
_RESOURCES = "integration/core/test_resources.py::"
_DIRECTORIES = "acceptance/test_site_directories.py::"
_COMMANDS = "acceptance/test_site_commands.py::"
_WORKSHOP = "acceptance/test_site_workshop.py::"
_LAUNCHER = "acceptance/test_launcher.py::"
_DOCUMENT = "contract/test_site_on_theta_document.py::test_document_is_followed_line_by_line"

ACCOUNTS = {
    "A1": Promise(
        "registering makes an account, with its id",
        (f"{_REST}test_accounts_are_made_and_used_at_the_command_line", _DOCUMENT),
    ),
    "A2": Promise(
        "a name that is taken is told at once", (f"{_REST}test_name_that_is_taken_is_told_at_once",)
    ),
    "A3": Promise(
        "a wrong password is told at once",
        (f"{_REST}test_wrong_password_is_refused_at_once_and_guessing_is_held_back",),
    ),
    "A4": Promise("without a login nothing is told", (f"{_REST}test_nothing_is_told_without_a_login",)),
    "A5": Promise("a login that is over says so", (f"{_REST}test_login_ends_when_it_is_revoked",)),
    "A6": Promise(
        "two accounts never see each other",
        (
            f"{_REST}test_two_accounts_never_see_each_other",
            "integration/server/test_sessions.py::test_sessions_of_others_do_not_exist",
            f"{_RESOURCES}test_each_caller_sees_what_is_theirs_alone",
        ),
    ),
}
SITES = {
    "B1": Promise(
        "init makes directory and record, or nothing",
        (
            f"{_DIRECTORIES}test_site_has_its_files_and_its_record"
            " test_what_cannot_be_made_leaves_nothing_behind",
        ),
    ),
    "B2": Promise("a name is taken once", (f"{_RESOURCES}test_name_of_a_site_is_taken_once_by_an_owner",)),
    "B3": Promise("owners share names", (f"{_RESOURCES}test_name_of_a_site_is_taken_once_by_an_owner",)),
    "B4": Promise(
        "a site takes its applications and jobs along",
        (f"{_RESOURCES}test_site_takes_its_applications_and_jobs_along",),
    ),
    "B5": Promise(
        "a change of a site is a sign of life", (f"{_OBJECTS}test_change_of_a_site_is_a_sign_of_life",)
    ),
    "B6": Promise("the owner of a site stays", (f"{_OBJECTS}test_owner_of_a_site_is_no_field",)),
    "B7": Promise(
        "agents start, stop, start again, and replace dead ones",
        (f"{_WORKSHOP}test_hello_of_the_workshop_runs_by_itself test_killed_agent_is_replaced",),
    ),
    "B8": Promise(
        "sync needs no agent", (f"{_WORKSHOP}test_sync_tells_the_settings_and_restarts_the_agent",)
    ),
    "B9": Promise(
        "sites are moved, renamed and deleted",
        (
            f"{_DIRECTORIES}test_site_is_renamed_and_moved"
            " test_site_is_deleted_with_its_jobs_after_a_question"
            " test_force_deletes_a_site_whose_directory_is_gone test_site_with_an_agent_stays_where_it_is",
        ),
    ),
}
APPLICATIONS = {
    "C1": Promise(
        "sync creates, then updates the same id",
        (f"{_APPS}test_sync_creates_then_updates_the_same_application",),
    ),
    "C2": Promise("rename_from keeps id and jobs", (f"{_APPS}test_renamed_class_keeps_its_id_and_its_jobs",)),
    "C3": Promise(
        "a second application of that name is refused",
        (f"{_APPS}test_second_application_of_a_name_is_refused",),
    ),
    "C4": Promise(
        "the same name at two sites needs the site",
        (
            f"{_APPS}test_same_name_at_two_sites_needs_the_site",
            f"{_OBJECTS}test_application_is_found_by_id_name_object_and_path",
        ),
    ),
    "C5": Promise(
        "bad templates and parameters are refused where the class is written",
        ("unit/api/test_application.py::test_impossible_class_is_refused_where_it_is_written",),
    ),
    "C6": Promise(
        "docstring and source are kept", (f"{_APPS}test_sync_creates_then_updates_the_same_application",)
    ),
    "C7": Promise(
        "file applications load, sync, and are found by class_path",
        (
            f"{_APPS}test_class_in_a_file_of_the_site_is_read_where_its_jobs_run"
            " test_files_of_a_site_are_synced_again_when_they_change",
            f"{_FILES}test_created_application_runs_its_jobs"
            " test_sync_says_what_has_changed_and_asks_before_it_deletes",
            _DOCUMENT,
        ),
    ),
}
JOBS = {
    "D1": Promise(
        "first states follow from parents",
        (
            f"{_RESOURCES}test_jobs_are_made_in_order_with_their_first_states",
            f"{_OBJECTS}test_parents_and_children_are_found",
        ),
    ),
    "D2": Promise(
        "defaults are those of the table", (f"{_OBJECTS}test_defaults_of_a_job_are_those_promised",)
    ),
    "D3": Promise(
        "workdirs stay below the data", (f"{_RESOURCES}test_workdir_stays_below_the_data_directory",)
    ),
    "D4": Promise(
        "tags become texts", ("unit/test_checking.py::test_tags_become_texts_and_parents_are_sorted",)
    ),
    "D5": Promise(
        "bulk_create keeps the order",
        (f"{_OBJECTS}test_bulk_create_keeps_the_order_and_returns_new_objects",),
    ),
    "D6": Promise(
        "a workdir is given once in a call", (f"{_RESOURCES}test_jobs_of_one_call_are_made_all_or_none",)
    ),
    "D7": Promise("each filter filters", (f"{_RESOURCES}test_jobs_are_found_by_each_filter",)),
    "D8": Promise(
        "order, slices, limit and offset",
        (f"{_OBJECTS}test_queries_chain_slice_and_are_lazy test_long_lists_of_ids_are_read_as_if_at_once",),
    ),
    "D9": Promise(
        "changes of one, of many, by a query, with different fields and with none",
        (
            f"{_OBJECTS}test_many_are_changed_and_deleted_at_once"
            " test_refused_change_is_told_and_keeps_none_of_the_others"
            " test_different_fields_of_many_jobs_are_changed_at_once",
            f"{_RESOURCES}test_one_bad_change_keeps_none_of_the_others test_changes_by_filter_reach_all",
        ),
    ),
    "D10": Promise(
        "changes in place are saved or refused",
        (
            f"{_OBJECTS}test_change_inside_a_dict_is_noticed"
            " test_change_in_place_of_what_stays_is_refused_and_never_lost"
            " test_change_inside_of_serialized_parameters_is_noticed",
        ),
    ),
    "D11": Promise(
        "one and many are deleted, running ones too",
        (
            f"{_OBJECTS}test_many_are_changed_and_deleted_at_once",
            "integration/processing/test_processor.py::"
            "test_a_job_deleted_while_its_preprocess_runs_takes_the_hook_with_it",
            "integration/core/test_leases.py::test_the_owner_is_told_when_a_held_job_is_taken_away",
        ),
    ),
    "D12": Promise(
        "chains, fans, parents that stage out, fail, or are deleted",
        (
            f"{_WORKSHOP}test_jobs_with_parents_run_in_one_batch_job",
            "integration/core/test_races.py::test_both_parents_of_a_diamond_finish_at_once"
            " test_one_parent_of_a_diamond_finishes_while_the_other_fails",
            "integration/core/test_costs_of_waiting.py::test_end_of_a_parent_releases_all_its_children_at_once",
            "integration/cli/test_modify_rm.py::test_children_of_a_deleted_job_fail_with_the_reason",
            "integration/processing/test_scenarios.py::test_a_job_gets_its_parents_files_in_the_order_of_their_creation",
        ),
    ),
    "D13": Promise(
        "wait, as_completed, result, done, NoResult",
        (
            f"{_OBJECTS}test_waiting_ends_when_the_jobs_do test_waiting_for_what_does_not_end_times_out",
            f"{_APPS}test_python_application_returns_values_and_raises_exceptions test_command_has_no_result",
            f"{_REST}test_waiting_over_http_is_told_of_ends",
        ),
    ),
}
LEASES = {
    "L1": Promise(
        "two never get the same job",
        (
            f"{_SESSIONS}test_jobs_of_two_sessions_are_never_the_same",
            "integration/core/test_races.py::test_eight_launchers_share_ten_thousand_jobs_without_a_double_claim",
        ),
    ),
    "L2": Promise(
        "jobs show the batch job they ran in",
        (
            f"{_SESSIONS}test_session_ends_with_its_batch_job_which_its_jobs_show",
            f"{_WORKSHOP}test_hello_of_the_workshop_runs_by_itself",
        ),
    ),
    "L3": Promise(
        "RUNNING keeps a job, its end lets it go",
        (f"{_SESSIONS}test_run_is_told_step_by_step_and_kept_by_the_session_until_it_ends",),
    ),
    "L4": Promise(
        "leases are renewed, and end by the database's clock",
        (
            f"{_SESSIONS}test_session_is_made_found_renewed_and_deleted",
            "integration/core/test_leases.py::test_a_lease_lasts_for_its_length_by_the_database_clock"
            " test_a_heartbeat_renews_the_lease",
        ),
    ),
    "L5": Promise(
        "what runs in a deleted session has timed out",
        (f"{_SESSIONS}test_what_runs_in_a_deleted_session_has_run_out_of_time",),
    ),
    "L6": Promise(
        "a session ends with its batch job",
        (f"{_SESSIONS}test_session_ends_with_its_batch_job_which_its_jobs_show",),
    ),
    "L7": Promise(
        "who lost its lease is refused",
        (
            f"{_SESSIONS}test_who_lost_its_lease_tells_nothing_any_more",
            "chaos/test_crashes.py::test_launcher_that_sleeps_past_its_lease_is_refused",
        ),
    ),
    "L8": Promise(
        "what is asked for bounds and orders what comes",
        (
            f"{_SESSIONS}test_jobs_come_by_what_is_asked_for test_jobs_of_named_applications_come_alone"
            " test_eight_packed_and_two_large_jobs_share_five_nodes",
        ),
    ),
    "L9": Promise("a packing count of 0 is impossible", (f"{_OBJECTS}test_resources_below_one_are_refused",)),
}
BATCH_JOBS = {
    "F1": Promise(
        "a batch job goes its way",
        (
            f"{_WORKSHOP}test_hello_of_the_workshop_runs_by_itself",
            "integration/core/test_batch_jobs.py::test_observations_take_a_batch_job_through_its_life",
        ),
    ),
    "F2": Promise(
        "what is to be deleted only ever finishes",
        ("integration/core/test_batch_jobs.py::test_what_is_to_be_deleted_only_ever_finishes",),
    ),
    "F3": Promise(
        "one that was not submitted yet is cancelled",
        (
            "integration/core/test_batch_jobs.py::test_deleting_what_was_never_submitted_ends_it_at_once",
            f"{_COMMANDS}test_batch_job_is_asked_for_listed_and_ended",
        ),
    ),
    "F4": Promise(
        "what a site does not allow is told",
        (
            f"{_COMMANDS}test_limits_of_the_site_are_kept_when_a_batch_job_is_asked_for",
            "unit/schemas/test_batch_limits.py::test_batch_job_is_refused_with_the_reason",
            f"{_OBJECTS}test_site_refuses_batch_jobs_that_it_does_not_allow"
            " test_batch_job_knows_its_partitions_and_checks_itself",
        ),
    ),
    "F5": Promise(
        "partitions have launchers of their own",
        (
            f"{_WORKSHOP}test_parts_of_a_batch_job_take_jobs_of_their_own",
            "unit/launcher/test_parts.py::test_parts_take_the_nodes_in_order",
        ),
    ),
    "F6": Promise(
        "-x gives values to the template, with defaults",
        (f"{_WORKSHOP}test_job_template_of_the_site_gets_its_parameters",),
    ),
    "F7": Promise(
        "batch jobs are found by each filter", (f"{_OBJECTS}test_batch_jobs_are_found_by_each_filter",)
    ),
    "F8": Promise(
        "how a batch job ended is kept",
        ("integration/batch/test_refreshing.py::test_every_end_that_the_account_tells_is_recorded",),
    ),
}
LAUNCH = {
    "G1": Promise(
        "jobs run in mpi mode", ("acceptance/test_launcher_on_machines.py::test_parallel_jobs_on_theta",)
    ),
    "G2": Promise(
        "jobs run in serial mode", (f"{_COMMANDS}test_job_of_either_face_runs_and_is_seen_from_the_other",)
    ),
    "G3": Promise(
        "Python applications return and raise",
        (f"{_APPS}test_python_application_returns_values_and_raises_exceptions",),
    ),
    "G4": Promise(
        "preambles are lists, texts, or none",
        (
            f"{_APPS}test_multi_line_preamble_runs_once_before_all_ranks"
            " test_hooks_run_in_the_working_directory_and_change_the_job"
            " test_hooks_that_say_nothing_take_the_usual_way",
        ),
    ),
    "G5": Promise(
        "an error comes with code and the end of the output",
        (
            "integration/launcher/test_worker.py::test_a_job_starts_and_ends_with_its_code_and_the_end_of_its_output",
        ),
    ),
    "G6": Promise("the time limit ends jobs", (f"{_LAUNCHER}test_time_limit_ends_jobs_as_timeouts",)),
    "G7": Promise(
        "a signal loses nothing",
        (f"{_LAUNCHER}test_sigterm_ends_jobs_as_timeouts_and_the_next_launcher_restarts_them",),
    ),
    "G8": Promise(
        "an idle launcher leaves after idle_ttl_sec",
        ("integration/config/test_settings_keys.py::test_key_of_the_settings_does_something",),
    ),
    "G9": Promise(
        "packing and GPUs of each launcher",
        (
            "acceptance/test_launcher_gpus.py::test_jobs_that_run_at_once_have_gpus_of_their_own",
            "unit/platform/mpirun/test_adapters.py::test_command_of_each_launcher"
            " test_who_shows_ranks_their_gpus",
            "contract/test_aurora_document.py::test_scripts_of_the_document",
            "contract/test_workshop_document.py::test_scripts_of_the_workshop",
        ),
    ),
    "G10": Promise(
        "the exit code is that of the whole template",
        ("unit/lib/test_command_templates.py::test_exit_status_is_that_of_the_whole",),
    ),
    "G11": Promise(
        "a job that fits nowhere is told",
        ("acceptance/test_launcher_gpus.py::test_job_of_more_gpus_than_there_are_is_left_with_the_reason",),
    ),
    "G12": Promise(
        "output of before is kept",
        ("integration/launcher/test_runner.py::test_the_output_of_earlier_attempts_is_kept",),
    ),
    "G13": Promise(
        "a directory that cannot be made fails its job alone",
        ("integration/launcher/test_runner.py::test_an_unwritable_directory_fails_the_start_alone",),
    ),
    "G14": Promise(
        "arguments of any size",
        (f"{_APPS}test_python_application_returns_values_and_raises_exceptions",),
    ),
}
AGENT = {
    "H1": Promise(
        "each hook runs, may raise, and may say nothing",
        (
            f"{_APPS}test_hooks_run_in_the_working_directory_and_change_the_job"
            " test_hook_that_raises_fails_the_job_with_its_exception"
            " test_hooks_that_say_nothing_take_the_usual_way test_timeout_is_handled_by_the_class",
        ),
    ),
    "H2": Promise(
        "a failure in one loop or job stays there",
        (
            "unit/agent/test_supervision.py::test_failure_of_one_loop_leaves_the_others_alone",
            "integration/processing/test_processor.py::test_one_bad_job_fails_alone",
        ),
    ),
    "H3": Promise(
        "transfers are batched, followed, and tried again",
        (
            "integration/processing/test_transfers.py"
            "::test_files_come_in_and_go_out_and_the_job_goes_on"
            " test_failures_are_tried_again_until_the_budget_is_used_up"
            " test_two_movers_do_nothing_twice_and_hand_back_what_they_did_not_begin",
            "chaos/test_transfer_campaign.py::test_nothing_is_lost_or_done_before_its_data_is_whole",
        ),
    ),
    "H4": Promise(
        "the elastic queue sizes by a table",
        (
            "unit/agent/test_elastic_sizing.py::test_nodes_are_asked_for_that_the_work_lacks"
            " test_backfill_takes_the_largest_window_within_the_limits"
            " test_window_that_no_job_fits_into_is_left",
        ),
    ),
    "H5": Promise(
        "the queue maintainer keeps a number",
        (f"{_WORKSHOP}test_queue_maintainer_keeps_a_number_of_batch_jobs",),
    ),
    "H6": Promise(
        "the cleaner stays below the workdir",
        (
            "unit/agent/test_file_cleaning.py::test_nothing_outside_and_no_directory_is_touched"
            " test_link_to_elsewhere_is_not_followed",
        ),
    ),
    "H7": Promise(
        "a server that is away costs nothing",
        ("chaos/test_server_faults.py::test_campaign_outlasts_a_server_that_misbehaves",),
    ),
    "H8": Promise(
        "each scheduler is read as it speaks, however odd",
        (
            "unit/platform/scheduler/test_conformance.py::test_listing_of_a_user_is_read"
            " test_unknown_state_is_kept_and_logged_once test_answer_cut_at_any_byte_loses_no_row_silently",
            "integration/batch/test_refreshing.py::test_a_listing_that_cannot_be_read_ends_nothing",
        ),
    ),
}
ANALYTICS = {
    "I1": Promise(
        "throughput",
        (
            "integration/api/test_analytics.py::test_throughput_counts_those_that_enter_the_state"
            " test_reports_of_nothing_are_empty",
        ),
    ),
    "I2": Promise(
        "utilization, of restarts and running jobs too",
        (
            "integration/api/test_analytics.py::test_utilization_goes_up_and_down_by_the_nodes_of_jobs"
            " test_notes_are_no_moves",
        ),
    ),
    "I3": Promise(
        "available nodes",
        ("integration/api/test_analytics.py::test_nodes_are_those_of_batch_jobs_that_started",),
    ),
    "I4": Promise(
        "on the local queue, jobs and events know their batch job, and its nodes are there",
        (f"{_WORKSHOP}test_hello_of_the_workshop_runs_by_itself",),
    ),
}
COMMAND_LINE = {
    "J1": Promise(
        "every command, through pipes and terminals",
        (
            f"{_COMMANDS}test_job_of_the_document_is_made_and_listed"
            " test_jobs_are_selected_counted_changed_and_deleted"
            " test_applications_are_listed_and_removed_with_their_jobs"
            " test_batch_job_is_asked_for_listed_and_ended",
            _DOCUMENT,
        ),
    ),
    "J2": Promise(
        "sites are named in every way",
        (f"{_COMMANDS}test_site_is_named_by_where_one_stands_by_name_id_or_path",),
    ),
}
SCALE = {
    "K1": Promise(
        "a claim does not mind a million finished jobs",
        ("integration/core/test_scale.py::test_what_is_finished_costs_a_claim_nothing",),
    ),
    "K2": Promise(
        "many jobs are made in few statements", (f"{_APPS}test_many_jobs_are_made_in_few_statements",)
    ),
    "K3": Promise(
        "counts and pages of a million jobs",
        (
            "integration/core/test_paging.py::test_many_jobs_are_listed_and_counted_by_indexes"
            " test_queries_read_page_by_page_without_counting",
        ),
    ),
    # how many a second is measured: `python -m tests.benchmarks throughput http`
    "K4": Promise(
        "a thousand short tasks a second",
        ("acceptance/test_short_tasks.py::test_thousand_short_tasks_run_once_each_and_are_told_of_together",),
    ),
    "K5": Promise(
        "a hundred launchers tick",
        (
            "integration/server/test_hundred_launchers.py"
            "::test_hundred_launchers_tick_and_no_job_is_taken_twice",
        ),
    ),
}
WEAKNESSES = {
    "W1": Promise(
        "changes of many were lost while events said otherwise",
        (
            f"{_OBJECTS}test_different_fields_of_many_jobs_are_changed_at_once",
            f"{_RESOURCES}test_one_bad_change_keeps_none_of_the_others",
        ),
    ),
    "W2": Promise(
        "what cannot pass was sent again for half an hour",
        (
            f"{_REST}test_errors_are_the_same_as_in_process"
            " test_request_that_is_sent_again_makes_nothing_twice"
            " test_server_that_is_gone_is_said_to_be_after_some_tries",
        ),
    ),
    "W3": Promise(
        "children of parents that failed, were deleted, or staged out waited for ever",
        (
            "integration/cli/test_modify_rm.py::test_children_of_a_deleted_job_fail_with_the_reason",
            "integration/core/test_scale.py::test_a_failure_goes_down_a_deep_chain",
        ),
    ),
    "W4": Promise(
        "a module that died stayed dead while the site looked alive",
        ("unit/agent/test_supervision.py::test_loop_that_raises_is_told_and_goes_on",),
    ),
    "W5": Promise(
        "who lost its lease overwrote what others did",
        (f"{_SESSIONS}test_who_lost_its_lease_tells_nothing_any_more",),
    ),
    "W6": Promise(
        "what was missing in one listing had finished",
        (
            "integration/batch/test_refreshing.py::test_a_listing_that_forgets_for_a_moment_ends_nothing"
            " test_what_neither_listing_nor_account_knows_has_vanished_after_a_while",
        ),
    ),
    "W7": Promise(
        "impossible jobs sat there for ever, without a word",
        ("acceptance/test_launcher_gpus.py::test_job_of_more_gpus_than_there_are_is_left_with_the_reason",),
    ),
    "W8": Promise(
        "updates waited without bound, and died with the process",
        (
            "chaos/test_crashes.py::"
            "test_launcher_that_stops_while_the_database_is_away_leaves_its_results_on_disk",
        ),
    ),
    "W9": Promise(
        "everything was looked for once a second",
        (
            f"{_OBJECTS}test_waiting_ends_when_the_jobs_do",
            f"{_LAUNCHER}test_persistent_launcher_takes_work_that_comes_later",
        ),
    ),
    "W10": Promise(
        "no priority, and no GPUs shared",
        (
            f"{_SESSIONS}test_priority_comes_first",
            "integration/core/test_leases.py::test_jobs_are_claimed_best_first",
            "unit/launcher/test_placement.py::TestGpus::test_two_halves_share_one_gpu",
        ),
    ),
    "W11": Promise(
        "half of a template ran outside of its ranks, and its exit code was masked",
        (
            "unit/lib/test_command_templates.py::test_the_template_itself_is_live_shell"
            " test_exit_status_is_that_of_the_whole",
        ),
    ),
    "W12": Promise(
        "classes were read merely to submit by name, and paths led anywhere",
        (
            f"{_APPS}test_submitting_by_name_reads_no_class",
            f"{_RESOURCES}test_workdir_stays_below_the_data_directory",
            "unit/api/test_serializing.py::test_classes_are_read_only_for_the_programs_that_run_them",
        ),
    ),
    "W13": Promise(
        "a campaign ended with its token",
        (
            "integration/server/test_renewal.py"
            "::test_token_that_expires_is_renewed_and_the_request_repeated"
            " test_ten_processes_outlive_many_tokens",
        ),
    ),
    "W14": Promise(
        "output was cut off, return codes were not kept, local batch jobs not known",
        (
            "integration/launcher/test_runner.py::test_the_output_of_earlier_attempts_is_kept",
            f"{_SESSIONS}test_run_is_told_step_by_step_and_kept_by_the_session_until_it_ends",
            f"{_WORKSHOP}test_hello_of_the_workshop_runs_by_itself",
            "integration/localqueue/test_localqueue.py::test_wall_time_is_kept_and_nothing_outlives_it",
        ),
    ),
    "W15": Promise(
        "sites by name, warnings, filters, unknown keywords",
        (
            f"{_COMMANDS}test_site_is_named_by_where_one_stands_by_name_id_or_path"
            " test_jobs_are_selected_counted_changed_and_deleted",
            f"{_WORKSHOP}test_what_the_settings_do_not_allow_is_refused_and_a_full_queue_waits",
            f"{_OBJECTS}test_misspelt_names_are_errors_with_the_right_one",
        ),
    ),
    "W16": Promise(
        "pages and counts cost what the table is long",
        (
            "integration/core/test_paging.py::test_many_jobs_are_listed_and_counted_by_indexes"
            " test_objects_are_counted_by_each_group",
        ),
    ),
    "W17": Promise(
        "nothing worked without a server",
        ("contract/test_docs.py::test_examples_of_the_document_work",),
    ),
    "W18": Promise(
        "running launchers and agents never noticed a changed application",
        (
            f"{_APPS}test_running_launcher_and_agent_take_over_a_new_version",
            "integration/core/test_changed_applications.py::"
            "test_launcher_that_ran_it_before_starts_the_new_executable",
        ),
    ),
}
ITEMS = {
    **ACCOUNTS, **SITES, **APPLICATIONS, **JOBS, **LEASES, **BATCH_JOBS, **LAUNCH, **AGENT, **ANALYTICS,
    **COMMAND_LINE, **SCALE, **WEAKNESSES,
}  # fmt: skip


@pytest.mark.parametrize("item", ITEMS)
def test_every_item_has_tests_that_exist(item: str):
    assert ITEMS[item].tests, f"{item}: {ITEMS[item].what}"
    assert not missing_tests(ITEMS[item].tests)


def test_no_item_is_left_out():
    counts = {
        "A": 6,
        "B": 9,
        "C": 7,
        "D": 13,
        "L": 9,
        "F": 8,
        "G": 14,
        "H": 8,
        "I": 4,
        "J": 2,
        "K": 5,
        "W": 18,
    }
    assert set(ITEMS) == {f"{letter}{n}" for letter, count in counts.items() for n in range(1, count + 1)}
