"""Migrations of the tables that anomaly owns."""

TABLES = (
    "anomaly.service.tables",
    "anomaly.service.condition_tables",
    "anomaly.service.group_tables",
    "anomaly.service.hazard_tables",
)
"""Modules that hold the tables as they are now."""
