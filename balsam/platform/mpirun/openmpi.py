"""Open MPI's launcher, versions 4 and 5."""

from balsam.platform.mpirun.run import MpiRun, Option, PlainAdapter

__all__ = ["OpenMpi", "ThetaGpu"]


class OpenMpi(PlainAdapter):
    """``mpiexec -n R --map-by ppr:P:node:OVERSUBSCRIBE --bind-to none [--host a:P,b:P] [-x VAR]``.

    Balsam has placed the job already: Open MPI must not count slots, nor bind each of several runs on one
    node to its first core. By itself it takes only a few variables to other hosts.
    https://docs.open-mpi.org/en/v5.0.x/man-openmpi/man1/mpirun.1.html
    """

    executables = ("mpiexec", "mpirun")
    family = "openmpi"

    def options(self, run: MpiRun) -> list[Option]:
        """Return the options; each may be given once only."""
        slots = run.ranks_per_node
        options: list[Option] = [
            (("-n", str(run.num_ranks)), ("n", "np", "c")),
            (
                ("--map-by", f"ppr:{slots}:node:OVERSUBSCRIBE"),
                ("map-by", "npernode", "N", "ppr", "npersocket", "rankfile", "rf", "bynode", "byslot"),
            ),
            (
                ("--bind-to", "none"),
                ("bind-to", "bind-to-core", "bind-to-socket", "cpu-set", "rankfile", "rf"),
            ),
        ]
        if not run.is_local:
            hosts = ",".join(f"{host}:{slots}" for host in run.hosts)
            options.append((("--host", hosts), ("host", "H", "hostfile", "machinefile")))
            options += [(("-x", name), ()) for name in run.forward]
        return options

    def inherits_cpus(self, run: MpiRun) -> bool:
        """On this host, the ranks are its descendants."""
        return run.is_local

    def environ(self, *, is_root: bool) -> dict[str, str]:
        """Allow root, which it refuses otherwise: the launcher's user has decided that already."""
        if not is_root:
            return {}
        names = ("OMPI_ALLOW_RUN_AS_ROOT", "PRTE_ALLOW_RUN_AS_ROOT")
        return {name + suffix: "1" for name in names for suffix in ("", "_CONFIRM")}


class ThetaGpu(OpenMpi):
    """``mpirun -hostfile FILE --oversubscribe --bind-to none -n R -npernode P -x VAR --host a,b``.

    The hosts are named also when there is one, because the file names all. ``-x`` takes all variables of the
    job: the source forwarded only those of the launcher with "balsam" in their names, so that ranks on other
    nodes had no BALSAM_JOB_ID. Without a value, as it is in the environment and no blank can split it.
    """

    executables = ("mpirun", "mpiexec")

    def options(self, run: MpiRun) -> list[Option]:
        """Return the options; each may be given once only."""
        files: list[Option] = [(("-hostfile", run.hostfile), ("hostfile", "machinefile"))]
        return [
            *(files if run.hostfile else []),
            (("--oversubscribe",), ("oversubscribe", "nooversubscribe")),
            (("--bind-to", "none"), ("bind-to", "bind-to-core", "bind-to-socket", "cpu-set")),
            (("-n", str(run.num_ranks)), ("n", "np", "c")),
            (("-npernode", str(run.ranks_per_node)), ("npernode", "N", "map-by", "npersocket")),
            *((("-x", name), ()) for name in run.forward),
            (("--host", ",".join(run.hosts)), ("host", "H")),
        ]
