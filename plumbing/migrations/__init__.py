"""Migrations of the tables that plumbing owns."""

TABLES = (
    "plumbing.log",
    "plumbing.audit",
    "plumbing.tenants",
)
"""Modules that hold the tables as they are now."""
