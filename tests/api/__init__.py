"""The facade over real stores: questions, changes, state files, freshness."""
