"""What a machine says of the settings of a site that is on it."""

from typing import Any

from balsam.config.machine_defaults import machine_named

__all__ = ["machine_values"]


def machine_values(name: str) -> dict[str, dict[str, Any]]:
    """Return the settings that follow from a machine, by section; raises ConfigError for an unknown one."""
    machine = machine_named(name)
    return {
        "launcher": {
            "max_concurrent_mpiruns": machine.max_concurrent_mpiruns,
            "mpirun_allows_node_packing": machine.mpi_shares_nodes,
        },
        "scheduler": {
            "scheduler_class": machine.scheduler,
            "allowed_queues": {
                queue: {
                    "max_nodes": limits.max_nodes,
                    "max_queued_jobs": limits.max_queued,
                    "max_walltime": limits.max_minutes,
                }
                for queue, limits in machine.queues.items()
            },
        },
    }
