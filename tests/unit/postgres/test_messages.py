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


def test_silence_is_named() -> None:
    assert reason(" \n") == "it said nothing"
