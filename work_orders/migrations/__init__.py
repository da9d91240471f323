"""Migrations of the tables that work_orders owns."""
