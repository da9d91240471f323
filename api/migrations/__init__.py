"""Migrations of the tables that api owns."""
