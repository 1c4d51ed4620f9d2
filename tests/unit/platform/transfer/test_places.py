import pytest
from hypothesis import given
from hypothesis import strategies as st

from balsam.exceptions import UsageError
from balsam.platform.transfer import Place, parse_address, parse_location

ENDPOINT = "08925f04-569f-11e7-bef8-22000b9a448b"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("/a b/c", Place("local", path="/a b/c")),
        ("~/x", Place("local", path="~/x")),
        ("/a:b", Place("local", path="/a:b")),
        ("local:/a:b", Place("local", path="/a:b")),
        ("local:///a", Place("local", path="/a")),
        ("LOCAL:x", Place("local", path="x")),
        ("link:/a", Place("link", path="/a")),
        ("scp:host:/a", Place("scp", "host", path="/a")),
        ("scp:ada@host:a/b", Place("scp", "host", "ada", path="a/b")),
        ("rsync:ada@[::1]:/a", Place("rsync", "::1", "ada", path="/a")),
        ("rsync://ada@host:2222/a%20b", Place("rsync", "host", "ada", 2222, "/a b")),
        ("https://host:8443/a?b=c", Place("https", "host", port=8443, path="/a?b=c")),
        (f"globus://{ENDPOINT}/~/a%20 b", Place("globus", ENDPOINT, path="/~/a%20 b")),
        ("s3://my.lake-1/a?b#c", Place("s3", "my.lake-1", path="/a?b#c")),
    ],
)
def test_addresses_are_read(text: str, place: Place):
    assert parse_address(text) == place


@pytest.mark.parametrize(
    "text",
    [
        "", "local:", "scp:/a", "scp:host", "scp:-x:/a", "scp:-x@host:/a", "rsync:a b:/x", "rsync://-x/a",
        "ftp://host/x", "host:/x", "ada@host:/x", "a\nb", "local:a\0b", "http:host/x", "scp:ho$st:/x",
        f"globus:{ENDPOINT}:/x", f"globus://{ENDPOINT}", "globus://host/x", "s3:lake/x", "s3:///x", "s3://-x/x",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str):
    with pytest.raises(UsageError):
        parse_address(text)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("local:", Place("local")),
        ("local://", Place("local")),
        ("local:/data", Place("local", path="/data")),
        ("rsync://theta", Place("rsync", "theta")),
        ("scp://ada@host:22/project", Place("scp", "host", "ada", 22, "/project")),
        ("https://host", Place("https", "host")),
        (f"globus://{ENDPOINT}", Place("globus", ENDPOINT)),
        ("s3://lake/x", Place("s3", "lake", path="/x")),
    ],
)
def test_locations_are_read(text: str, place: Place):
    assert parse_location("x", text) == place


@given(st.text(max_size=40))
def test_no_text_makes_an_option_of_a_host_or_user(text: str):
    for address in (f"scp:{text}:/x", f"rsync://{text}/x", text):
        try:
            place = parse_address(address)
        except UsageError:
            continue
        assert not place.host.startswith("-") and not place.user.startswith("-")
        assert not set(place.host + place.user) & set(" \n\t'\"$`;|&")
