"""The database rooms: what the database refuses, the unit of work, the audit, the schema, errors."""
