"""One publisher that does its worst beside one that does not."""

import os
import time

from faults import readings
from support.mqtt import Publisher

from . import bridge

SECONDS = float(os.environ.get("HBAGENT_MQTT_HOSTILE_SECONDS", "5"))
GOOD = 5_000
MIB = 1 << 20
HUGE = b'{"heart_rate":60,"time":"2026-01-01T00:00:00Z","more":"' + b"x" * MIB + b'"}'
BOUND = MIB  # of the dead letters

# Not JSON, not UTF-8, no object, no rate, an impossible one, a bomb, a text for a number, a key twice, a wrong time.
MALFORMED = [b"{", b"\xff\xfe\x00", b"[]", b'{"time":"2026-01-01T00:00:00Z"}', b'{"heart_rate":1e999,"time":1}',
             b"[" * 5000, b'{"heart_rate":"sixty","time":"2026-01-01T00:00:00Z"}', b'{"heart_rate":60,"heart_rate":61}',
             b'{"heart_rate":60,"time":"yesterday"}', b"", b'{"heart_rate":NaN,"time":"2026-01-01T00:00:00Z"}']


def hostile(number):
    topic = f"wearables/evil-{number % 7}/hr"
    return (topic, HUGE) if number % 1000 == 0 else (topic, MALFORMED[number % len(MALFORMED)])


def test_a_hostile_publisher_stops_nobody_and_fills_nothing(agent, own_mosquitto, postgres):
    database = postgres.new_database()
    bridging = agent(bridge.source(own_mosquitto.uri) + bridge.to_postgres(database))
    bridging.configure(bridging.config_path.read_text().replace(
        "[agent]", f'[agent]\ndead_letter_max_size = "{BOUND // 1024}KiB"'))
    bridging.start().wait_ready()
    bridging.wait_log("subscribed to ")
    before = bridging.resident_bytes()
    evil = Publisher(own_mosquitto.port, hostile, rate=10_000, client_id="evil").start()
    good = Publisher(own_mosquitto.port, bridge.message("s"), GOOD, rate=GOOD / SECONDS, client_id="good").start()
    ready, end = [], time.monotonic() + SECONDS
    while time.monotonic() < end:
        ready.append(bridging.is_ready())
        time.sleep(0.2)  # a look now and then
    assert good.finish() == GOOD
    sent = evil.finish(120)
    bridging.wait_while_running(lambda: bridge.stored(database) >= GOOD, 120, "to store what is good")
    source = bridging.wait_while_running(
        lambda: (status := bridging.status()["sources"][0])["received"] == sent + GOOD and status, 120, "to get all")
    size = sum(path.stat().st_size for path in bridging.data_folder.glob("dead-letters.jsonl*"))
    refused = sum(source["dead_lettered"].values())
    print(f"{sent} hostile messages in {SECONDS:.0f} s, {size} bytes of dead letters, "
          f"{len(bridging.log.splitlines())} lines of log, {source['dead_lettered']}")
    assert readings.are_exactly_numbered(database, "s", GOOD)
    assert all(ready) and bridging.is_ready()
    assert refused == sent and source["dead_lettered"]["too_large"] == (sent + 999) // 1000
    assert size <= BOUND and len(bridging.log.splitlines()) < 100
    assert bridging.resident_bytes() - before < 64 * MIB
