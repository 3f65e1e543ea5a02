"""The long tests at their full size: `make campaign`. Each prints the work it did and fails below its floor."""
