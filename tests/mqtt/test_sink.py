"""The mqtt sink: what it publishes is what another client receives, and delivered is what the broker has confirmed."""

import json

from faults import readings
from faults.workload import complaints, live
from support.mqtt import Publisher
from support.processes import ChildProcess
from support.waiting import wait_until

from . import bridge

COUNT = 20_000


def file_source(path):
    return f'[[source]]\nplugin = "file"\npath = "{path}"\nfollow = true\npoll_interval = "20ms"\n'


def sink(server, more="", client_id="edge-01-out"):
    return (f'[[sink]]\nplugin = "mqtt"\nserver = "{server}"\nclient_id = "{client_id}"\nretry_max = "500ms"\n{more}\n')


class Subscriber:
    """mosquitto_sub with a session that outlives it, writing a line a message: topic, retained, expiry, payload."""

    def __init__(self, broker, folder, topic, client_id="reader"):
        self._process = ChildProcess("mosquitto_sub", folder / f"{client_id}.log")
        self.path = folder / f"{client_id}.out"
        with open(self.path, "ab") as output:
            self._process.spawn(["mosquitto_sub", "-V", "5", "-h", "127.0.0.1", "-p", broker.port, "-i", client_id,
                                 "-c", "-x", "3600", "-q", "1", "-t", topic, "-F", "%t\t%r\t%E\t%p"], stdout=output)
        wait_until(lambda: f"{client_id} 1 {topic}" in broker.log, 20, "mosquitto_sub to subscribe")

    def messages(self):
        """[(topic, retained, seconds to live or None, reading)] of the whole lines so far."""
        text = self.path.read_text()
        parts = [line.split("\t") for line in text[:text.rfind("\n") + 1].splitlines()]
        return [(topic, retained == "1", int(expiry) if expiry else None, json.loads(payload))
                for topic, retained, expiry, payload in parts]

    def close(self):
        self._process.kill()


def write_numbered(path, numbers):
    with open(path, "a") as file:
        file.writelines(readings.as_json("s", number) + "\n" for number in numbers)


def test_what_is_published_is_what_was_read_value_for_value(agent, own_mosquitto, tmp_path):
    path = tmp_path / "in.jsonl"
    write_numbered(path, range(2000))
    reader = Subscriber(own_mosquitto, tmp_path, "alerts/+")
    publishing = agent(file_source(path) + sink(own_mosquitto.uri, 'topic = "alerts/{customer_id}"\nretain = true\n'
                                                                   'message_expiry = "1h"')).start()
    publishing.wait_while_running(lambda: len(reader.messages()) >= 2000, 30, "to publish all")
    for number, (topic, _retained, expiry, reading) in enumerate(reader.messages()):
        assert reading == json.loads(readings.as_json("s", number)) and topic == f"alerts/{reading['customer_id']}"
        assert 3500 < expiry <= 3600
    reader.close()
    # What is kept for those who come later: the newest of each customer.
    late = Subscriber(own_mosquitto, tmp_path, "alerts/#", client_id="late")
    wait_until(lambda: len(late.messages()) == readings.CUSTOMERS, 20, "the retained messages")
    assert all(retained for _, retained, _, _ in late.messages())
    newest = [json.loads(readings.as_json("s", number)) for number in range(2000 - readings.CUSTOMERS, 2000)]
    assert sorted(reading["time"] for *_, reading in late.messages()) == sorted(each["time"] for each in newest)
    late.close()


def test_where_takes_what_is_flagged_and_an_id_that_is_no_level_of_a_topic_is_rejected(agent, own_mosquitto, tmp_path):
    path = tmp_path / "in.jsonl"
    lines = [{"customer_id": name, "time": "2026-11-22T10:00:00Z", "heart_rate": rate, "flags": flags}
             for name, rate, flags in (("anna", 60, []), ("bert", 30, ["low"]), ("c/d", 30, ["low"]),
                                       ("e+", 210, ["high"]), ("fred", 190, ["jump", "high"]))]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    reader = Subscriber(own_mosquitto, tmp_path, "heartbeats/#")
    publishing = agent(file_source(path) + sink(own_mosquitto.uri, 'where = ["low", "high"]')).start()
    status = publishing.wait_while_running(
        lambda: (each := publishing.status()["sinks"][0])["delivered"] == 2 and each["pending"] == 0 and each, 20,
        "to be through")
    assert status["filtered"] == 1 and status["rejected"] == {"bad_topic": 2}
    wait_until(lambda: len(reader.messages()) == 2, 20, "both")
    assert [(topic, reading["flags"]) for topic, _, _, reading in reader.messages()] == [
        ("heartbeats/bert", ["low"]), ("heartbeats/fred", ["high", "jump"])]
    letters = [json.loads(line) for line in (publishing.data_folder / "dead-letters.jsonl").read_text().splitlines()]
    assert [json.loads(each["payload"])["customer_id"] for each in letters] == ["c/d", "e+"]
    reader.close()


def test_a_broker_that_stops_and_starts_loses_nothing_on_the_way_through_two_agents(agent, own_mosquitto, postgres,
                                                                                    tmp_path, dice):
    """File -> agent -> broker -> agent -> PostgreSQL."""
    database, path = postgres.new_database(), tmp_path / "in.jsonl"
    write_numbered(path, range(COUNT // 2))
    second = agent(bridge.source(own_mosquitto.uri, client_id="edge-02", topic="heartbeats/{customer_id}")
                   + bridge.to_postgres(database), "second").start()
    second.wait_log("subscribed to ")
    first = agent(file_source(path) + sink(own_mosquitto.uri), "first").start()
    for part in range(3):
        goal = bridge.stored(database) + 500
        second.wait_while_running(lambda: bridge.stored(database) >= goal, 30, "to go on")
        own_mosquitto.stop()
        if part == 1:
            first.kill()
            first.start()
        live(dice.uniform(0, 0.5))
        own_mosquitto.start()
        begin = COUNT // 2 + part * COUNT // 6
        write_numbered(path, range(begin, COUNT if part == 2 else begin + COUNT // 6))
    second.wait_while_running(lambda: bridge.stored(database) >= COUNT, 60, "to store all")
    assert readings.are_exactly_numbered(database, "s", COUNT)
    assert first.terminate() == 0 and second.terminate() == 0
    assert [complaints(each) for each in (first, second)] == [[], []]


def test_source_and_sink_in_one_agent_work_on_disk_and_are_refused_in_memory(agent, own_mosquitto, tmp_path):
    """They share Paho's thread: in memory mode each message would wait for itself."""
    config = bridge.source(own_mosquitto.uri) + sink(own_mosquitto.uri)
    refused = agent('[journal]\nmode = "memory"\n' + config).start()
    assert refused.wait() == 1
    assert 'source waits for the mqtt sink, which waits for it: use mode = "disk"' in refused.log
    alone = agent('[journal]\nmode = "memory"\n' + bridge.source(own_mosquitto.uri) + bridge.NULL).start().wait_ready()
    alone.configure('[journal]\nmode = "memory"\n' + config)
    alone.reload()
    alone.wait_log("source waits for the mqtt sink, which waits for it")
    alone.kill()
    reader = Subscriber(own_mosquitto, tmp_path, "heartbeats/+")
    passing = agent(config).start()
    passing.wait_log("subscribed to ")
    assert Publisher(own_mosquitto.port, bridge.message("s"), 2000).start().finish() == 2000
    wait_until(lambda: len(reader.messages()) >= 2000, 30, "all to pass")
    assert [reading for *_, reading in reader.messages()] == [json.loads(readings.as_json("s", i)) for i in range(2000)]
    reader.close()


def test_what_the_broker_has_confirmed_is_not_published_again(agent, own_mosquitto, tmp_path):
    """A broker that stands still in the middle of a batch: at most what was on its way comes twice."""
    path, in_flight, pauses = tmp_path / "in.jsonl", 10, 3
    write_numbered(path, range(COUNT))
    reader = Subscriber(own_mosquitto, tmp_path, "heartbeats/+")
    publishing = agent(file_source(path) + sink(
        own_mosquitto.uri, f'max_in_flight = {in_flight}\nwrite_timeout = "500ms"')).start()
    for _ in range(pauses):
        goal = len(reader.messages()) + 500
        publishing.wait_while_running(lambda: len(reader.messages()) >= goal, 30, "to publish")
        told = publishing.log.count("has not confirmed all messages in write_timeout")
        own_mosquitto.pause()
        publishing.wait_while_running(
            lambda: publishing.log.count("has not confirmed all messages in write_timeout") > told, 30, "to give up")
        own_mosquitto.resume()
    publishing.wait_while_running(lambda: publishing.status()["sinks"][0]["delivered"] == COUNT, 60, "to publish all")
    wanted = {readings.as_json("s", number) for number in range(COUNT)}
    wait_until(lambda: len({json.dumps(reading) for *_, reading in reader.messages()}) == len(wanted), 30, "all")
    assert len(reader.messages()) <= COUNT + pauses * in_flight
    reader.close()
