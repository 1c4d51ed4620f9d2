"""How staging was to work, and each way in which it failed before, with the tests of that."""

import pytest

from tests.contract.covered import Promise, missing_tests

_OLD = "unit/processing/transfers/test_old_addresses.py::"
_PARENTS = "unit/processing/test_parents.py::"
_BOTH = "integration/processing/test_transfers.py::"
_SSH = "integration/processing/test_transfers_by_ssh.py::"
CHECKLIST = {
    "local": Promise(
        "a bare path or local: is copied; a directory as such, with /* its contents; ~ is known",
        (
            f"{_OLD}test_a_file_is_staged_in"
            " test_a_directory_is_staged_in_as_such_and_with_a_star_its_contents"
            " test_the_home_directory_is_known",
        ),
    ),
    "several": Promise(
        "several addresses are brought, and two of one name refused",
        (
            f"{_OLD}test_several_urls_are_staged_in test_two_files_that_would_have_one_name_are_refused",
            f"{_BOTH}test_addresses_of_one_name_are_refused_before_anything_is_brought",
        ),
    ),
    "names": Promise(
        "no shell sees a name, and colons are kept",
        (
            f"{_OLD}test_colons_of_a_path_are_kept test_every_name_is_staged_in_and_out_and_no_shell_sees_it",
            f"{_SSH}test_hostile_names_arrive_as_they_are_and_go_back",
        ),
    ),
    "nothing in": Promise(
        "what is to come in and matches nothing fails the job with the pattern",
        (f"{_OLD}test_staging_in_nothing_fails_with_the_pattern",),
    ),
    "directories out": Promise(
        "a directory that matches is taken out too",
        (f"{_OLD}test_files_and_directories_are_staged_out_to_every_destination",),
    ),
    "nothing out": Promise(
        "nothing to take out is said, and is no failure", (f"{_OLD}test_staging_out_nothing_is_noted",)
    ),
    "destination": Promise(
        "a destination that is missing, or a file, fails the job with advice",
        (f"{_OLD}test_a_missing_destination_is_an_error_with_advice test_a_file_is_no_destination",),
    ),
    "scp, rsync": Promise(
        "scp: and rsync: addresses work both ways", (f"{_SSH}test_addresses_of_the_database_generation",)
    ),
    "others": Promise(
        "gsiftp: and what nobody knows is refused with what to write",
        (f"{_OLD}test_what_cannot_be_read_is_refused_clearly",),
    ),
    "http": Promise(
        "http comes in, and nothing goes out to it",
        (
            "unit/processing/transfers/test_by_http.py::"
            "test_a_file_is_brought_and_what_was_cut_off_is_gone_on_from",
            f"{_OLD}test_results_do_not_go_where_files_only_come_from",
        ),
    ),
    "parents": Promise(
        "files and directories of parents are linked, in a stable order, with a suffix where names clash",
        (
            f"{_PARENTS}test_files_and_directories_are_linked_under_their_names"
            " test_the_first_parent_gets_the_plain_name_and_the_others_a_suffix"
            " test_every_file_of_every_parent_has_one_link test_linking_again_changes_nothing",
        ),
    ),
    "own logs": Promise(
        "what a job writes itself never leads into its parent",
        (f"{_PARENTS}test_what_the_job_writes_itself_never_leads_into_a_parent",),
    ),
    "no parents": Promise(
        "a job without parents links nothing", (f"{_PARENTS}test_a_job_without_parents_links_nothing",)
    ),
    "T8": Promise(
        "a map-reduce graph gathers files of one name, and its result is taken out",
        (
            "acceptance/test_scenarios_graphs.py::test_map_and_reduce_gathers_the_files_of_all_parents",
            "acceptance/test_scenarios_transfers.py::test_directories_go_from_jobs_to_jobs"
            " test_slots_carry_a_map_and_reduce_in_and_out",
        ),
    ),
    "full disk": Promise(
        "a full disk pauses transfers, which go on when there is room",
        (
            "integration/processing/test_transfers_on_full_disks.py::"
            "test_what_comes_in_waits_for_room test_what_goes_out_waits_for_room",
        ),
    ),
    "kills": Promise(
        "nothing is lost, or run before its data is whole, when the agent is killed and sshd stops",
        ("chaos/test_transfer_campaign.py::test_nothing_is_lost_or_done_before_its_data_is_whole",),
    ),
}


@pytest.mark.parametrize("name", CHECKLIST)
def test_every_point_has_tests(name: str):
    assert missing_tests(CHECKLIST[name].tests) == []
