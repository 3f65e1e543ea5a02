"""Broken input by the million: every reader and every command answers, or refuses in the documented way."""
