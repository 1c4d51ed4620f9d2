"""Where applications in the files of a site import their base class from."""

from balsam.api import ApplicationDefinition

__all__ = ["ApplicationDefinition"]
