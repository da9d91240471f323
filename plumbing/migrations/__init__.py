"""Migrations of the tables that plumbing owns."""
