"""The fault matrix: every fault strikes every pipeline in mid-flow; nothing may be missing, doubled or changed.

HBAGENT_FAULT_HOLD is how long outages last, in seconds (default 2).
"""

import pathlib
import types

import pytest

from support.servers import KafkaServer, PostgresServer

from .fault_kinds import FAULTS, hold
from .topologies import FileToKafkaToPostgres, GeneratorToPostgres, GeneratorToTwoSinks

TOPOLOGIES = [FileToKafkaToPostgres, GeneratorToPostgres, GeneratorToTwoSinks]


@pytest.fixture(scope="module")
def servers():
    with PostgresServer() as postgres, KafkaServer() as kafka:
        yield types.SimpleNamespace(postgres=postgres, kafka=kafka)


# What strikes only its own pipelines strikes them side by side.
ROUNDS = [[kind] for kind in FAULTS if kind.strikes_servers] + [[kind for kind in FAULTS if not kind.strikes_servers]]


class Row:
    """One fault and its pipelines."""

    def __init__(self, kind, servers, agent, folder, dice, matrix):
        self._matrix = matrix
        folder.mkdir()
        self.fault = kind(servers, folder)
        self.topologies = []
        setting = self.fault.setting()
        matrix.begin(kind.name, [each.name for each in TOPOLOGIES])
        for each in TOPOLOGIES:
            if not self.fault.applies_to(each):
                matrix.set(kind.name, each.name, "–")
                continue
            place = folder / f"{kind.__name__}-{each.__name__}"
            place.mkdir()
            self.topologies.append(each(agent, servers, place, setting, dice.random()))

    def start(self):
        try:
            for topology in self.topologies:
                self.fault.arrange(topology)
                topology.start()
        except pytest.skip.Exception:
            for each in self.topologies:
                self._matrix.set(self.fault.name, each.name, "skipped")
            raise

    def flows(self):
        for topology in self.topologies:
            topology.flows()

    def finish(self):
        for topology in self.topologies:
            result = topology.finish()
            print(f"{self.fault.name}, {topology.name}: {result}")
            self._matrix.set(self.fault.name, topology.name, f"{len(result.missing)} / {len(result.doubled)}")
            assert result.exact, result

    def close(self):
        for topology in self.topologies:
            topology.close()
            for each in topology.agents:
                each.close()
        self.fault.close()


@pytest.mark.parametrize("kinds", ROUNDS, ids=lambda kinds: ", ".join(kind.name for kind in kinds))
def test_nothing_is_lost_or_doubled(kinds, servers, agent, tmp_path, dice, matrix):
    rows = []
    try:
        for kind in kinds:
            rows.append(Row(kind, servers, agent, tmp_path / kind.__name__, dice, matrix))
            rows[-1].start()
        for row in rows:
            row.flows()
        for row in rows:
            row.fault.begin(row.topologies)
        if any(row.fault.lasts for row in rows):
            hold()
        for row in rows:
            row.fault.end(row.topologies)
        for row in rows:
            row.flows()
        for row in rows:
            row.finish()
    finally:
        for row in rows:
            row.close()


def test_the_readme_shows_this_matrix(matrix):
    if len(str(matrix).splitlines()) != len(FAULTS) + 2 or "skipped" in str(matrix):
        pytest.skip("only part of the matrix was run")
    assert str(matrix) in (pathlib.Path(__file__).parents[2] / "README.md").read_text()
