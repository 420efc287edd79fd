"""A sink that takes nothing: the journal fills, the message under way waits, and the broker gives the connection up.

HBAGENT_MQTT_HOLD is how many seconds that lasts; it has to be beyond 1.5 times the keep-alive of 5 s.
"""

import contextlib
import os
import re
import time

from faults import readings
from faults.workload import complaints
from support.mqtt import Publisher

from . import bridge

HOLD = float(os.environ.get("HBAGENT_MQTT_HOLD", "15"))
READINGS = 60_000       # more than the journal holds
SHUTDOWN_TIMEOUT = 3
SETTINGS = f'shutdown_timeout = "{SHUTDOWN_TIMEOUT}s"'


@contextlib.contextmanager
def locked(databases):
    """Nothing can be stored meanwhile."""
    locks = [database.connect() for database in databases]
    try:
        for lock in locks:
            lock.autocommit = False
            lock.cursor().execute("LOCK TABLE heartbeats IN ACCESS EXCLUSIVE MODE")
        yield
    finally:
        for lock in locks:
            lock.close()


def is_full(agent):
    """Whether it has taken all that the journal holds."""
    before = agent.status()["sources"][0]["received"]
    time.sleep(0.5)  # standing still shows in time only
    return agent.status()["sources"][0]["received"] == before > 1000


def test_a_sink_that_stands_still_makes_no_reconnect_loop_and_loses_nothing(agent, own_mosquitto, postgres):
    databases = [postgres.new_database() for _ in range(2)]
    agents = []
    for number, (database, keep_alive) in enumerate(zip(databases, ("5s", "2m"))):
        made = agent('[journal]\nmax_size = "2MiB"\n'
                     + bridge.source(own_mosquitto.uri, f'keep_alive = "{keep_alive}"', client_id=f"edge-{number}")
                     + bridge.to_postgres(database))
        made.configure(made.config_path.read_text().replace("[agent]", f"[agent]\n{SETTINGS}"))
        agents.append(made.start().wait_ready())
    goes_on, is_stopped = agents
    for each in agents:
        each.wait_log("subscribed to ")
    with locked(databases):
        publisher = Publisher(own_mosquitto.port, bridge.message("s"), READINGS).start()
        for each in agents:
            each.wait_while_running(lambda: is_full(each), 30, "to fill its journal")
        full = [each.resident_bytes() for each in agents]
        time.sleep(HOLD)  # how long it lasts is the subject
        grown = [each.resident_bytes() - before for each, before in zip(agents, full)]
        connections = [own_mosquitto.connections(f"edge-{number}") for number in range(2)]
        begin = time.monotonic()
        code = is_stopped.terminate()
        took = time.monotonic() - begin
        print(f"{HOLD:.0f} s: {grown} bytes more memory, {connections} connections, stopped in {took:.1f} s: {code}")
        # Paho reads nothing while a message waits, so there is nothing to grow, and nobody to connect again.
        assert max(grown) < 8 << 20 and connections == [1, 1]
        # The one has no connection any more; the other one's is sound, so that whatever it acknowledged would count.
        assert re.findall(r"Client (\S+) has exceeded timeout", own_mosquitto.log) == ["edge-0"]
        assert code == 0 and took < SHUTDOWN_TIMEOUT + 5, is_stopped.log_tail()
    assert publisher.finish() == READINGS
    is_stopped.start()
    for each, database in zip(agents, databases):
        each.wait_while_running(lambda: bridge.stored(database) >= READINGS, 90, "to store all")
        assert readings.are_exactly_numbered(database, "s", READINGS)
        assert complaints(each) == []
    assert own_mosquitto.connections("edge-0") <= 3 and own_mosquitto.connections("edge-1") <= 4
