"""The core: tables, states, leases, dependencies. Importing it configures Django, and connects to nothing."""

from balsam.core.django_setup import configure

configure()
