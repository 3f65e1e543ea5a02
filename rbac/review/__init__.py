"""Tools for people who review a policy: what it decides, what a change of it changes, what its tests leave open.

Functions over a Policy that return frozen values. An answer holds for every combination of facts there can be, none is
sampled. Only `diff.impact` and `testing.fixtures` open a store.
"""
