"""Python objects as text: arguments, results and exceptions of jobs, and application classes.

Reading a class, or any of these, runs code of whoever wrote it. `balsam.api.app_classes` alone reads a class,
for hooks and for `run`, in processes that the owner's launcher and agent start; a result is read when
its owner asks.
"""

import base64
import contextlib
import hashlib
import io
import math
import pickle
import sys
import sysconfig
import traceback
import zlib
from collections import ChainMap
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import cloudpickle

from balsam.exceptions import BalsamError, DefinitionError, UsageError
from balsam.schemas.resources import SERIALIZED_LIMIT

__all__ = [
    "Loaded",
    "RemoteError",
    "dump",
    "dump_class",
    "dump_exception",
    "is_plain",
    "is_reading",
    "load",
    "load_class",
    "load_exception",
]

_TRACE_LIMIT = 50_000
_reading: ContextVar[bool] = ContextVar("reading a class", default=False)


class RemoteError(BalsamError):
    """A Python application raised an exception."""


def dump(value: object, what: str) -> str:
    """Return any value as text; raises UsageError when that is impossible, or it is too large."""
    try:
        text = _text(cloudpickle.dumps(value))
    except Exception as error:
        raise UsageError(f"{what} cannot be serialized: {type(error).__name__}: {error}.") from error
    if len(text) > SERIALIZED_LIMIT:
        raise UsageError(
            f"{what}: {len(text)} characters when serialized, and {SERIALIZED_LIMIT} fit. "
            "Write it to a file, and give its path instead."
        )
    return text


def load(text: str) -> Any:
    """Return the value of a text."""
    return pickle.loads(zlib.decompress(base64.b64decode(text)))


class Loaded:
    """The dict of a text, and whether it, or what is in it, has been changed since."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.values: dict[str, Any] = load(text)
        self._as_loaded = cloudpickle.dumps(self.values)

    def has_changed(self) -> bool:
        """Say whether it would be written otherwise now."""
        return bool(cloudpickle.dumps(self.values) != self._as_loaded)


def _text(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data)).decode()


def is_plain(value: object) -> bool:
    """Say whether a value comes back from a database just as it is, so that it can be kept readable there."""
    if value is None or type(value) in (bool, int):
        return True
    if type(value) is str:
        return _is_storable(value)
    if type(value) is float:
        return math.isfinite(value) and "e" not in repr(value) and repr(value) != "-0.0"
    return type(value) is list and all(map(is_plain, value))


def _is_storable(text: str) -> bool:
    """Say whether a text has no NUL and no half of a surrogate pair, which a database refuses."""
    return "\0" not in text and (text.isascii() or text.encode(errors="replace").decode() == text)


# -- exceptions --------------------------------------------------------------------------------------


def dump_exception(error: BaseException) -> str:
    """Return an exception with its traceback as text; always possible, if need be without its object."""
    trace = "".join(traceback.format_exception(error))
    if len(trace) > _TRACE_LIMIT:
        trace = f"{trace[: _TRACE_LIMIT // 2]}\n…\n{trace[-_TRACE_LIMIT // 2 :]}"
    try:
        return dump((trace, dump(error, "The exception")), "The exception")
    except UsageError:
        return dump((trace, ""), "The exception")


def load_exception(text: str) -> BaseException:
    """Return the exception, caused by a RemoteError that shows the traceback where it was raised."""
    trace, serialized = load(text)
    cause = RemoteError(f"The application raised:\n\n{trace}")
    if not serialized:
        return cause
    try:
        error = load(serialized)
    except Exception:  # noqa: BLE001 - whatever its class does here, what it said is known
        return cause
    if not isinstance(error, BaseException):
        return cause
    error.__cause__ = cause
    return error


# -- classes -----------------------------------------------------------------------------------------


def dump_class(given: type, stored: str) -> str:
    """Return a class as text: ``stored`` itself, when that is of the same class.

    Raises DefinitionError for one that holds what cannot be serialized.
    """
    try:
        with _by_value(given):
            data = _class_bytes(given)
    except Exception as error:
        raise DefinitionError(
            f"{given.__name__} cannot be serialized: {type(error).__name__}: {error}. "
            "What its methods use from the file around them goes along: open files and connections cannot."
        ) from error
    head = f"{sys.version_info[0]}.{sys.version_info[1]}:{_fingerprint(data)}:"
    return stored if stored.startswith(head) else head + _text(data)


class _ClassPickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Keeps the names of the files that code is from, which cloudpickle leaves out: tracebacks show them."""

    dispatch_table = ChainMap({CodeType: lambda code: _reduced(code)}, cloudpickle.Pickler.dispatch_table)


def _reduced(code: CodeType) -> tuple[type[CodeType], tuple[Any, ...]]:
    kind, arguments = cloudpickle.Pickler.dispatch_table[CodeType](code)
    names = {"<dynamic-code>": "".join(code.co_filename)}
    return kind, tuple(names.get(item, item) if isinstance(item, str) else item for item in arguments)


def _class_bytes(given: type) -> bytes:
    buffer = io.BytesIO()
    _ClassPickler(buffer).dump(given)
    return buffer.getvalue()


@contextlib.contextmanager
def _by_value(given: type) -> Iterator[None]:
    """Send the module of a class along, unless it is installed; leave out what this process alone needs."""
    module = sys.modules.get(given.__module__)
    known_id = given.__dict__.get("__app_id__")
    if known_id is not None:
        del given.__app_id__  # type: ignore[attr-defined]
    is_sent = module is not None and given.__module__ != "__main__" and not _is_installed(module)
    try:
        if is_sent:
            cloudpickle.register_pickle_by_value(module)
        yield
    finally:
        if is_sent:
            cloudpickle.unregister_pickle_by_value(module)
        if known_id is not None:
            given.__app_id__ = known_id  # type: ignore[attr-defined]


def _is_installed(module: ModuleType) -> bool:
    file = Path(getattr(module, "__file__", None) or "/").resolve()
    places = {Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib", "stdlib")}
    return any(place in file.parents for place in places)


def _fingerprint(data: bytes) -> str:
    """Return what is the same for the same class in every process: without the random marks of classes."""
    for mark in list(cloudpickle.cloudpickle._DYNAMIC_CLASS_TRACKER_BY_ID):
        data = data.replace(mark.encode(), b"")
    return hashlib.sha256(data).hexdigest()[:32]


def load_class(text: str) -> type:
    """Return the class of a text, which runs its code; raises DefinitionError when it cannot be read here."""
    version, _, rest = text.partition(":")
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if version != here:
        raise DefinitionError(
            f"The application was synced by Python {version}, and Python {here} runs it. "
            "Set python_exe = … in the class, or call sync() with that Python."
        )
    token = _reading.set(True)
    try:
        found = load(rest.partition(":")[2])
    except Exception as error:
        raise DefinitionError(
            f"The application's class cannot be read here: {type(error).__name__}: {error}. "
            "Install what it imports where its jobs run, or set python_exe = … in the class."
        ) from error
    finally:
        _reading.reset(token)
    if not isinstance(found, type):
        raise DefinitionError(f"The application is no class, but {type(found).__name__}.")
    return found


def is_reading() -> bool:
    """Say whether a class is being read: it was checked when it was written, and is not complete yet."""
    return _reading.get()


def plain_or_serialized(parameters: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Return parameters as they are kept: readable where all come back just as they are, else serialized."""
    if all(map(is_plain, parameters.values())):
        return dict(parameters), ""
    return {}, dump(dict(parameters), "The parameters")
