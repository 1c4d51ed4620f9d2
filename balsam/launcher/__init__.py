"""Run jobs inside an allocation, and the modules that users' scripts import: `dag` and `futures`."""
