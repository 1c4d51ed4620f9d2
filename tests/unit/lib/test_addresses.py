"""Addresses of servers: what is one, and what is told of what is none."""

import pytest

from balsam.lib.addresses import server_address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("balsam.example.org", "https://balsam.example.org"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://example.org/balsam/", "https://example.org/balsam"),
        ("login_node:8000", "https://login_node:8000"),
    ],
)
def test_an_address_is_taken(text: str, expected: str):
    assert server_address(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "http://",
            "https:///x",
            "ftp://host",
            "http://host:8000,",
            "http://host:99999",
            "http://host:0",
        ),
        *(
            "http://a b",
            "http://ada:word@host",
            "http://host/?x=1",
            "http://host/#top",
            "http://[::1",
            "//host",
        ),
        "http://host:8000\n",
    ],
)
def test_what_is_none_is_refused(text: str):
    with pytest.raises(ValueError, match="give http://HOST:PORT or https://HOST"):
        server_address(text)
