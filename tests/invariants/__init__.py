"""What always holds, a file an invariant; docs/security.md names every test that holds one, here and elsewhere."""
