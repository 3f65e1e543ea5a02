"""The database rooms: engines, schema, one unit of work, the audit. The only code that begins, commits or migrates."""
