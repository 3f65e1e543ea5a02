"""`python -m rbac.cli`, the same as `rbac`."""

from rbac.cli import main

main()
