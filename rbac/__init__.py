"""Studio RBAC: the permission table of Label Studio Enterprise, decided by Casbin."""
