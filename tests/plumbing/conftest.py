"""Fixtures of plumbing's tests."""

from tests.plumbing.databases import database, sqlite, url

__all__ = ["database", "sqlite", "url"]
