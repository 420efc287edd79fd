"""What the broker has acknowledged to a publisher is in PostgreSQL once and exact, whatever dies between the two.

HBAGENT_MQTT_READINGS and HBAGENT_MQTT_KILLS set the size of the main run, HBAGENT_FAULT_SEED repeats a run.
"""

import os
import shutil
import signal
import time

import pytest

from faults import readings
from faults.workload import complaints, live
from support import processes
from support.mqtt import Publisher
from support.servers import MosquittoServer
from support.waiting import wait_until

from . import bridge

READINGS = int(os.environ.get("HBAGENT_MQTT_READINGS", "300000"))
KILLS = int(os.environ.get("HBAGENT_MQTT_KILLS", "100"))
SMALL = 60_000


def store_all(agent, database, count, series="s", timeout=120):
    """Waits until `count` readings are stored, ends the agent, and compares them one by one."""
    agent.wait_while_running(lambda: bridge.stored(database) >= count, timeout, f"to store {count} readings")
    assert agent.terminate() == 0, agent.log_tail()
    assert readings.are_exactly_numbered(database, series, count)


def kill_and_start(agent, kills, dice, life=(0.05, 0.6), longest=1.0):
    """One life in four is longer: much is under way then."""
    for _ in range(kills):
        live(dice.uniform(*life) if dice.random() < 0.75 else dice.uniform(life[1], longest))
        assert agent.kill() == -signal.SIGKILL, agent.log_tail()
        agent.start()


def test_random_kills_of_the_agent_lose_and_double_nothing(agent, own_mosquitto, postgres, dice):
    database = postgres.new_database()
    bridging = agent(bridge.source(own_mosquitto.uri) + bridge.to_postgres(database)).start().wait_ready()
    begin = time.monotonic()
    publisher = Publisher(own_mosquitto.port, bridge.message("s"), READINGS).start()
    under_way = 0
    for number in range(KILLS):  # spread over the whole of it
        so_far = bridge.stored(database)
        under_way += so_far < READINGS
        is_ahead = so_far > READINGS * number / KILLS
        kill_and_start(bridging, 1, dice, *(((0.05, 0.25), 0.25) if is_ahead else ()))
    killed_at = time.monotonic() - begin
    assert publisher.finish() == READINGS
    store_all(bridging, database, READINGS)
    print(f"{READINGS} readings, {KILLS} kills in {killed_at:.0f} s, {under_way} of them before all was stored, all in "
          f"{time.monotonic() - begin:.0f} s")
    assert complaints(bridging) == [] and under_way > KILLS / 2


def tls_broker():
    """A broker with a second listener that speaks TLS; returns it, that port and the authority's file."""
    broker = MosquittoServer()
    certificates, port = broker.certificates(), processes.free_port()
    broker.settings = (f"listener {port} 127.0.0.1\ncertfile {certificates.pem('broker')}\n"
                       f"keyfile {certificates.key('broker')}\n")
    return broker, port, certificates.pem("ca")


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_restarts_of_the_broker_and_kills_of_the_agent_over_tls_lose_and_double_nothing(version, agent, postgres, dice):
    database = postgres.new_database()
    broker, port, authority = tls_broker()
    with broker:
        bridging = agent(bridge.source(f"ssl://localhost:{port}", f'version = "{version}"',
                                       tables=f'[source.tls]\nca_file = "{authority}"\n')
                         + bridge.to_postgres(database)).start().wait_ready()
        publisher = Publisher(port, bridge.message("s"), SMALL, tls_ca=authority, rate=10_000).start()
        for _ in range(3):
            kill_and_start(bridging, 3, dice)
            broker.stop()
            live(dice.uniform(0, 0.5))
            broker.start()
        assert publisher.finish() == SMALL
        store_all(bridging, database, SMALL)
        assert publisher.connections > 2
        assert complaints(bridging) == []
        assert "no longer has the session" not in bridging.log


def test_of_two_agents_that_share_a_subscription_one_goes_on_and_the_dead_ones_messages_wait(agent, own_mosquitto,
                                                                                           postgres):
    database = postgres.new_database()
    agents = [agent(bridge.source(own_mosquitto.uri, client_id=f"edge-{number}", subscription='share = "bridges"')
                    + bridge.to_postgres(database)).start().wait_ready() for number in range(2)]
    survivor, dead = agents
    publisher = Publisher(own_mosquitto.port, bridge.message("s"), SMALL).start()
    for each in agents:
        each.wait_while_running(lambda: each.status()["sources"][0]["received"] > 2000, 30, "to get its share")
    dead.kill()
    before = survivor.status()["sources"][0]["received"]
    assert publisher.finish() == SMALL
    # What went to the dead one waits in its session; the other one's share goes on.
    survivor.wait_while_running(lambda: survivor.status()["sources"][0]["received"] > before + 2000, 30, "to go on")
    dead.start()
    survivor.wait_while_running(lambda: bridge.stored(database) >= SMALL, 60, "to store all, with the other's help")
    assert readings.are_exactly_numbered(database, "s", SMALL)
    assert [complaints(each) for each in agents] == [[], []]


def publish(broker, count):
    return Publisher(broker.port, bridge.message("s"), count).start().finish()


NOBODY = bridge.POSTGRES.format("postgresql://nobody@127.0.0.1:1/nothing")
IN_MEMORY = '[journal]\nmode = "memory"\n'


def test_in_memory_mode_a_message_is_acknowledged_when_the_sink_has_it(agent, own_mosquitto, postgres, dice):
    database = postgres.new_database()
    source = IN_MEMORY + bridge.source(own_mosquitto.uri)
    bridging = agent(source + NOBODY).start()
    bridging.wait_log("subscribed to ")
    assert publish(own_mosquitto, 500) == 500
    bridging.wait_while_running(lambda: bridging.status()["sources"][0]["received"] == 1, 20, "to wait for its sink")
    bridging.kill()
    bridging.configure(source + bridge.to_postgres(database) + 'batch_timeout = "1ms"\n')
    bridging.start()
    publisher = Publisher(own_mosquitto.port, lambda number: bridge.message("s")(number + 500), 2500).start()
    kill_and_start(bridging, 5, dice)
    publisher.finish()
    store_all(bridging, database, 3000)


@pytest.mark.parametrize(("ack", "is_safe"), [("synced", True), ("journaled", False)])
def test_synced_is_acknowledged_only_when_the_disk_has_it(ack, is_safe, agent, own_mosquitto, postgres, tmp_path):
    """The journal's folder goes, as a power loss would take what was never synced."""
    database, fault = postgres.new_database(), tmp_path / "fault"
    source = bridge.source(own_mosquitto.uri, f'ack = "{ack}"')
    bridging = agent(source + NOBODY, program="hbagent_crash", environment={"HBAGENT_FAULT_FILE": str(fault)}).start()
    bridging.wait_log("subscribed to ")
    fault.write_text("EIO segment.sync rewrite.sync")
    assert publish(own_mosquitto, 500) == 500
    bridging.wait_while_running(lambda: bridging.status()["sources"][0]["received"] > 0, 20, "to get messages")
    bridging.wait_log("EIO|Input/output error|cannot sync")
    bridging.kill()
    fault.unlink()
    shutil.rmtree(bridging.data_folder / "journal")
    bridging.configure(source + bridge.to_postgres(database))
    bridging.start()
    if is_safe:
        return store_all(bridging, database, 500)
    publish_one_more = Publisher(own_mosquitto.port, lambda _: bridge.message("s")(500), 1).start()
    publish_one_more.finish()
    newest = "SELECT count(*) FROM heartbeats WHERE time = (SELECT timestamptz '2026-01-01Z' + interval '500ms')"
    wait_until(lambda: bridge.stored(database) and database.value(newest) == 1, 30, "the newest reading")
    assert bridge.stored(database) < 501
