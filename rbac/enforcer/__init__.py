"""Casbin enforcers: stock, and compiled."""
