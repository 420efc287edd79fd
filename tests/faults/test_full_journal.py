"""A full journal, behind a sink whose server is not there: sources wait, and what they have handed over comes once."""

import pytest

from support import processes

from . import readings
from .workload import generator_position

COUNT = 60_000           # readings, nearly twice what the journal holds
NEARLY_FULL = 26_000     # readings: the journal has less room left than the largest batch of a source may need
JOURNAL = '[journal]\nmax_size = "2MiB"\n'


class File:
    def __init__(self, _kafka, folder):
        self._path = folder / "readings.jsonl"
        self._path.write_text("".join(f"{readings.as_json('r', number)}\n" for number in range(COUNT)))
        self.keys = f'plugin = "file"\npath = "{self._path}"\n'

    def position(self, agent):
        line = (agent.data_folder / "state/source-file/positions").read_text().splitlines()[1]
        inode, _offset, lines, *_ = line.split()
        assert int(inode) == self._path.stat().st_ino
        return int(lines)


class Generator:
    keys = f'plugin = "generator"\nspeed = "max"\nstart = "2026-01-01T00:00:00Z"\nresume = true\ncount = {COUNT}\n'

    def __init__(self, _kafka, _folder):
        pass

    def position(self, agent):
        return generator_position(agent)


class Kafka:
    def __init__(self, kafka, _folder):
        self._topic = kafka.new_topic(partitions=3)
        self._topic.produce((None, readings.as_json("r", number)) for number in range(COUNT))
        self.keys = (f'plugin = "kafka"\nbrokers = "{kafka.brokers}"\ntopics = ["{self._topic}"]\nexit_at_end = true\n'
                     'group_id = "full"\ngroup_instance_id = "the-only-one"\n')

    def position(self, _agent):
        return COUNT - self._topic.lag("full")


@pytest.mark.parametrize("make_source", [File, Generator, Kafka])
def test_what_a_source_that_waits_has_handed_over_comes_no_second_time(make_source, agent, kafka, tmp_path):
    source = make_source(kafka, tmp_path)
    nobody = f"postgresql://nobody@127.0.0.1:{processes.free_port()}/nothing"
    config = f'{JOURNAL}[[source]]\n{source.keys}[[sink]]\nname = "late"\n'
    killed = agent(config + f'plugin = "postgres"\nuri = "{nobody}"\n').start()
    polls = []

    def waits_and_has_stored_all():
        polls.append(killed.status()["sources"][0]["journaled"])
        return polls[-1] > NEARLY_FULL and polls[-2:] == [source.position(killed)] * 2
    killed.wait_while_running(waits_and_has_stored_all, 30, "to store the position of all that the journal has taken")
    assert polls[-1] < COUNT
    killed.kill()

    # From a sink that would keep a double: a file, under the name for which the journal keeps what it has.
    stored = tmp_path / "stored.csv"
    killed.configure(config + f'plugin = "file"\nformat = "csv"\npath = "{stored}"\n')
    killed.start()
    assert killed.wait(60) == 0, killed.log_tail()
    rows = stored.read_text().splitlines()[1:]
    assert len(rows) == len(set(rows)) == COUNT
