"""Hooks and staging: the steps of a job other than running it."""

from balsam.processing.processor import Processor
from balsam.processing.steps import perform

__all__ = ["Processor", "perform"]
