"""Each message is one that OpenSSH 9.2 printed."""

import pytest

from balsam.exceptions import BalsamError, ConfigError, DatabaseUnreachable, LoginRefusedError
from balsam.remote.destination import Destination
from balsam.remote.failures import explain, telling

THETA = Destination("theta", "/db", "me", 2222)


@pytest.mark.parametrize(
    ("said", "error", "words"),
    [
        (
            "me@theta: Permission denied (publickey,keyboard-interactive).",
            LoginRefusedError,
            "did not let you in",
        ),
        (
            "Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures",
            LoginRefusedError,
            "in",
        ),
        ("Host key verification failed.", LoginRefusedError, "compare the key"),
        (
            "No ED25519 host key is known for theta and you have requested strict checking.\n"
            "Host key verification failed.",
            LoginRefusedError,
            "compare the key",
        ),
        (
            "ssh: Could not resolve hostname theta: Name or service not known",
            DatabaseUnreachable,
            "Cannot reach host theta: ssh: Could not resolve",
        ),
        ("ssh: connect to host theta port 2222: Connection refused", DatabaseUnreachable, "Cannot reach"),
        ("ssh: connect to host theta port 22: Connection timed out", DatabaseUnreachable, "network"),
        ("/h/.ssh/config: line 1: Bad configuration option: foo", ConfigError, "configuration"),
        ("", DatabaseUnreachable, "ssh said nothing"),
    ],
)
def test_error_says_what_ssh_said_and_what_to_type(said: str, error: type[BalsamError], words: str):
    explained = explain(said, THETA)
    assert type(explained) is error
    assert words in str(explained)
    if error is not ConfigError:
        assert "`ssh -p 2222 me@theta`" in str(explained)


def test_exit_codes_tell_a_refused_login_from_a_network():
    assert explain("Permission denied", THETA).exit_code == 5
    assert explain("Connection refused", THETA).exit_code == 6


def test_noise_is_left_out():
    said = "Warning: Permanently added 'theta' to the list of known hosts.\r\ndebug1: x\r\nthe reason\r\n"
    assert telling(said) == "the reason"
