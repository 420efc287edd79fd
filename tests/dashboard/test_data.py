"""What the page is told is what the readings say."""

import calendar
import collections
import json
import time

from support.processes import free_port
from support.waiting import wait_until

from .client import SINK, events, get, get_json, open_stream, snapshot

# Old times, as fast as can be: every reading goes to the slot of its arrival, so nothing leaves the window meanwhile.
FINITE = """
[[source]]
plugin = "generator"
customers = 100
start = "2026-01-01T00:00:00Z"
speed = "max"
count = 50_000
id_pattern = "cust_{:05}"
  [source.outliers]
  tachycardia = 20.0
"""
FOREVER = '[[source]]\nplugin = "generator"\ncustomers = 1\ninterval = "1h"\nname = "stays"\nid_pattern = "last_{}"\n'
LIVE = '[[source]]\nplugin = "generator"\ncustomers = 50\n'


def start(agent, config, port):
    return agent(config + SINK.format(port=port)).start().wait_ready()


def test_totals_are_those_of_a_file_with_the_same_readings(agent, tmp_path):
    port = free_port()
    path = tmp_path / "readings.jsonl"
    file_sink = f'[[sink]]\nplugin = "file"\npath = "{path}"\n'
    running = start(agent, FINITE + FOREVER + file_sink + 'batch_timeout = "50ms"\n', port)

    def all_there():
        shown = snapshot(port)["totals"]["readings"]
        return shown >= 50_000 and len(path.read_text().splitlines()) == shown and shown
    count = running.wait_while_running(all_there, 60, "to show every reading")
    shown = snapshot(port)
    stored = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(stored) == count == shown["totals"]["count"]
    rates = [one["heart_rate"] for one in stored]
    assert shown["totals"]["average"] == round(sum(rates) / count, 2)
    assert (shown["totals"]["min"], shown["totals"]["max"]) == (min(rates), max(rates))
    bins = collections.Counter(min(59, max(0, (rate - 20) // 5)) for rate in rates)
    assert shown["distribution"]["counts"] == [bins[i] for i in range(60)]
    newest = {one["customer_id"]: one["heart_rate"] for one in stored}  # in the order of each customer's times
    assert shown["totals"]["known"] == len(newest)
    listed = get_json(port, "/api/v1/customers?limit=500&sort=id")
    assert listed["matched"] == len(newest)
    assert {tile["id"]: tile["heart_rate"] for tile in listed["customers"]} == newest
    assert [tile["id"] for tile in listed["customers"]] == sorted(newest)
    some = get_json(port, "/api/v1/customers?q=T_0001&limit=3&offset=2&sort=id")
    assert some["matched"] == 10
    assert [tile["id"] for tile in some["customers"]] == [f"cust_0001{i}" for i in (2, 3, 4)]


def test_the_stream_brings_a_new_snapshot_at_each_refresh(agent):
    port = free_port()
    start(agent, LIVE, port)
    with open_stream(port) as stream:
        began = time.monotonic()
        taken = [one for one, _ in zip(events(stream), range(9))]
        seconds = time.monotonic() - began
    assert 3 < seconds < 8  # eight times 500 ms after the first, which comes at once
    assert [n for n, _ in taken] == sorted({n for n, _ in taken})
    readings = [one["totals"]["readings"] for _, one in taken]
    assert readings == sorted(readings) and readings[-1] > readings[0]
    first, last = taken[0][1], taken[-1][1]
    assert first["started_ms"] == last["started_ms"] <= first["time_ms"]
    assert len(last["wall"]) == 50 and last["totals"]["active"] == 50


def test_history_is_what_was_sent_second_by_second(agent, tmp_path):
    port = free_port()
    path = tmp_path / "readings.jsonl"
    sink = f'[[sink]]\nplugin = "file"\npath = "{path}"\nbatch_timeout = "50ms"\n'
    running = start(agent, LIVE + sink, port)
    running.wait_while_running(lambda: snapshot(port)["totals"]["readings"] > 50 * 6, 30, "to have six seconds")
    history = get_json(port, "/api/v1/history?customer=cust_00007&customer=nobody")
    known, unknown = history["series"]
    assert (known["known"], unknown["known"]) == (True, False)
    assert len(known["values"]) == len(known["flags"]) == len(unknown["values"]) == 900
    shown = {history["from_s"] + i: value for i, value in enumerate(known["values"]) if value is not None}
    assert len(shown) >= 5
    newest_shown = max(shown)

    def sent():
        found = {}
        for line in path.read_text().splitlines():
            one = json.loads(line)
            if one["customer_id"] == "cust_00007":
                at = time.strptime(one["time"][:19], "%Y-%m-%dT%H:%M:%S")
                found[calendar.timegm(at)] = one["heart_rate"]
        return found if newest_shown in found else None
    in_file = wait_until(sent, 10, "the file to have what is shown")
    assert shown == {second: rate for second, rate in in_file.items() if second <= newest_shown}
    since = get_json(port, f"/api/v1/history?customer=cust_00007&since_s={newest_shown}")
    assert since["from_s"] == newest_shown and since["series"][0]["values"][0] == shown[newest_shown]


def test_a_silent_source_shows_as_stale_and_a_wrong_parameter_is_told(agent):
    port = free_port()
    config = '[[source]]\nplugin = "generator"\ncustomers = 3\ninterval = "1h"\n' \
             'start = "2026-01-01T00:00:00Z"\nspeed = "max"\ncount = 3\n' + FOREVER
    running = agent(config + SINK.format(port=port) + 'stale_after = "1s"\n').start().wait_ready()
    running.wait_while_running(lambda: snapshot(port)["totals"]["stale"] >= 3, 20, "to show them as stale")
    shown = snapshot(port)
    assert [tile["severity"] for tile in shown["wall"][:3]] == [1, 1, 1]
    assert get_json(port, "/api/v1/customers?status=stale")["matched"] >= 3
    for path in ("customers?limit=0", "customers?status=x", "history", "history?customer=a&since_s=x", "history?x=%"):
        status, _headers, body = get(port, f"/api/v1/{path}")
        assert status == 400 and json.loads(body)["error"], path


def test_a_reload_moves_the_page_and_a_changed_option_counts(agent):
    first, second = free_port(), free_port()
    running = start(agent, LIVE, first)
    with open_stream(first) as stream:
        next(events(stream))
        running.configure(LIVE + SINK.format(port=second) + "low = 44\n")
        running.reload()
        running.wait_while_running(lambda: snapshot(second)["limits"]["low"] == 44, 20, "to serve elsewhere")
        while stream.recv(65536):  # ends when the old server has gone
            continue
    running.wait_while_running(lambda: snapshot(second)["totals"]["readings"] > 50, 20, "to show readings there")
    # The same address with another option: the new sink gets it when the old one has let go.
    running.configure(LIVE + SINK.format(port=second) + "low = 45\ntitle = 'Ward \"3\"'\n")
    running.reload()
    running.wait_while_running(lambda: snapshot(second)["limits"]["low"] == 45, 20, "to take the option")
    assert snapshot(second)["agent"] == 'Ward "3"'
    assert running.terminate() == 0


def test_two_dashboards_in_one_agent_and_a_stop_with_viewers(agent):
    ports = [free_port(), free_port()]
    both = "".join(SINK.format(port=port) + f'name = "at-{port}"\n' for port in ports)
    running = agent(LIVE + both).start().wait_ready()
    assert [snapshot(port)["agent"] for port in ports] == [f"at-{port}" for port in ports]
    viewers = [open_stream(port) for port in ports for _ in range(100)]
    try:
        for viewer in viewers:
            next(events(viewer))
        began = time.monotonic()
        assert running.terminate() == 0
        assert time.monotonic() - began < 10
    finally:
        for viewer in viewers:
            viewer.close()
