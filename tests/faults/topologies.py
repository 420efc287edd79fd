"""The pipelines of the fault matrix: each starts, flows, ends, and says what became of every reading."""

import dataclasses
import random

from e2e import pipeline
from support import processes
from support.waiting import wait_until

from . import readings
from .workload import generator_position


@dataclasses.dataclass
class Setting:
    """What a fault needs to be different from the start on."""
    rate: int = 1000                   # readings a second
    program: str = None                # instead of hbagent
    environment: dict = dataclasses.field(default_factory=dict)
    postgres_port: int = None          # instead of the server's: of a proxy
    sink: str = ""                     # more keys of the sink postgres
    second_sink_is_kafka: bool = False  # instead of one whose server is never there


class Topology:
    """One pipeline with a database of its own. `agents`: from the source on."""

    name = ""

    def __init__(self, make_agent, servers, folder, setting, seed):
        self.servers = servers
        self.database = servers.postgres.new_database()
        self.folder = folder
        self.setting = setting
        self.seed = seed
        self._make_agent = make_agent
        self.agents = self.make()

    def agent(self, name, config):
        return self._make_agent(config, f"{self.folder.name}-{name}", program=self.setting.program,
                                environment=self.setting.environment)

    def postgres_sink(self):
        uri = self.database.uri
        if self.setting.postgres_port:
            uri = uri.replace(f":{self.servers.postgres.port}/", f":{self.setting.postgres_port}/")
        return f'[[sink]]\nplugin = "postgres"\nuri = "{uri}"\nretry_max = "1s"\n{self.setting.sink}\n'

    def start(self):
        for agent in self.agents:
            agent.start()

    def rows(self):
        return pipeline.row_count(self.database)

    def flows(self, timeout=60):
        """Waits until readings come in, after whatever was done to it."""
        (before,) = wait_until(lambda: (self.rows(),), timeout, f"the tables of {self.name}")
        goal = before + max(10, self.setting.rate // 5)
        wait_until(lambda: self.rows() >= goal, timeout, f"{self.name} to store {goal} rows")

    def check_ledgers(self):
        for agent in self.agents:
            pipeline.assert_balanced(agent.status())


class FileToKafkaToPostgres(Topology):
    name = "file → Kafka → PostgreSQL"

    def make(self):
        self._file = readings.GrowingFile(self.folder / "readings.jsonl", "f", self.setting.rate,
                                          random.Random(self.seed))
        self.topic = self.servers.kafka.new_topic(partitions=3)
        producer = self.agent("producer", f"""
[journal]
max_size = "16MiB"
[[source]]
plugin = "file"
path = "{self._file.path}"
follow = true
poll_interval = "20ms"
retry_max = "1s"
""" + pipeline.kafka_sink(self.servers.kafka, self.topic, 'retry_max = "1s"'))
        consumer = self.agent("consumer", f"""
[journal]
mode = "memory"
[[source]]
plugin = "kafka"
brokers = "{self.servers.kafka.brokers}"
topics = ["{self.topic}"]
group_id = "{self.topic}"
group_instance_id = "{self.topic}"
retry_max = "1s"
{self.postgres_sink()}""")
        return [producer, consumer]

    def start(self):
        self._file.start()
        super().start()

    def finish(self):
        self._file.finish()
        wait_until(lambda: self.rows() >= self._file.written, 60, f"{self.name} to store {self._file.written} rows")
        wait_until(lambda: self.topic.lag(str(self.topic)) == 0, 60, f"{self.name} to commit its offsets")
        self.check_ledgers()
        for agent in self.agents:
            assert agent.terminate() == 0, agent.log_tail()
        return readings.outcome(self.database, self._file.content())

    def close(self):
        self._file.finish()


class GeneratorToPostgres(Topology):
    name = "generator → journal → PostgreSQL"

    def make(self):
        return [self.agent("agent", f"""
[journal]
max_size = "16MiB"
[[source]]
plugin = "generator"
resume = true
{self._series()}
retry_max = "1s"
{self.postgres_sink()}{self.more_sinks()}""")]

    def _series(self):
        return f'customers = 10\nrate = {self.setting.rate}.0\nstart = "2026-01-01T00:00:00Z"'

    def more_sinks(self):
        return ""

    def finish(self):
        (agent,) = self.agents
        self.check_ledgers()
        assert agent.terminate() == 0, agent.log_tail()
        assert pipeline.final_ledger(agent)["sink/postgres"]["pending"] == 0
        stored = self.rows()
        safe = generator_position(agent)
        assert stored >= safe > 0, f"the generator was told that {safe} are safe, {stored} are stored"
        return readings.outcome(self.database, readings.generated(self._make_agent, f"{self._series()}\ncount = {stored}"))

    def close(self):
        pass


class GeneratorToTwoSinks(GeneratorToPostgres):
    name = "generator → journal → two sinks, one dead"

    def more_sinks(self):
        self.topic = self.servers.kafka.new_topic() if self.setting.second_sink_is_kafka else None
        if self.topic:
            return pipeline.kafka_sink(self.servers.kafka, self.topic, 'retry_max = "1s"')
        nobody = f"postgresql://nobody@127.0.0.1:{processes.free_port()}/nothing"
        return f'[[sink]]\nplugin = "postgres"\nname = "dead"\nuri = "{nobody}"\nretry_max = "1s"\n'

    def finish(self):
        (agent,) = self.agents
        second = agent.status()["sinks"][1]
        if self.topic:  # it came back to life
            agent.wait_while_running(lambda: agent.status()["sinks"][1]["delivered"] > second["journaled"], 60,
                                     "to deliver to Kafka what waited")
        else:
            assert second["delivered"] == 0 and second["pending"] == second["journaled"] > 0, second
        result = super().finish()
        if self.topic:
            assert self.topic.record_count() >= result.stored
        return result
