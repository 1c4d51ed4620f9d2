"""The REST server: resources of the site generation over HTTP, each caller's own.

It needs the extra ``server``; `balsam.server.app` makes the application, `balsam server up` runs it.
"""
