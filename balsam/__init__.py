"""Balsam: describe thousands to millions of runs, and run them inside batch allocations or on a laptop.

Importing this package has no side effects: Django is configured by importing ``balsam.core`` (or calling
:func:`setup`), the database is contacted by the first query, and logging is left alone.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from balsam.config import UserSettings

__all__ = ["__version__", "config_logging", "settings", "setup"]

__version__: str
settings: "UserSettings"


def setup() -> None:
    """Configure Django for the active database, once per process; does not connect."""
    from balsam.core.django_setup import configure

    configure()


def config_logging(basename: str) -> str:
    """Log to ``<database>/log/<basename>_<timestamp>.log`` and return that path.

    Meant for daemons; scripts that configure logging themselves need not call it.
    """
    from balsam.lib.logs import log_to_database_dir

    return str(log_to_database_dir(basename))


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name == "settings":
        from balsam.config import user_settings

        return user_settings()
    raise AttributeError(f"module 'balsam' has no attribute {name!r}")


def _version() -> str:
    """Return the installed version; looked up when asked for, since that takes longer than the rest."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("balsam")
    except PackageNotFoundError:  # a source tree that was never installed
        return "0+unknown"
