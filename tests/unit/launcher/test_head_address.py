"""The address a head listens on."""

import socket

import pytest

from balsam.launcher.head_address import head_address


def test_loopback_where_all_workers_are_on_this_host():
    assert head_address([]) == "127.0.0.1"


def test_interface_towards_the_other_nodes():
    assert head_address(["127.0.0.1"]) == "127.0.0.1"


def test_nodes_without_an_address_leave_that_of_this_host(monkeypatch: pytest.MonkeyPatch):
    known = socket.getaddrinfo

    def lookup(name: str, *args: object, **options: object):
        if name != "thishost":
            raise socket.gaierror("no such name")
        return known("127.0.0.1", *args, **options)

    monkeypatch.setattr(socket, "gethostname", lambda: "thishost")
    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    assert head_address(["n1", "n2"]) == "127.0.0.1"
