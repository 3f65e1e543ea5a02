"""Tools for people who review a policy: what it decides, what a change of it changes, what its tests leave open.

Functions over a Policy that return frozen values. Nothing here opens a store. Its one rule: an answer holds for every
combination of facts there can be, none is sampled.
"""
