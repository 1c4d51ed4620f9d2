"""How jobs are shown their GPUs: the variables that the GPU runtimes of each vendor read.

https://docs.nvidia.com/cuda/cuda-c-programming-guide/index.html#cuda-environment-variables
https://rocm.docs.amd.com/en/latest/conceptual/gpu-isolation.html
https://oneapi-src.github.io/level-zero-spec/level-zero/latest/core/PROG.html#environment-variables
"""

from collections.abc import Mapping, Sequence

from balsam.exceptions import ConfigError

__all__ = ["GPU_KINDS", "mask_variable", "mask_variables", "visible_gpus"]

#: Kind of GPUs -> the variable that names those a process may use.
_MASKS: Mapping[str, str] = {
    "cuda": "CUDA_VISIBLE_DEVICES",
    "rocm": "ROCR_VISIBLE_DEVICES",
    "level-zero": "ZE_AFFINITY_MASK",
}
#: Kind of GPUs -> what makes its numbers those of the bus, and the same in every process.
_ORDER: Mapping[str, Mapping[str, str]] = {
    "cuda": {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"},
    "rocm": {},
    "level-zero": {"ZE_ENABLE_PCI_ID_DEVICE_ORDER": "1"},
}
GPU_KINDS = tuple(_MASKS)
#: What batch systems write where there is no GPU.
_NONE = ("", "-1", "NoDevFiles")


def mask_variable(kind: str) -> str:
    """Name the variable that masks GPUs of this kind; raises ConfigError for an unknown one."""
    try:
        return _MASKS[kind]
    except KeyError:
        raise ConfigError(
            f"Cannot show jobs their GPUs: the kind {kind!r} is not known. "
            f"Set gpu_kind of the machine to one of: {', '.join(_MASKS)}."
        ) from None


def mask_variables(kind: str, gpus: Sequence[str]) -> dict[str, str]:
    """Return the variables that show a process these GPUs and no others; none where there are no GPUs."""
    if not gpus:
        return {}
    variable = mask_variable(kind)
    return {**_ORDER[kind], variable: ",".join(gpus)}


def visible_gpus(environ: Mapping[str, str]) -> tuple[str, ...] | None:
    """Return the GPUs this process was told to use; None where nothing was said."""
    mask = next((environ[name] for name in _MASKS.values() if environ.get(name)), None)
    if mask is None:
        return None
    names = dict.fromkeys(name.strip() for name in mask.split(","))
    return tuple(name for name in names if name not in _NONE)
