"""The fixtures, as a pytest plugin (loaded by tests/conftest.py).

Shared servers (`kafka`, `postgres`, `mosquitto`) run for the whole session: use a topic or a database of your own
(`kafka.new_topic()`, `postgres.new_database()`), and leave the server alone. Tests that stop, pause or kill a server
take one of their own (`own_kafka`, `own_postgres`, `own_mosquitto`).
"""

import os
import random

import pytest

from . import processes
from .agent import Agent
from .servers import KafkaServer, MosquittoServer, PostgresServer


def _serve(server_class):
    with server_class() as server:
        yield server


@pytest.fixture(scope="session")
def kafka():
    yield from _serve(KafkaServer)


@pytest.fixture(scope="session")
def postgres():
    yield from _serve(PostgresServer)


@pytest.fixture(scope="session")
def mosquitto():
    yield from _serve(MosquittoServer)


@pytest.fixture
def own_kafka():
    yield from _serve(KafkaServer)


@pytest.fixture
def own_postgres():
    yield from _serve(PostgresServer)


@pytest.fixture
def own_mosquitto():
    yield from _serve(MosquittoServer)


@pytest.fixture
def agent(tmp_path):
    """Makes agents: `agent(config_text, ...)` returns one that is not started yet. All are ended with the test."""
    agents = []

    def make(config, name=None, **options):
        made = Agent(config, tmp_path / (name or f"agent-{len(agents) + 1}"), **options)
        agents.append(made)
        return made
    yield make
    for made in agents:
        made.close()


@pytest.fixture
def dice():
    """Chance, with a seed that is printed: HBAGENT_FAULT_SEED makes a run happen again."""
    seed = int(os.environ.get("HBAGENT_FAULT_SEED", random.randrange(1 << 32)))
    print(f"HBAGENT_FAULT_SEED={seed}")
    return random.Random(seed)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failing test shows the logs of everything that was running."""
    report = (yield).get_result()
    if report.failed:
        report.sections.extend(processes.log_sections())
