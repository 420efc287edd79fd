"""A sink that takes nothing: the journal fills, the message under way waits, and the source gives the connection up.

HBAGENT_MQTT_HOLD is how many seconds that lasts; it has to be beyond half of the keep-alive of 5 s, which is how long a
message waits, and below the 10 s that it waits with a longer one.
"""

import os
import time

from faults import readings
from faults.fault_kinds import tables_locked
from faults.workload import complaints
from support.mqtt import Publisher

from . import bridge

HOLD = float(os.environ.get("HBAGENT_MQTT_HOLD", "6"))
READINGS = 60_000       # more than the journal holds
SHUTDOWN_TIMEOUT = 3
SETTINGS = f'shutdown_timeout = "{SHUTDOWN_TIMEOUT}s"'


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
    with tables_locked(databases):
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
        # Nothing is read meanwhile, so there is nothing to grow, and nobody connects again before there is room.
        assert max(grown) < 8 << 20 and connections == [1, 1]
        # The one has let go of its connection; the other one's is sound, so that whatever it acknowledged would count.
        assert "the journal is full or cannot be written: disconnected" in goes_on.log
        assert "the journal is full" not in is_stopped.log and "exceeded timeout" not in own_mosquitto.log
        assert "the journal is full" in goes_on.get("/readyz")[1]
        assert code == 0 and took < SHUTDOWN_TIMEOUT + 5, is_stopped.log_tail()
    assert publisher.finish() == READINGS
    is_stopped.start()
    for each, database in zip(agents, databases):
        each.wait_while_running(lambda: bridge.stored(database) >= READINGS, 90, "to store all")
        assert readings.are_exactly_numbered(database, "s", READINGS)
        assert complaints(each) == []
    assert own_mosquitto.connections("edge-0") <= 3 and own_mosquitto.connections("edge-1") <= 4


def test_a_sink_of_the_same_library_makes_room_in_a_full_journal(agent, own_mosquitto, mosquitto, postgres):
    """Its broker is away while the journal fills; one thread of Paho's serves both connections."""
    database = postgres.new_database()
    far = agent(bridge.source(mosquitto.uri, client_id="far", topic="full/{customer_id}") + bridge.to_postgres(database),
                name="far").start().wait_ready()
    far.wait_log("subscribed to ")
    sink = f'[[sink]]\nplugin = "mqtt"\nserver = "{mosquitto.uri}"\nclient_id = "out"\ntopic = "full/{{customer_id}}"\n'
    made = agent('[journal]\nmax_size = "2MiB"\n' + bridge.source(own_mosquitto.uri, 'keep_alive = "5s"') + sink)
    made.start().wait_ready()
    made.wait_log("subscribed to ")
    mosquitto.pause()
    publisher = Publisher(own_mosquitto.port, bridge.message("f"), READINGS).start()
    made.wait_log("the journal is full or cannot be written: disconnected", 60)
    mosquitto.resume()
    assert publisher.finish(120) == READINGS
    far.wait_while_running(lambda: bridge.stored(database) >= READINGS, 120, "to store all")
    assert readings.are_exactly_numbered(database, "f", READINGS)


def test_a_payload_larger_than_the_journal_goes_through_it_part_by_part(agent, own_mosquitto, postgres):
    """What waits for room holds the one thread of Paho's that makes room here: so it may not wait for long."""
    count = 40_000  # 104 bytes each in the journal
    database = postgres.new_database()
    far = agent(bridge.source(own_mosquitto.uri, client_id="far", topic="out/{customer_id}")
                + bridge.to_postgres(database), name="far").start().wait_ready()
    far.wait_log("subscribed to ")
    sink = (f'[[sink]]\nplugin = "mqtt"\nserver = "{own_mosquitto.uri}"\nclient_id = "out"\nretry_max = "1s"\n'
            'topic = "out/{customer_id}"\n')
    made = agent('[journal]\nmax_size = "2MiB"\n'
                 + bridge.source(own_mosquitto.uri, 'keep_alive = "5s"\nmax_payload = "4MiB"', subscription='each = ""')
                 .replace('pointer = "/time"', 'pointer = "/time", format = "epoch_s"') + sink)
    made.start().wait_ready()
    made.wait_log("subscribed to ")
    readings_of_one = ",".join(f'{{"time":{1_700_000_000 + i},"heart_rate":60}}' for i in range(count))
    own_mosquitto.publish("wearables/anna/hr", [f"[{readings_of_one}]"])
    made.wait_while_running(lambda: bridge.stored(database) >= count, 120, "to bring all of it through")
    assert bridge.stored(database) == count
    made.wait_while_running(lambda: made.status()["sinks"][0]["pending"] == 0, 30, "to be through")
    # What was taken is not taken again with the message.
    assert made.status()["sources"][0]["received"] == count
    assert made.terminate() == 0


def test_a_message_that_is_safe_later_than_it_may_wait_is_acknowledged_when_it_comes_again(agent, own_mosquitto,
                                                                                            tmp_path):
    """In memory mode with a sink that takes its time: neither a second row nor a second letter, and the next one comes."""
    path = tmp_path / "out.csv"
    made = agent('[journal]\nmode = "memory"\n'
                 + bridge.source(own_mosquitto.uri, 'keep_alive = "5s"', subscription='each = ""')
                 + f'[[sink]]\nplugin = "file"\npath = "{path}"\nbatch_timeout = "4s"\n')
    made.start().wait_ready()
    made.wait_log("subscribed to ")
    for second in range(2):
        one = f'{{"time":"2026-11-22T10:00:0{second}Z","heart_rate":60}}'
        own_mosquitto.publish("wearables/anna/hr", [f'[{one},{{"time":"never"}}]'])
    made.wait_while_running(lambda: made.log.count("what was received is not safe yet: disconnected") == 2, 60,
                            "to have been late with both")
    # Subscribing waits while a message is handled: so both are through.
    made.wait_while_running(lambda: made.log.count(": subscribed to ") == 2 and made.is_ready(), 60, "to be back")
    assert own_mosquitto.connections("edge-01") == 3
    assert made.terminate() == 0
    assert len(path.read_text().splitlines()) == 2
    letters = (made.data_folder / "dead-letters.jsonl").read_text().splitlines()
    assert len(letters) == 2
