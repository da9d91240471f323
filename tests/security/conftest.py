"""A database with all tables, and a broker of each kind on it."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from plumbing.migrate import upgrade
from plumbing.sql import Database
from tests.security.brokers import Fortress, fortress


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with all tables, to copy."""
    path = tmp_path_factory.mktemp("migrated") / "empty.sqlite"
    made = Database(f"sqlite:///{path}")
    upgrade(made)
    made.close()
    return path


@pytest.fixture
def database(tmp_path: Path, migrated: Path) -> Iterator[Database]:
    """Empty tables."""
    shutil.copy(migrated, tmp_path / "forewarn.sqlite")
    made = Database(f"sqlite:///{tmp_path}/forewarn.sqlite")
    yield made
    made.close()


@pytest.fixture(params=["embedded", pytest.param("mosquitto", marks=pytest.mark.mosquitto)])
def house(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator[Fortress]:
    """Each broker, with TLS."""
    with ExitStack() as stack:
        yield fortress(str(request.param), database, tmp_path, stack)
