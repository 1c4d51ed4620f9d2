"""``balsam job VERB``: the jobs of the site generation."""
