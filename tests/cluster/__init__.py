"""Many nodes on one PostgreSQL: pushed, polled, cut off, restarted."""
