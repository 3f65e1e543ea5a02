"""The tests; a package, so that two folders may use one file name."""
