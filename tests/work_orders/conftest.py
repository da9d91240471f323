"""A world on SQLite for every test, and on both databases for those that ask for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.work_orders.world import World, open_world, settle


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A small service company that may act by itself."""
    made = settle(open_world(f"sqlite:///{tmp_path}/forewarn.db", tmp_path))
    yield made
    made.database.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def any_world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """The same on each kind of database."""
    postgres = request.param == "postgresql"
    url = str(request.getfixturevalue("postgres_url")) if postgres else f"sqlite:///{tmp_path}/forewarn.db"
    made = settle(open_world(url, tmp_path))
    yield made
    made.database.close()
