"""The oracle: the specification restated, plainly and slowly. It imports nothing of ours, so that it can be wrong alone.

`cells.answer` decides one cell over flat facts; `decide` derives those facts from a state file's dictionary;
`change.change` is the pure function behind every change. Whatever the program says is compared with these.
"""
