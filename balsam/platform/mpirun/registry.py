"""Find an MPI launcher by its name: the one a user writes in settings.json, or one that was detected."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

from balsam.exceptions import ConfigError
from balsam.platform.mpirun.run import MpiAdapter, MpiRun

__all__ = ["KNOWN_TEMPLATES", "NO_MPI", "MpiLauncher", "adapter_of", "kind_of"]

#: The kind that is no launcher: jobs of one rank are started as they are.
NO_MPI = "none"
_PACKAGE = "balsam.platform.mpirun"
#: Kind of launcher -> where its adapter is.
_ADAPTERS: Mapping[str, str] = {
    "mpich": f"{_PACKAGE}.hydra:Hydra",
    "openmpi": f"{_PACKAGE}.openmpi:OpenMpi",
    "slurm": f"{_PACKAGE}.slurm:Srun",
    "aprun": f"{_PACKAGE}.aprun:Aprun",
    "jsrun": f"{_PACKAGE}.jsrun:Jsrun",
    "polaris": f"{_PACKAGE}.pals:Polaris",
    "aurora": f"{_PACKAGE}.pals:Aurora",
    "perlmutter": f"{_PACKAGE}.slurm:PerlmutterSrun",
    "thetagpu": f"{_PACKAGE}.openmpi:ThetaGpu",
}
#: `MPI_RUN_TEMPLATE` -> kind: names of the database generation, and of the site generation.
_KINDS: Mapping[str, str] = {
    "MPICHCommand": "mpich",
    "OpenMPICommand": "openmpi",
    "SlurmMPICommand": "slurm",
    "CooleyMPICommand": "mpich",
    "ThetaMPICommand": "aprun",
    "ThetaGpuMPICommand": "thetagpu",
    "MPICHRun": "mpich",
    "OpenMPIRun": "openmpi",
    "SlurmRun": "slurm",
    "PerlmutterRun": "perlmutter",
    "PolarisRun": "polaris",
    "AuroraRun": "aurora",
    "SummitJsrun": "jsrun",
    "ThetaAprun": "aprun",
    "ThetaGPURun": "thetagpu",
    "LocalAppRun": NO_MPI,
    NO_MPI: NO_MPI,
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
        """Return the words that start a run.

        Raises JobStartError when its flags cannot be split, or the launcher cannot start ranks on such hosts.
        """
        adapter = adapter_of(self.kind)
        return [self.executable, *run.words(adapter.options(run), adapter.before(run))]

    def environ(self, *, is_root: bool) -> dict[str, str]:
        """Return the variables the launcher itself needs."""
        return adapter_of(self.kind).environ(is_root=is_root)

    def assigns_gpus(self, run: MpiRun) -> bool:
        """Say whether it shows each rank its GPUs itself, and the job's mask must not be set."""
        return adapter_of(self.kind).assigns_gpus(run)

    def inherits_cpus(self, run: MpiRun) -> bool:
        """Say whether the ranks run on the CPUs to which the launcher itself is bound."""
        return adapter_of(self.kind).inherits_cpus(run)


def kind_of(template: str) -> str:
    """Return the kind of launcher a `MPI_RUN_TEMPLATE` names; raises ConfigError for an unknown one.

    Of a dotted name the last part counts.
    """
    kind = _KINDS.get(template.rpartition(".")[2])
    if template == "BGQMPICommand":
        raise ConfigError(
            "Cannot start parallel jobs: MPI_RUN_TEMPLATE BGQMPICommand is known, but a Blue Gene/Q is not "
            "supported. Set it in settings.json to auto."
        )
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
