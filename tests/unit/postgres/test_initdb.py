import pytest

from balsam.postgres.initdb import Secrets, password_sql, role_name


@pytest.mark.parametrize(
    ("login", "role"),
    [
        ("alice", "alice"),
        ("first.last@site", "first.last@site"),
        ("pg_monitor", "user_pg_monitor"),
        ("balsam_admin", "user_balsam_admin"),
        ("public", "user_public"),
        ("none", "user_none"),
        ("x" * 80, "x" * 63),
    ],
)
def test_login_name_becomes_a_role_that_postgres_accepts(login: str, role: str) -> None:
    assert role_name(login) == role


def test_long_name_is_not_cut_inside_a_letter() -> None:
    assert role_name("ü" * 40) == "ü" * 31


def test_names_and_passwords_cannot_leave_their_quotes() -> None:
    statements = password_sql(Secrets('a"b', "it's", "x"))
    assert statements[1] == """ALTER ROLE "a""b" PASSWORD 'it''s'"""
