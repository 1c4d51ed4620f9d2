"""The site table: a database directory is the first site of its database."""

from django.db import models


class Site(models.Model):
    """A directory whose jobs run below it. ``path`` is the server's own, whatever a client calls it."""

    name = models.CharField(max_length=100, unique=True)
    path = models.TextField()

    def __str__(self) -> str:
        return f"{self.name} ({self.path})"
