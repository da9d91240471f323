"""Migrations of the tables that anomaly owns."""
