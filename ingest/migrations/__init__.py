"""Migrations of the tables that ingest owns."""

TABLES = (
    "ingest.service.tables",
    "ingest.service.command_tables",
)
"""Modules that hold the tables as they are now."""
