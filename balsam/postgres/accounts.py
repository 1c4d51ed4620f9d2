"""Under which account the server runs, since PostgreSQL refuses root.

An ordinary user runs it as himself. For root it runs in a user namespace, where the files stay root's; where
that is not possible, under an unprivileged account that owns the cluster. A cluster always runs under the
account that owns its files.
"""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypedDict

from balsam.exceptions import DatabaseError

#: Accounts that root may hand the cluster to, the best first.
_UNPRIVILEGED = ("postgres", "nobody")
_REACH_CHECK = 'for path in "$@"; do test -x "$path" || exit 1; done'


class ProcessOwner(TypedDict, total=False):
    """Keyword arguments of `subprocess` that change the account."""

    user: int
    group: int
    extra_groups: list[int]


class Owner(NamedTuple):
    """Whose a file is."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Account:
    """How to start a process of the server, and who owns its files.

    ``prefix`` stands before the command; ``change_user`` lets `subprocess` change the account.
    """

    uid: int
    gid: int
    prefix: tuple[str, ...] = ()
    change_user: bool = False

    def command(self, *words: str) -> list[str]:
        """Return the command line that runs ``words`` under this account."""
        return [*self.prefix, *words]

    @property
    def process_owner(self) -> ProcessOwner:
        """Keyword arguments for `subprocess`."""
        if not self.change_user:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, *paths: Path) -> None:
        """Give the files to the account."""
        for path in paths:
            if os.lstat(path).st_uid != self.uid:
                os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def own_tree(self, top: Path) -> None:
        """Give a folder and all that is in it to the account, unless it has it already."""
        if os.lstat(top).st_uid == self.uid:
            return
        for folder, _, files in os.walk(top):
            self.own(Path(folder), *(Path(folder, name) for name in files))

    def reaches(self, paths: Sequence[Path]) -> bool:
        """Say whether a process of the account can run, or enter, every one of ``paths``."""
        check = self.command("/bin/sh", "-c", _REACH_CHECK, "sh", *map(str, paths))
        try:
            done = subprocess.run(check, capture_output=True, timeout=30, check=False, **self.process_owner)
        except OSError:
            return False
        return done.returncode == 0


def choose_account(db_path: Path, data_dir: Path, needed: Sequence[Path]) -> Account:
    """Return the account for the cluster at ``data_dir``, which may not exist yet.

    ``needed`` are programs and folders that its processes must reach. Raises DatabaseError when root finds no
    account for it.
    """
    if os.geteuid() != 0:
        return _ordinary_account()
    for account in root_choices(_owner_of(data_dir)):
        if account.reaches([db_path, *needed]):
            return account
    raise DatabaseError(
        f"Root cannot run a PostgreSQL server in {db_path}: PostgreSQL refuses root, user namespaces are not"
        f" available here, and no unprivileged account ({', '.join(_UNPRIVILEGED)}) reaches"
        f" {', '.join(map(str, needed))}.\n"
        "Run Balsam as an ordinary user, or use a directory that every account can enter."
    )


def root_choices(owner: Owner | None) -> Iterator[Account]:
    """Yield what root can do for a cluster of ``owner`` (None: not made yet), the best first."""
    if owner is None or owner.uid == 0:
        namespace = user_namespace_prefix()
        if namespace:
            yield Account(0, 0, namespace)
        owner = _unprivileged_owner()
    if owner is not None:
        yield Account(owner.uid, owner.gid, change_user=True)
        yield Account(owner.uid, owner.gid, _prefix_that_enters_folders(owner))


def user_namespace_prefix() -> tuple[str, ...]:
    """Words that run a command as `nobody` of a user namespace, its files staying ours; () if impossible."""
    uid = _nobody_uid()
    prefix = ("unshare", "--user", f"--map-user={uid}", f"--map-group={uid}")
    if shutil.which(prefix[0]) is None:
        return ()
    done = subprocess.run([*prefix, "true"], capture_output=True, timeout=30, check=False)
    return prefix if done.returncode == 0 else ()


def may_control(data_dir: Path) -> bool:
    """Say whether this user may start and stop the server on ``data_dir``."""
    owner = _owner_of(data_dir)
    return os.geteuid() == 0 or (owner is not None and os.geteuid() == owner.uid)


def check_may_control(data_dir: Path) -> None:
    """Raise DatabaseError unless this user may start and stop the server on ``data_dir``."""
    if not may_control(data_dir):
        owner = _name_of(data_dir.stat().st_uid)
        raise DatabaseError(
            f"The server of {data_dir.parent} can be started and stopped only by its owner, {owner}.\n"
            f"You are {_name_of(os.geteuid())}: ask {owner} to run `balsam server --connect`."
        )


def login_name() -> str:
    """Name of the user this process runs as; ``uid<number>`` where the machine has no name for it."""
    entry = _entry_of(os.geteuid())
    return entry.pw_name if entry else os.environ.get("USER") or f"uid{os.geteuid()}"


def _ordinary_account() -> Account:
    uid = os.geteuid()
    if _entry_of(uid) is None:  # initdb looks its user up
        return Account(uid, os.getegid(), user_namespace_prefix())
    return Account(uid, os.getegid())


def _prefix_that_enters_folders(owner: Owner) -> tuple[str, ...]:
    """Words that run a command as ``owner`` with root's right to enter folders such as /root."""
    return (
        "setpriv",
        f"--reuid={owner.uid}",
        f"--regid={owner.gid}",
        "--clear-groups",
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
    )


def _owner_of(path: Path) -> Owner | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return Owner(found.st_uid, found.st_gid)


def _unprivileged_owner() -> Owner | None:
    known = {entry.pw_name: Owner(entry.pw_uid, entry.pw_gid) for entry in pwd.getpwall()}
    return next((known[name] for name in _UNPRIVILEGED if name in known), None)


def _nobody_uid() -> int:
    try:
        return pwd.getpwnam("nobody").pw_uid
    except KeyError:
        return 65534


def _entry_of(uid: int) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        return None


def _name_of(uid: int) -> str:
    entry = _entry_of(uid)
    return entry.pw_name if entry else f"uid {uid}"
