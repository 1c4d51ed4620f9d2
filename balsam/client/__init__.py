"""The core's operations as calls, whatever lies between."""

from balsam.client.client import Client
from balsam.client.transport import InProcess, Listener, Transport

__all__ = ["Client", "InProcess", "Listener", "Transport"]
