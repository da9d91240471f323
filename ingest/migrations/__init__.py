"""Migrations of the tables that ingest owns."""
