"""What always holds, one file an invariant; docs/security.md names every test of one, here and elsewhere."""
