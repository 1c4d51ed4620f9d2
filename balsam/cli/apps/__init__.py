"""``balsam app VERB``: the applications of the site generation."""
