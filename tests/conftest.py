"""Fixtures for tests on real servers and in a real browser.

A server of the session is shared and never killed; each test gets a bucket or database of its own. Tests that kill
servers ask for a factory, which makes servers for that test alone.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from deploy.servers.launch import InfluxAccess, InfluxDB, Mosquitto, PostgreSQL, path_of
from tests.halves import halves_for
from tests.real_servers import selection_for, shared_data_folder

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from plumbing.sql import Database

_EMPTY = """do $$ declare t text; begin
    set local session_replication_role = replica;
    for t in select tablename from pg_tables where schemaname = 'public' and right(tablename, 7) <> 'version' loop
        execute 'delete from ' || quote_ident(t);
    end loop;
end $$"""
"""Takes every row out of every table, whoever refers to it: a few milliseconds, where a fresh database takes 100."""
CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def pytest_configure(config: pytest.Config) -> None:
    """Leave out, or refuse to run without, what this machine lacks; keep apart what has to run alone."""
    config.pluginmanager.register(halves_for(config), "forewarn-halves")  # first, to see the marks of the other
    config.pluginmanager.register(selection_for(config), "forewarn-real-servers")


class MosquittoFactory(Protocol):
    """Start a broker that lives as long as the test."""

    def __call__(self, passwd: Path, acl: Path, *extra: str) -> Mosquitto:
        """Give the files that ingest generates, and further lines of configuration."""
        ...


@pytest.fixture
def mosquitto_factory(tmp_path: Path) -> Iterator[MosquittoFactory]:
    """Start real brokers: `mosquitto_factory(passwd, acl)`; they end with the test."""
    with ExitStack() as stack:
        count = 0

        def start(passwd: Path, acl: Path, *extra: str) -> Mosquitto:
            nonlocal count
            count += 1
            return stack.enter_context(Mosquitto(tmp_path / f"mosquitto-{count}", passwd, acl, extra))

        yield start


@pytest.fixture(scope="session")
def influxdb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxDB]:
    """The session's InfluxDB; do not kill it."""
    with InfluxDB(tmp_path_factory.mktemp("influxdb")) as server:
        yield server


@pytest.fixture
def influxdb(influxdb_server: InfluxDB) -> InfluxAccess:
    """Access to an empty bucket of the session's InfluxDB."""
    return influxdb_server.fresh_bucket()


@pytest.fixture
def influxdb_factory(tmp_path: Path) -> Iterator[Callable[[], InfluxDB]]:
    """Start InfluxDBs that a test may kill; they end with the test."""
    with ExitStack() as stack:
        count = 0

        def start() -> InfluxDB:
            nonlocal count
            count += 1
            return stack.enter_context(InfluxDB(tmp_path / f"influxdb-{count}"))

        yield start


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgreSQL]:
    """The session's PostgreSQL; do not kill it."""
    with PostgreSQL(tmp_path_factory.mktemp("postgresql")) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgreSQL) -> Iterator[str]:
    """The address, as SQLAlchemy reads it, of an empty database of the session's PostgreSQL."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables, to copy."""
    path = tmp_path_factory.mktemp("migrated") / "empty.sqlite"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def database(tmp_path: Path, migrated: Path) -> Iterator[Database]:
    """Empty tables in SQLite."""
    from plumbing.sql import Database

    shutil.copy(migrated, tmp_path / "forewarn.sqlite")
    made = Database(f"sqlite:///{tmp_path}/forewarn.sqlite")
    yield made
    made.close()


@pytest.fixture(scope="session")
def postgres_migrated(postgres_server: PostgreSQL) -> str:
    """The address of the session's PostgreSQL database with all tables."""
    url = postgres_server.create_database()
    _migrate(url)
    return url


@pytest.fixture
def postgres_tables(postgres_migrated: str) -> Iterator[str]:
    """The address of a PostgreSQL database with empty tables: all tests have the same one, each leaves it empty."""
    yield postgres_migrated
    from plumbing.sql import Database

    shared = Database(postgres_migrated)
    with shared.write() as connection:
        connection.exec_driver_sql(_EMPTY)
    shared.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def any_database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """Empty tables in each kind of database."""
    from plumbing.sql import Database

    if request.param == "sqlite":
        yield request.getfixturevalue("database")
        return
    made = Database(str(request.getfixturevalue("postgres_tables")))
    yield made
    made.close()


def _migrate(url: str) -> None:
    from plumbing.migrate import upgrade
    from plumbing.sql import Database

    made = Database(url)
    upgrade(made)
    made.close()


@pytest.fixture
def postgres_factory(tmp_path: Path) -> Iterator[Callable[[], PostgreSQL]]:
    """Start PostgreSQLs that a test may kill; they end with the test."""
    with ExitStack() as stack:
        count = 0

        def start() -> PostgreSQL:
            nonlocal count
            count += 1
            return stack.enter_context(PostgreSQL(tmp_path / f"postgresql-{count}"))

        yield start


@pytest.fixture(scope="session")
def shared_data(pytestconfig: pytest.Config) -> Path:
    """The folder of the real data sets beside the checkout; only to read."""
    return shared_data_folder(pytestconfig.rootpath)


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """The browser's program."""
    return path_of("chromium")


# Not for the whole session: while Playwright's synchronous half is open, its event loop runs in this thread, and no
# test could call asyncio.run.
@pytest.fixture(scope="module")
def browser(chromium_path: Path) -> Iterator[Browser]:
    """A headless Chromium, shared by the tests of one module, which must not use asyncio themselves."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=chromium_path, headless=True, args=list(CHROMIUM_FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of 1280 x 800 with cookies and storage of its own. The test fails if a script on it fails."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB", timezone_id="UTC")
    context.set_default_timeout(10_000)
    errors: list[str] = []
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert not errors, f"scripts failed on the page: {errors}"


@pytest.fixture
def screenshot(page: Page, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[str], Path]:
    """Take a picture of the whole page: `screenshot("fleet")` returns its file.

    It lies in the test's temporary folder, or with `--screenshots DIR` in DIR.
    """
    chosen = request.config.getoption("--screenshots")
    folder = Path(chosen) if chosen else tmp_path

    def take(name: str) -> Path:
        path = folder / (re.sub(r"[^A-Za-z0-9_.-]+", "-", name) + ".png")
        page.screenshot(path=path, full_page=True)
        return path

    return take


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a person keep the pictures that the tests take."""
    parser.addoption("--screenshots", metavar="DIR", help="keep the screenshots that tests take in this folder")
