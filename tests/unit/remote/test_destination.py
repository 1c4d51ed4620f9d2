import pytest
from hypothesis import given
from hypothesis import strategies as st

from balsam.exceptions import UsageError
from balsam.remote.destination import Destination, parse_destination


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("msalim@theta:/path/to/testdb", Destination("theta", "/path/to/testdb", "msalim")),
        ("theta:/db", Destination("theta", "/db")),
        ("theta:/db/", Destination("theta", "/db")),
        ("theta:/db/server-info", Destination("theta", "/db")),
        ("theta:/", Destination("theta", "/")),
        ("theta:testdb", Destination("theta", "testdb")),
        ("theta:~/my dbs/x", Destination("theta", "my dbs/x")),
        ("theta:/a:b", Destination("theta", "/a:b")),
        ("theta:/it's; rm -rf $HOME", Destination("theta", "/it's; rm -rf $HOME")),
        ("a@[fe80::1%eth0]:/db", Destination("fe80::1%eth0", "/db", "a")),
        ("ssh://msalim@theta.alcf.anl.gov:2222/db", Destination("theta.alcf.anl.gov", "/db", "msalim", 2222)),
        ("ssh://theta/db", Destination("theta", "/db")),
        ("ssh://theta:22/~/db", Destination("theta", "db", "", 22)),
        ("ssh://[::1]:22/a%20b", Destination("::1", "/a b", "", 22)),
    ],
)
def test_place_of_a_database_is_read(text: str, expected: Destination):
    assert parse_destination(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "theta",
        "/path/to/db",
        "theta:",
        "theta:~",
        ":/db",
        "@theta:/db",
        "user@:/db",
        "-oProxyCommand=reboot:/db",
        "-x@theta:/db",
        "u ser@theta:/db",
        "the ta:/db",
        "theta:/db\nx",
        "theta:/db\x00",
        "theta:~other/db",
        "ssh://theta",
        "ssh://theta:0/db",
        "ssh://theta:70000/db",
        "ssh://theta:x/db",
        "ssh://-oProxyCommand=reboot/db",
        "ssh://theta/a%0Ab",
    ],
)
def test_what_is_no_place_of_a_database_is_refused_with_its_form(text: str):
    with pytest.raises(UsageError, match="user@host:/path/to/db"):
        parse_destination(text)


PATHS = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"], include_characters=" "), min_size=1)


@given(PATHS, st.sampled_from(["theta", "login4.site.gov", "::1"]), st.sampled_from([0, 22, 65535]))
def test_place_that_is_written_down_is_read_again(path: str, host: str, port: int):
    try:
        first = parse_destination(f"u@[{host}]:/{path}")
    except UsageError:  # blanks that cannot be shown
        return
    first = Destination(first.host, first.path, first.user, port)
    assert parse_destination(str(first)) == first
