"""Real servers (``bentoml serve``), a real PostgreSQL started on a folder of its own, and stores on both databases."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eval.service_process import Server
from tests.serving.postgres import Postgres, find_postgres


NO_POSTGRES = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL server of this test run."""
    if find_postgres() is None:
        request.config.stash[NO_POSTGRES] = True
        message = "PostgreSQL is not installed (apt-get install postgresql): its tests did NOT run"
        if os.environ.get("FENBAN_REQUIRE_POSTGRES"):
            pytest.fail(message)
        pytest.skip(message)
    server = Postgres()
    try:
        yield server
    finally:
        server.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """A skipped database is said in red."""
    if config.stash.get(NO_POSTGRES, False):
        terminalreporter.write_sep("!", "PostgreSQL NOT TESTED: apt-get install postgresql", red=True, bold=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'fenban.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start servers of this test; they end with it."""
    running: list[Server] = []

    def start(**settings: object) -> Server:
        running.append(Server(tmp_path, **settings))
        return running[-1]

    yield start
    for server in running:
        server.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server without keys for a whole module."""
    running = Server(tmp_path_factory.mktemp("serve"))
    yield running
    running.stop()


@pytest.fixture(scope="session", autouse=True)
def _clean_environment() -> None:
    """No setting of the developer's shell may leak in."""
    for name in [name for name in os.environ if name.startswith("FENBAN_") and name != "FENBAN_REQUIRE_POSTGRES"]:
        del os.environ[name]
