"""The command line, through real CliRunner and real processes, on real SQLite."""
