"""One topic per module, free of Balsam's own concepts; imports nothing of Balsam but its exceptions."""
