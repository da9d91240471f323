"""Migrations of the tables that api owns."""

TABLES = ("api.tables",)
"""Modules that hold the tables as they are now."""
