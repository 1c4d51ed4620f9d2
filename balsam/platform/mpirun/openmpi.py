"""Open MPI's launcher, versions 4 and 5."""

from balsam.platform.mpirun.run import MpiRun, Option

__all__ = ["OpenMpi"]


class OpenMpi:
    """``mpiexec -n R --map-by ppr:P:node:OVERSUBSCRIBE --bind-to none [--host a:P,b:P] [-x VAR]``.

    Balsam has placed the job already: Open MPI must not count slots, nor bind each of several runs on one
    node to its first core. By itself it takes only a few variables to other hosts.
    https://docs.open-mpi.org/en/v5.0.x/man-openmpi/man1/mpirun.1.html
    """

    executables = ("mpiexec", "mpirun")

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

    def environ(self, *, is_root: bool) -> dict[str, str]:
        """Allow root, which it refuses otherwise: the launcher's user has decided that already."""
        if not is_root:
            return {}
        names = ("OMPI_ALLOW_RUN_AS_ROOT", "PRTE_ALLOW_RUN_AS_ROOT")
        return {name + suffix: "1" for name in names for suffix in ("", "_CONFIRM")}
