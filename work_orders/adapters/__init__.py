"""Connections to the outside: the log."""
