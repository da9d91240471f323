"""A world on SQLite for every test, and on both databases for those that ask for it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.work_orders.world import World, open_world, settle


@pytest.fixture(scope="session")
def settled_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of the small company, to be copied."""
    folder = tmp_path_factory.mktemp("company")
    settle(open_world(f"sqlite:///{folder}/forewarn.db", folder)).database.close()
    return folder / "forewarn.db"


def copied(settled_file: Path, folder: Path) -> World:
    """A world on a copy of the database."""
    shutil.copy(settled_file, folder / "forewarn.db")
    return open_world(f"sqlite:///{folder}/forewarn.db", folder, migrated=True)


@pytest.fixture
def world(settled_file: Path, tmp_path: Path) -> Iterator[World]:
    """A small service company that may act by itself."""
    made = copied(settled_file, tmp_path)
    yield made
    made.database.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def any_world(request: pytest.FixtureRequest, settled_file: Path, tmp_path: Path) -> Iterator[World]:
    """The same on each kind of database."""
    if request.param == "sqlite":
        made = copied(settled_file, tmp_path)
    else:
        made = settle(open_world(str(request.getfixturevalue("postgres_url")), tmp_path))
    yield made
    made.database.close()
