"""Services for tests: the real command, with settings and a queue policy of the test's own."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.commands import Finished, run_balsam

__all__ = ["ServiceHome", "policy_section"]


def policy_section(
    name: str, *bands: tuple[int, int, float, float], submit: str = "on", queued: int = 1
) -> str:
    """Text of one queue of a policy; bands are nodes from, to, and hours from, to."""
    keys = ("min-nodes", "max-nodes", "min-time", "max-time")
    policy = json.dumps([dict(zip(keys, band, strict=True)) for band in bands or [(1, 4, 0, 1)]])
    return f"[{name}]\nsubmit-jobs = {submit}\nmax-queued = {queued}\npolicy = {policy}\n"


@dataclass(frozen=True)
class ServiceHome:
    """A user's own files, and services that run with them on the active database."""

    path: Path
    env: Mapping[str, str] = field(default_factory=dict)

    def configure(self, *sections: str, **settings: object) -> None:
        """Write the settings and the queue policy."""
        self.path.mkdir(exist_ok=True)
        (self.path / "settings.json").write_text(json.dumps(settings))
        self.set_policy(*sections)

    def set_policy(self, *sections: str) -> None:
        """Write the queue policy."""
        (self.path / "theta_policy.ini").write_text("\n".join(sections))

    def run(self, *options: str) -> Finished:
        """Run `balsam service OPTIONS`."""
        return run_balsam("service", *options, env=self.environ)

    @property
    def environ(self) -> dict[str, str]:
        """Overlay of the environment."""
        return {**self.env, "BALSAM_HOME": str(self.path)}

    def status(self) -> dict[str, Any]:
        """What the service says of itself; {} when none runs."""
        done = self.run("--status", "-o", "json")
        if done.returncode == 3:
            return {}
        row: dict[str, Any] = json.loads(done.check().stdout)["rows"][0]
        return row

    @contextmanager
    def service(self) -> Iterator[Path]:
        """A service in the background; gives the path of its log, which is shown when the test fails."""
        started = self.run().check()
        log_path = Path(started.stdout.split("It logs to ")[1].split(";")[0])
        try:
            yield log_path
        finally:
            print(self.run("--stop").output)
            print(log_path.read_text())
            for output in sorted((Path(os.environ["BALSAM_DB_PATH"]) / "qsubmit").glob("*.out")):
                print(f"== {output}\n{output.read_text(errors='backslashreplace')}")
