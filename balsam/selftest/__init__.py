"""Rehearsals: batch systems that are not there, and checks of those that are.

`balsam.selftest.fakes` imitates the commands of Slurm, PBS, Cobalt and LSF on one machine, and can be told to
misbehave; `balsam.selftest.rehearsal` asks a batch system, real or not, for everything Balsam needs of one.
"""
