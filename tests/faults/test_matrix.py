"""The fault matrix: every fault strikes every pipeline in mid-flow; nothing may be missing, doubled or changed.

HBAGENT_FAULT_HOLD is how long outages last, in seconds (default 3).
"""

import pathlib
import types

import pytest

from support.servers import KafkaServer, PostgresServer

from .fault_kinds import FAULTS
from .topologies import FileToKafkaToPostgres, GeneratorToPostgres, GeneratorToTwoSinks

TOPOLOGIES = [FileToKafkaToPostgres, GeneratorToPostgres, GeneratorToTwoSinks]


@pytest.fixture(scope="module")
def servers():
    with PostgresServer() as postgres, KafkaServer() as kafka:
        yield types.SimpleNamespace(postgres=postgres, kafka=kafka)


@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.name)
def test_nothing_is_lost_or_doubled(kind, servers, agent, tmp_path, dice, matrix):
    fault = kind(servers, tmp_path)
    matrix.begin(kind.name, [each.name for each in TOPOLOGIES])
    topologies = []
    try:
        setting = fault.setting()
        for each in TOPOLOGIES:
            if not fault.applies_to(each):
                matrix.set(kind.name, each.name, "–")
                continue
            folder = tmp_path / each.__name__
            folder.mkdir()
            topologies.append(each(agent, servers, folder, setting, dice.random()))
        for topology in topologies:
            fault.arrange(topology)
            topology.start()
        for topology in topologies:
            topology.flows()
        fault.strike(topologies)
        for topology in topologies:
            topology.flows()
        for topology in topologies:
            result = topology.finish()
            print(f"{kind.name}, {topology.name}: {result}")
            matrix.set(kind.name, topology.name, f"{len(result.missing)} / {len(result.doubled)}")
            assert result.exact, result
    except pytest.skip.Exception:
        for each in topologies:
            matrix.set(kind.name, each.name, "skipped")
        raise
    finally:
        for topology in topologies:
            topology.close()
            for each in topology.agents:
                each.close()
        fault.close()


def test_the_readme_shows_this_matrix(matrix):
    if len(str(matrix).splitlines()) != len(FAULTS) + 2 or "skipped" in str(matrix):
        pytest.skip("only part of the matrix was run")
    assert str(matrix) in (pathlib.Path(__file__).parents[2] / "README.md").read_text()
