from balsam.postgres.messages import reason

STARTUP = """\
2026-11-21 07:10:52.467 UTC [8532] HINT:  Future log output will appear in directory "log".
2026-11-21 07:10:52.468 UTC [8532] LOG:  starting PostgreSQL 15.18
2026-11-21 07:10:52.469 UTC [8532] FATAL:  lock file ".s.PGSQL.24814.lock" already exists
2026-11-21 07:10:52.474 UTC [8532] LOG:  database system is shut down
"""


def test_line_that_tells_is_found_among_others() -> None:
    assert reason(STARTUP) == 'FATAL:  lock file ".s.PGSQL.24814.lock" already exists'


def test_last_lines_are_shown_where_none_tells() -> None:
    assert reason("\n".join("abcdef")) == "c / d / e / f"


def test_first_error_is_the_cause_of_the_others() -> None:
    printed = ["initdb: error: could not write: No space left on device", *["ERROR: thus"] * 9]
    assert reason("\n".join(printed)).startswith("initdb: error: could not write: No space left on device / ")


def test_hint_of_a_full_disk_is_shown() -> None:
    printed = (
        "running bootstrap script ... 2026-11-21 07:35:24.007 UTC [11] FATAL:  wrote 4096 of 8192 bytes\n"
        "2026-11-21 07:35:24.007 UTC [11] HINT:  Check free disk space.\n"
    )
    assert reason(printed) == "FATAL:  wrote 4096 of 8192 bytes / HINT:  Check free disk space."


def test_answers_to_early_clients_are_no_reason() -> None:
    printed = "u a FATAL:  the database system is starting up\nFATAL:  could not open file"
    assert reason(printed) == "FATAL:  could not open file"


def test_silence_is_named() -> None:
    assert reason(" \n") == "it said nothing"
