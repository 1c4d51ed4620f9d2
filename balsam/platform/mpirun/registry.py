"""Find an MPI launcher by its name: the one a user writes in settings.json, or one that was detected."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

from balsam.exceptions import ConfigError
from balsam.platform.mpirun.run import MpiAdapter, MpiRun

__all__ = ["KNOWN_TEMPLATES", "MpiLauncher", "adapter_of", "kind_of"]

#: Kind of launcher -> where its adapter is.
_ADAPTERS: Mapping[str, str] = {
    "mpich": "balsam.platform.mpirun.hydra:Hydra",
    "openmpi": "balsam.platform.mpirun.openmpi:OpenMpi",
    "slurm": "balsam.platform.mpirun.slurm:Srun",
}
#: `MPI_RUN_TEMPLATE` -> kind: names of the database generation, and of the site generation.
_KINDS: Mapping[str, str] = {
    "MPICHCommand": "mpich",
    "OpenMPICommand": "openmpi",
    "SlurmMPICommand": "slurm",
    "MPICHRun": "mpich",
    "OpenMPIRun": "openmpi",
    "SlurmRun": "slurm",
    **{kind: kind for kind in _ADAPTERS},
}
KNOWN_TEMPLATES = ("auto", *_KINDS)


@dataclass(frozen=True, slots=True)
class MpiLauncher:
    """An MPI launcher of this machine; its text form, ``kind=executable``, is read by :meth:`from_text`."""

    kind: str
    executable: str

    def __str__(self) -> str:
        return f"{self.kind}={self.executable}"

    @classmethod
    def from_text(cls, text: str) -> "MpiLauncher":
        """Read the text form; raises ConfigError when the kind is not known."""
        kind, _, executable = text.partition("=")
        return cls(kind_of(kind), executable)

    def command(self, run: MpiRun) -> list[str]:
        """Return the words that start a run; raises JobStartError when its flags cannot be split."""
        return [self.executable, *run.words(adapter_of(self.kind).options(run))]

    def environ(self, *, is_root: bool) -> dict[str, str]:
        """Return the variables the launcher itself needs."""
        return adapter_of(self.kind).environ(is_root=is_root)


def kind_of(template: str) -> str:
    """Return the kind of launcher a `MPI_RUN_TEMPLATE` names; raises ConfigError for an unknown one."""
    kind = _KINDS.get(template)
    if kind is None:
        close = difflib.get_close_matches(template, _KINDS, n=1)
        meant = f" Did you mean {close[0]!r}?" if close else ""
        raise ConfigError(
            f"Cannot start parallel jobs: MPI_RUN_TEMPLATE {template!r} is not known.{meant} "
            f"Set it in settings.json to one of: {', '.join(KNOWN_TEMPLATES)}."
        )
    return kind


def adapter_of(kind: str) -> MpiAdapter:
    """Return the adapter of a kind of launcher."""
    module, name = _ADAPTERS[kind].split(":")
    adapter: MpiAdapter = getattr(import_module(module), name)()
    return adapter
