"""policy.csv and model.conf: the strict readers, and what Casbin makes of the files."""
