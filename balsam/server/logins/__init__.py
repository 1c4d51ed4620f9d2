"""How people log in: passwords, codes approved in a browser, providers of logins; and the pages for that."""

from balsam.server.logins.installing import install

__all__ = ["install"]
