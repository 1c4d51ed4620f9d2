"""The core's operations as calls, whatever lies between."""

from balsam.client.client import Client
from balsam.client.http import Http
from balsam.client.transport import InProcess, Listener, Transport

__all__ = ["Client", "Http", "InProcess", "Listener", "Transport"]
