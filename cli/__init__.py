"""The command line: `rbac VERB ...`."""
