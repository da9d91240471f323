"""Fixtures of plumbing's tests."""

from tests.plumbing.databases import database, url

__all__ = ["database", "url"]
