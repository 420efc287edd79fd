"""What the source keeps of its session: subscriptions by difference, retained messages, the status of the agent."""

import json
import os
import signal

import pytest

from faults import readings
from support.mqtt import Publisher
from support.servers import MosquittoServer
from support.waiting import wait_until

from . import bridge


def payload(second, rate=60):
    return json.dumps({"time": f"2026-11-22T10:00:{second:02}Z", "heart_rate": rate})


def letters(agent):
    path = agent.data_folder / "dead-letters.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def received(agent):
    return agent.status()["sources"][0]["received"]


def wait_received(agent, count):
    agent.wait_while_running(lambda: received(agent) == count, 20, f"to receive {count} readings")


def subscribed(agent, times=1, topic="wearables/+/hr"):
    agent.wait_while_running(lambda: agent.log.count(f": subscribed to {topic}") >= times, 20,
                             f"to subscribe to {topic}")


@pytest.mark.parametrize("version, subscribed_times, again", [("3.1.1", 2, (1, 0, 0)), ("5", 4, (0, 0, 0))])
def test_a_restart_does_not_bring_retained_messages_again(version, subscribed_times, again, agent, own_mosquitto):
    """MQTT 5 confirms its subscriptions each time, in a way that brings nothing again; 3.1.1 once, at that price."""
    own_mosquitto.publish("wearables/anna/hr", [payload(1)], retain=True)
    bridging = agent(bridge.source(own_mosquitto.uri, f'version = "{version}"') + bridge.NULL).start()
    wait_received(bridging, 1)
    for end, retained in zip((bridging.terminate, bridging.kill, bridging.terminate), again):
        end()
        bridging.start().wait_ready()
        wait_received(bridging, retained)
        own_mosquitto.publish("wearables/bert/hr", [payload(2)])
        wait_received(bridging, 1 + retained)
    assert own_mosquitto.log.count("edge-01 1 wearables/+/hr") == subscribed_times


def test_a_retained_value_without_a_time_is_discarded_and_the_next_live_one_is_not(agent, own_mosquitto):
    own_mosquitto.publish("wearables/anna/hr", ['{"heart_rate": 60}'], retain=True)
    config = bridge.source(own_mosquitto.uri).replace('time = { pointer = "/time" }', 'time = "receive"')
    bridging = agent(config + bridge.NULL).start()
    bridging.wait_while_running(
        lambda: bridging.status()["sources"][0]["discarded"] == {"retained_without_time": 1}, 20, "to discard it")
    own_mosquitto.publish("wearables/anna/hr", ['{"heart_rate": 61}'])
    bridging.wait_while_running(lambda: bridging.status()["sources"][0]["journaled"] == 1, 20, "to take the live one")
    assert letters(bridging) == []


def test_a_subscription_that_was_removed_is_taken_back(agent, own_mosquitto):
    one = bridge.source(own_mosquitto.uri, 'version = "3.1.1"')
    two = one + bridge.another_subscription("old/{customer_id}")
    bridging = agent(two + bridge.NULL).start()
    subscribed(bridging, topic="old/+")
    assert bridging.terminate() == 0
    bridging.configure(one + bridge.NULL)
    bridging.start().wait_log(r"no longer subscribed to old/\+")
    own_mosquitto.publish("old/anna", [payload(1)])
    own_mosquitto.publish("wearables/anna/hr", [payload(2)])
    wait_received(bridging, 1)
    assert letters(bridging) == []
    assert own_mosquitto.log.count("edge-01 1 wearables/+/hr") == 2, "the other one was confirmed once, being new"


def test_a_message_that_no_subscription_wants_any_more_goes_to_the_dead_letters(agent, own_mosquitto):
    """Nor the one beside a topic of ours: a level more or less is another topic."""
    for topic in ("wearables/#", "old/+"):  # of an earlier life of that session
        own_mosquitto.receive(topic, 0, client_id="edge-01")
    own_mosquitto.publish("old/anna", [payload(1)])
    own_mosquitto.publish("wearables/anna/hr/battery", ["97"])
    own_mosquitto.publish("wearables/anna/hr", [payload(2)])
    bridging = agent(bridge.source(own_mosquitto.uri, 'version = "3.1.1"') + bridge.NULL).start()
    bridging.wait_while_running(
        lambda: bridging.status()["sources"][0]["journaled"] >= 1 and len(letters(bridging)) == 2, 20, "to sort them")
    assert [(each["reason"], each["origin"]) for each in letters(bridging)] == [
        ("topic_not_mapped", "old/anna"), ("topic_not_mapped", "wearables/anna/hr/battery")]


def test_a_session_that_the_broker_lost_is_a_warning_and_is_made_again(agent, own_mosquitto):
    bridging = agent(bridge.source(own_mosquitto.uri) + bridge.NULL).start()
    subscribed(bridging)
    own_mosquitto.stop()
    os.remove(own_mosquitto.folder / "run" / "mosquitto.db")
    own_mosquitto.start()
    bridging.wait_log('warning .*the broker no longer has the session of client_id = "edge-01"')
    subscribed(bridging, times=2)
    own_mosquitto.publish("wearables/anna/hr", [payload(1)])
    wait_received(bridging, 1)


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_a_new_subscription_that_a_killed_broker_forgot_is_made_again(version, agent, own_mosquitto):
    """The broker has the session as it saved it, without what was subscribed to since."""
    one = bridge.source(own_mosquitto.uri, f'version = "{version}"')
    bridging = agent(one + bridge.NULL).start()
    subscribed(bridging)
    own_mosquitto.save()
    assert bridging.terminate() == 0
    bridging.configure(one + bridge.another_subscription("new/{customer_id}") + bridge.NULL)
    bridging.start()
    subscribed(bridging, topic="new/+")
    own_mosquitto.kill()
    own_mosquitto.start()
    bridging.wait_while_running(lambda: own_mosquitto.log.count("edge-01 1 new/+") == 2, 20, "to subscribe again")
    own_mosquitto.publish("new/anna", [payload(1)])
    wait_received(bridging, 1)


def test_a_lower_qos_than_asked_for_is_told(agent):
    broker = MosquittoServer("max_qos 0\n")
    broker.start()
    try:
        bridging = agent(bridge.source(broker.uri) + bridge.NULL).start()
        bridging.wait_log("grants the subscription to wearables/.* only QoS 0 instead of 1: what it cannot deliver")
        bridging.wait_not_ready()
        assert "only QoS 0 instead of 1" in bridging.get("/readyz")[1]
    finally:
        broker.close()


def test_the_status_topic_says_online_and_offline_however_the_agent_ends(agent, own_mosquitto):
    def status():
        (text,) = own_mosquitto.receive("agents/edge-01", 1)
        return json.loads(text)["status"]
    bridging = agent(bridge.source(own_mosquitto.uri, 'status_topic = "agents/edge-01"') + bridge.NULL)
    for end in (signal.SIGTERM, signal.SIGKILL):
        bridging.start()
        wait_until(lambda: status() == "online", 20, "the agent to say that it is there")
        bridging.send_signal(end)
        bridging.wait()
        wait_until(lambda: status() == "offline", 20, "the agent to be said to be away")


def test_a_reload_with_another_subscription_loses_nothing(agent, own_mosquitto, postgres):
    database = postgres.new_database()
    more = bridge.another_subscription("more/{customer_id}")
    status = 'status_topic = "agents/edge-01"'
    bridging = agent(bridge.source(own_mosquitto.uri, status) + bridge.to_postgres(database)).start().wait_ready()
    subscribed(bridging)
    publisher = Publisher(own_mosquitto.port, bridge.message("s"), rate=4000).start()
    for reload in range(4):
        goal = bridge.stored(database) + 1500
        bridging.wait_while_running(lambda: bridge.stored(database) >= goal, 30, "to go on")
        tables = more if reload % 2 == 0 else ""
        bridging.configure(bridge.source(own_mosquitto.uri, status, tables=tables) + bridge.to_postgres(database))
        bridging.reload()
        done = ": subscribed to more/+" if tables else "no longer subscribed to more/+"
        bridging.wait_while_running(lambda: bridging.log.count(done) == reload // 2 + 1, 30, "to reload")
    count = publisher.finish()
    bridging.wait_while_running(lambda: bridge.stored(database) >= count, 60, "to store all")
    assert readings.are_exactly_numbered(database, "s", count)
    assert letters(bridging) == []
