"""The tests; helpers shared by several levels are modules of this package."""
