"""The faults of the matrix: how each strikes all pipelines at once, and how it is over."""

import contextlib
import os
import time

from support.agent import binary

from .proxy import Proxy
from .small_disk import SmallDisk
from .topologies import Setting

HOLD = float(os.environ.get("HBAGENT_FAULT_HOLD", "2"))  # seconds that an outage lasts


def hold(seconds=HOLD):
    """How long a fault lasts is the subject here, not something that is waited for."""
    time.sleep(seconds)


class Fault:
    name = ""
    lasts = True            # between begin and end
    strikes_servers = True  # which the pipelines of other faults use too: it cannot strike beside them

    def __init__(self, servers, folder):
        self.servers = servers
        self.folder = folder

    def applies_to(self, _topology):
        return True

    def setting(self):
        return Setting()

    def arrange(self, topology):
        """Before the pipeline starts."""

    def begin(self, topologies):
        """Strikes pipelines that flow."""

    def end(self, topologies):
        """They may flow again."""

    def close(self):
        """When the agents have ended."""


@contextlib.contextmanager
def tables_locked(databases):
    """Nothing can be stored in them meanwhile."""
    locks = [database.connect() for database in databases]
    try:
        for lock in locks:
            lock.autocommit = False
            lock.cursor().execute("LOCK TABLE heartbeats IN ACCESS EXCLUSIVE MODE")
        yield
    finally:
        for lock in locks:
            lock.close()


@contextlib.contextmanager
def sinks_held_up(servers, topologies):
    """Nothing is stored meanwhile: Kafka stands still, and the tables are locked."""
    servers.kafka.pause()
    try:
        with tables_locked([topology.database for topology in topologies]):
            yield
    finally:
        servers.kafka.resume()


class AgentKilled(Fault):
    """With seconds of readings in its journal that no source would give again."""
    name = "agent kill -9"
    lasts = False

    def begin(self, topologies):
        with sinks_held_up(self.servers, topologies):
            for topology in topologies:
                agent = topology.agents[0]
                agent.wait_while_running(lambda: agent.status()["sinks"][0]["pending"] > 3 * topology.setting.rate, 30,
                                         "to have seconds of readings pending")
            for topology in topologies:
                for agent in topology.agents:
                    agent.kill()
        for topology in topologies:
            for agent in topology.agents:
                agent.start()


class AgentTerminated(Fault):
    name = "agent SIGTERM"
    lasts = False
    strikes_servers = False

    def begin(self, topologies):
        for topology in topologies:
            for agent in topology.agents:
                assert agent.terminate() == 0, agent.log_tail()
                agent.start()


class PostgresOutage(Fault):
    """Each agent that writes to it must notice."""

    def end_server(self):
        raise NotImplementedError

    def begin(self, topologies):
        self.end_server()
        for topology in topologies:
            topology.agents[-1].wait_not_ready()

    def end(self, _topologies):
        self.servers.postgres.start()


class PostgresStopped(PostgresOutage):
    name = "PostgreSQL stop"

    def end_server(self):
        self.servers.postgres.stop()


class PostgresKilled(PostgresOutage):
    name = "PostgreSQL kill -9"

    def end_server(self):
        self.servers.postgres.kill()


class PostgresRestarted(Fault):
    name = "PostgreSQL restart"
    lasts = False

    def begin(self, _topologies):
        self.servers.postgres.restart()


class ConnectionCut(Fault):
    name = "PostgreSQL connection cut"
    lasts = False
    strikes_servers = False

    def begin(self, topologies):
        cut = 0
        for _ in range(5):
            for topology in topologies:
                cut += topology.database.execute(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s "
                    "AND application_name = 'hbagent'", (topology.database.name,), superuser=True)[0][0]
            hold(0.3)
        assert cut >= len(topologies), f"{cut} connections were cut"


class KafkaOutage(Fault):
    def applies_to(self, topology):
        return topology.name != "generator → journal → PostgreSQL"

    def setting(self):
        return Setting(second_sink_is_kafka=True)

    def end_server(self):
        raise NotImplementedError

    def begin(self, topologies):
        self.end_server()
        for topology in topologies:
            topology.agents[0].wait_not_ready()

    def end(self, _topologies):
        self.servers.kafka.start()


class KafkaStopped(KafkaOutage):
    name = "Kafka stop"

    def end_server(self):
        self.servers.kafka.stop()


class KafkaKilled(KafkaOutage):
    name = "Kafka kill -9"

    def end_server(self):
        self.servers.kafka.kill()


class DiskFull(Fault):
    """The folder of the first agent is a small file system. With the sinks held up the journal needs more of it."""
    name = "disk full"
    lasts = False

    def __init__(self, servers, folder):
        super().__init__(servers, folder)
        self._disks = []

    def setting(self):
        return Setting(rate=10_000)

    def arrange(self, topology):
        self._disks.append(SmallDisk(topology.agents[0].data_folder, "20m"))

    def begin(self, topologies):
        with sinks_held_up(self.servers, topologies):
            for disk in self._disks:
                disk.fill()
            for topology in topologies:
                agent = topology.agents[0]
                agent.wait_while_running(lambda: "No space left" in agent.get("/readyz")[1], 30,
                                         "to say that the disk is full")
                assert agent.metrics().value("hbagent_journal_accepting") == 0
            hold(1)
        for disk in self._disks:
            disk.make_room()
        for topology in topologies:
            agent = topology.agents[0]
            agent.wait_while_running(lambda: agent.metrics().value("hbagent_journal_accepting") == 1, 30, "to accept again")

    def close(self):
        for disk in self._disks:
            disk.close()


class DiskReadOnly(Fault):
    """Everything that would change the journal's files fails with EROFS."""
    name = "disk read-only"
    strikes_servers = False

    def setting(self):
        self._control = self.folder / "fault"
        return Setting(program="hbagent_crash", environment={"HBAGENT_FAULT_FILE": str(self._control)})

    def begin(self, topologies):
        prepared = self._control.with_suffix(".new")
        prepared.write_text("EROFS create allocate write sync rename remove\n")
        prepared.rename(self._control)
        for topology in topologies:
            agent = topology.agents[0]
            agent.wait_while_running(lambda: "Read-only file system" in agent.get("/readyz")[1], 30,
                                     "to say that the disk is read-only")

    def end(self, _topologies):
        self._control.unlink()


class NetworkCut(Fault):
    """Nothing gets through to the servers and nothing is refused: for PostgreSQL at a proxy, for Kafka by its standing
    still, which its clients cannot tell from that."""
    name = "network cut"

    def setting(self):
        self._proxy = Proxy(self.servers.postgres.port)
        return Setting(postgres_port=self._proxy.port, sink='timeout = "2s"')

    def begin(self, topologies):
        self._proxy.cut()
        self.servers.kafka.pause()
        for topology in topologies:
            topology.agents[-1].wait_not_ready()

    def end(self, _topologies):
        self._proxy.heal()
        self.servers.kafka.resume()

    def close(self):
        self._proxy.close()


class SlowSink(Fault):
    name = "slow sink"
    strikes_servers = False

    def begin(self, topologies):
        for topology in topologies:
            topology.database.execute("""
                CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN PERFORM pg_sleep(0.7); RETURN NULL; END $$;
                CREATE TRIGGER dawdle BEFORE INSERT ON heartbeats FOR EACH STATEMENT EXECUTE FUNCTION dawdle()""")

    def end(self, topologies):
        for topology in topologies:
            topology.database.execute("DROP TRIGGER dawdle ON heartbeats")


class SlowSource(Fault):
    name = "slow source"
    strikes_servers = False

    def setting(self):
        return Setting(rate=20)


class ClockBack(Fault):
    """For good: that it would be set forward again is nothing to wait for."""
    name = "clock back an hour"
    strikes_servers = False

    def setting(self):
        self._control = self.folder / "clock"
        shim = binary().parents[1] / "lib/hbagent/test-plugins/clock_shim.so"
        return Setting(environment={"LD_PRELOAD": str(shim), "HBAGENT_CLOCK_FILE": str(self._control)})

    def begin(self, _topologies):
        self._control.touch()

    def end(self, topologies):
        for topology in topologies:  # long before the clock is there again
            topology.flows()


FAULTS = [AgentKilled, AgentTerminated, PostgresStopped, PostgresKilled, PostgresRestarted, ConnectionCut, KafkaStopped,
          KafkaKilled, DiskFull, DiskReadOnly, NetworkCut, SlowSink, SlowSource, ClockBack]
