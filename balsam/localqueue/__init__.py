"""A small real batch system for one machine: slots, a queue, wall times that are kept, an account of ends.

There is no daemon. Whoever submits, lists, cancels or ends a batch job also starts those whose turn it is;
each runs under a keeper of its own, a process that outlives the login it was submitted from.
"""
