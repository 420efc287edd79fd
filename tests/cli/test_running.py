"""A running agent from outside: signals, locks, logs, and what it says about itself over HTTP."""

import json
import os
import re
import signal
import subprocess

import pytest

from support.processes import free_port

FAST = '\n[[source]]\nplugin = "generator"\ncustomers = 20\nrate = 50000.0\n'
NULL = '\n[[sink]]\nplugin = "null"\n'

# What section 2 of the design calls the ledger, as metrics.
SOURCE_TERMS = ("journaled", "discarded", "dead_lettered", "removed")
SINK_TERMS = ("delivered", "filtered", "rejected", "dropped")


IN_MEMORY = '\n[journal]\nmode = "memory"\n'


def unreachable_sink(port):
    return f'\n[[sink]]\nplugin = "postgres"\nname = "unreachable"\nhost = "127.0.0.1"\nport = {port}\n'


def delivers(running, at_least=1000):
    running.wait_while_running(lambda: running.metrics().sum("hbagent_sink_delivered_total") >= at_least, 30,
                               "to deliver")
    return running


def has_pending(running):
    running.wait_while_running(lambda: running.metrics().sum("hbagent_sink_pending_readings") > 0, 30, "to have some")
    return running


def json_log(running):
    """Every line of standard error, parsed."""
    lines = [json.loads(line) for line in running.log.splitlines()]
    for line in lines:
        assert set(line) == {"time", "level", "component", "message"}
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
        assert line["level"] in ("debug", "info", "warning", "error")
    return lines


def assert_ledger_balances(metrics):
    """The sums of section 2 hold, for every source and every sink."""
    def term(kind, name, **labels):
        return metrics.sum(f"hbagent_{kind}_{name}_total", **labels)
    sources = [labels["source"] for labels, _ in metrics.select("hbagent_source_received_total")]
    sinks = [labels["sink"] for labels, _ in metrics.select("hbagent_sink_journaled_total")]
    assert sources and sinks
    for source in sources:
        came = term("source", "received", source=source) + term("source", "added", source=source)
        assert came == sum(term("source", name, source=source) for name in SOURCE_TERMS), source
    journaled = term("source", "journaled")
    for sink in sinks:
        assert term("sink", "journaled", sink=sink) == journaled
        pending = metrics.value("hbagent_sink_pending_readings", sink=sink)
        assert journaled == sum(term("sink", name, sink=sink) for name in SINK_TERMS) + pending, sink


def test_agent_that_has_read_everything_ends_with_0(agent):
    running = agent('[[source]]\nplugin = "generator"\nspeed = "max"\ncount = 5000\n' + NULL).start()
    assert running.wait() == 0
    assert "delivered 5,000" in running.log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_signal_drains_and_ends_with_0(number, agent, tmp_path):
    readings = tmp_path / "readings.jsonl"
    running = delivers(agent(FAST + f'\n[[sink]]\nplugin = "file"\npath = "{readings}"\n').start())
    running.send_signal(number)
    assert running.wait() == 0, running.log
    journaled = int(re.search(r"journaled ([\d,]+)", running.log).group(1).replace(",", ""))
    assert len(readings.read_text().splitlines()) == journaled
    assert "pending 0" in running.log


def test_stop_gives_up_after_shutdown_timeout_and_says_what_is_left(agent, tmp_path):
    running = agent(FAST + unreachable_sink(free_port()) + IN_MEMORY
                    + f'[agent]\nshutdown_timeout = "300ms"\ndata_dir = "{tmp_path}/data"\n').start()
    has_pending(running)
    assert running.terminate() == 1
    assert re.search(r"stopped with [\d,]+ readings undelivered", running.log)


def test_first_signal_after_the_sources_have_ended_still_drains(agent, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    running = agent('[[source]]\nplugin = "generator"\nspeed = "max"\ncount = 20000\n' + IN_MEMORY
                    + f'[[sink]]\nplugin = "file"\npath = "{pipe}"\nretry_max = "200ms"\n').start()
    running.wait_log(r"source/generator: finished")
    running.send_signal(signal.SIGTERM)
    running.wait_log("SIGTERM: stopping")
    with open(pipe, encoding="utf-8") as readings:  # only now somebody reads
        assert sum(1 for _ in readings) == 20_000
    assert running.wait() == 0, running.log_tail()


def test_second_signal_stops_at_once(agent, tmp_path):
    running = agent(FAST + unreachable_sink(free_port()) + IN_MEMORY
                    + f'[agent]\nshutdown_timeout = "1h"\ndata_dir = "{tmp_path}/data"\n').start()
    has_pending(running)
    running.stop_at_once()
    assert "SIGTERM: stopping; a second signal stops at once" in running.log
    assert running.wait(20) == 1


def test_what_a_dead_sink_has_not_had_waits_on_disk_and_a_stop_does_not(agent, tmp_path):
    running = agent(FAST + unreachable_sink(free_port())
                    + f'[agent]\nshutdown_timeout = "1h"\ndata_dir = "{tmp_path}/data"\n').start()
    has_pending(running)
    assert running.terminate() == 0
    left = int(re.search(r"stopped with ([\d,]+) readings undelivered: the journal keeps them", running.log)
               .group(1).replace(",", ""))
    target = tmp_path / "out.jsonl"
    again = agent(f'''
[[source]]
plugin = "generator"
count = 1
speed = "max"
[[sink]]
plugin = "file"
name = "unreachable"
path = "{target}"
[agent]
data_dir = "{tmp_path}/data"
''').start()
    assert again.wait() == 0
    assert len(target.read_text().splitlines()) == left + 1


def test_a_clean_end_leaves_nothing_to_read_again(agent, tmp_path):
    lines = tmp_path / "in.csv"
    lines.write_text("customer_id,time,heart_rate\n"
                     + "".join(f"c{n % 9},2026-01-01T{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}Z,70\n"
                               for n in range(20_000)))
    out = tmp_path / "out.jsonl"
    config = (f'[agent]\ndata_dir = "{tmp_path}/data"\n[[source]]\nplugin = "file"\npath = "{lines}"\n'
              f'[[sink]]\nplugin = "file"\nname = "out"\npath = "{out}"\n')
    for _ in range(8):
        assert agent(config).start().wait() == 0
        assert len(out.read_text().splitlines()) == 20_000


def test_two_agents_never_share_a_data_dir(agent, tmp_path):
    config = FAST + NULL + f'[agent]\ndata_dir = "{tmp_path}/shared"\n'
    first = agent(config).start().wait_ready()
    second = agent(config).start()
    assert second.wait() == 2
    assert f'another hbagent uses data_dir "{tmp_path}/shared"; stop it, or give this one its own' in second.log
    assert first.running and first.is_ready()

    first.kill()  # the lock goes with the process, however it ends
    second.start().wait_ready()
    assert second.terminate() == 0


def test_port_that_is_taken_ends_the_start_with_2(agent):
    first = agent(FAST + NULL).start().wait_ready()
    second = agent(FAST + NULL + f'[http]\nlisten = "127.0.0.1:{first.http_port}"\n').start()
    assert second.wait() == 2
    assert f"[http] cannot listen on 127.0.0.1:{first.http_port}: Address already in use" in second.log


def test_data_dir_that_cannot_be_made_ends_the_start_with_2(agent):
    refused = agent(FAST + NULL + '[agent]\ndata_dir = "/proc/no/such"\n').start()
    assert refused.wait() == 2
    assert 'data_dir "/proc/no/such" cannot be used' in refused.log


def test_json_log_is_one_object_a_line_through_failures_and_the_end(agent, tmp_path):
    running = agent(FAST + unreachable_sink(free_port()) + NULL + IN_MEMORY
                    + f'[agent]\nshutdown_timeout = "100ms"\ndata_dir = "{tmp_path}/data"\n',
                    arguments=["--log-format", "json", "--log-level", "debug"]).start()
    running.wait_log(r'sink/unreachable","message":"[^\n]*trying again')
    running.send_signal(signal.SIGHUP)
    running.wait_log("SIGHUP")
    has_pending(running)
    assert running.terminate() == 1
    lines = json_log(running)
    assert {line["level"] for line in lines} >= {"info", "warning"}
    assert {line["component"] for line in lines} >= {"agent", "source/generator", "sink/unreachable", "sink/null"}


def test_log_level_leaves_out_what_is_less_severe(agent):
    running = agent('[[source]]\nplugin = "generator"\nspeed = "max"\ncount = 5\n' + NULL,
                    arguments=["--log-level", "error"]).start()
    assert running.wait() == 0
    assert running.log == ""


def test_endpoints_answer(agent):
    running = agent(FAST + NULL).start().wait_ready()
    assert running.get("/healthz") == (200, "alive\n")
    assert running.get("/readyz") == (200, "ready\n")
    assert running.get("/nowhere")[0] == 404
    status = running.status()
    assert status["agent"] == running.name and status["ready"] is True
    assert [each["name"] for each in status["sources"]] == ["generator"]
    assert status["sources"][0]["state"] == "up" and status["sources"][0]["balanced"] is True
    assert status["sinks"][0]["plugin"] == "null" and status["sinks"][0]["balanced"] is True


def test_readyz_says_who_is_not_ready_while_healthz_stays_good(agent):
    port = free_port()
    running = agent(FAST + NULL + unreachable_sink(port)).start()
    running.wait_while_running(
        lambda: re.fullmatch(rf"sink unreachable is down: .*{port}.*\n", running.get("/readyz")[1]), 30, "to say who")
    assert running.get("/readyz")[0] == 503
    assert running.get("/healthz")[0] == 200
    metrics = running.metrics()
    assert metrics.value("hbagent_ready") == 0
    assert metrics.value("hbagent_instance_up", name="unreachable") == 0
    assert metrics.value("hbagent_instance_up", name="null") == 1
    assert metrics.value("hbagent_instance_retries_total", name="unreachable") >= 1
    status = {each["name"]: each for each in running.status()["sinks"]}
    assert status["unreachable"]["state"] == "down" and str(port) in status["unreachable"]["last_error"]


def test_every_term_of_the_ledger_is_a_metric_and_the_sums_balance(agent, tmp_path):
    """Lines of every kind: 5 good (one of them above 300, which validate rejects), 2 broken, 1 without contact."""
    lines = [json.dumps({"customer_id": "anna", "time": f"2026-01-01T00:00:0{i}Z", "heart_rate": rate})
             for i, rate in enumerate([60, 61, 0, 62, 63])]
    lines += ["{broken", '{"customer_id":"anna","time":"yesterday","heart_rate":60}',
              '{"customer_id":"anna","time":"2026-01-01T00:00:09Z","heart_rate":301}']
    (tmp_path / "in.jsonl").write_text("\n".join(lines) + "\n")
    running = agent(f"""
[[source]]
plugin = "file"
path = "{tmp_path}/in.jsonl"
[[processor]]
plugin = "validate"
[[sink]]
plugin = "null"
[[sink]]
plugin = "null"
name = "alerts"
where = ["high"]
""" + unreachable_sink(free_port())).start()
    running.wait_while_running(lambda: running.metrics().sum("hbagent_sink_delivered_total", sink="null") == 4, 30,
                               "to deliver")
    # The source has ended and the unreachable sink keeps the agent: nothing moves any more.
    running.wait_while_running(lambda: running.metrics().sum("hbagent_sink_filtered_total", sink="alerts") == 4, 30,
                               "to filter")
    metrics = running.metrics()
    for kind, terms in (("source", ("received", "added", *SOURCE_TERMS)), ("sink", ("journaled", *SINK_TERMS))):
        for term in terms:
            assert f"# TYPE hbagent_{kind}_{term}_total counter" in metrics.text
    assert "# TYPE hbagent_sink_pending_readings gauge" in metrics.text
    assert metrics.value("hbagent_source_received_total", source="file") == 8
    assert metrics.value("hbagent_source_journaled_total", source="file") == 4
    assert metrics.sum("hbagent_source_discarded_total", source="file") == 1
    assert metrics.value("hbagent_source_dead_lettered_total", source="file", reason="out_of_range") == 1
    assert metrics.sum("hbagent_source_dead_lettered_total", source="file") == 3
    assert metrics.value("hbagent_dead_letters_written_total") == 3
    assert metrics.value("hbagent_sink_pending_readings", sink="unreachable") == 4
    assert_ledger_balances(metrics)
    subprocess.run(["promtool", "check", "metrics"], input=metrics.text, text=True, check=True)


def test_ledger_balances_in_every_scrape_while_readings_move(agent):
    running = delivers(agent(FAST + NULL + '\n[[sink]]\nplugin = "null"\nname = "alerts"\nwhere = ["high"]\n').start())
    seen = set()

    def scrape():
        metrics = running.metrics()
        assert_ledger_balances(metrics)
        seen.add(metrics.sum("hbagent_source_received_total"))
        return len(seen) >= 20
    running.wait_while_running(scrape, 60, "to move between twenty scrapes")


def test_agent_starts_again_after_kill_9_and_its_dead_letters_stay(agent, tmp_path):
    (tmp_path / "in.jsonl").write_text("{broken\n")
    running = agent(f'[[source]]\nplugin = "file"\npath = "{tmp_path}/in.jsonl"\nfollow = true\n' + NULL).start()
    running.wait_while_running(lambda: running.metrics().value("hbagent_dead_letters_written_total") == 1, 30,
                               "to keep the dead letter")
    assert running.kill() == -9
    running.start().wait_ready()
    letters = [json.loads(line) for line in (running.data_folder / "dead-letters.jsonl").read_text().splitlines()]
    assert letters and all(letter["payload"] == "{broken" for letter in letters)
    assert running.terminate() == 0
