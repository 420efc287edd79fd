"""The tests' grip on the agent: starting, asking, ending, and failing loudly when it is gone."""

import subprocess

import pytest

from support.metrics import Metrics

ENDLESS = """
[[source]]
plugin = "generator"
customers = 10
rate = 1000

[[sink]]
plugin = "null"
"""


def test_agent_gets_ready_tells_what_it_does_and_drains(agent):
    running = agent(ENDLESS).start()
    running.wait_ready()
    running.wait_while_running(lambda: running.metrics().sum("hbagent_sink_delivered_total") > 100, 20, "to deliver")
    assert running.status()["agent"]
    assert 1 << 20 < running.resident_bytes() <= running.peak_resident_bytes() < 1 << 30
    assert running.terminate() == 0


def test_agent_that_is_killed_starts_again_in_the_same_folder(agent):
    running = agent(ENDLESS).start().wait_ready()
    first = running.pid
    assert running.kill() == -9
    running.start().wait_ready()
    assert running.pid != first


def test_waiting_for_an_agent_that_has_ended_fails_at_once_with_its_log(agent):
    wrong = agent('[[source]]\nplugin = "no-such-plugin"\n').start()
    assert wrong.wait() == 2
    with pytest.raises(AssertionError, match="no-such-plugin"):
        wrong.wait_ready(timeout=3600)


def test_metrics_are_what_promtool_accepts(agent):
    running = agent(ENDLESS).start().wait_ready()
    subprocess.run(["promtool", "check", "metrics"], input=running.metrics().text, text=True, check=True)


def test_metrics_are_read_with_labels_and_escapes():
    metrics = Metrics('# TYPE a counter\na{x="1",y="say \\"hi\\" \\\\ there"} 2\na{x="2",y=""} 3.5\nb 7e3\n')
    assert metrics.value("a", x="1") == 2
    assert metrics.select("a", x="1") == [({"x": "1", "y": 'say "hi" \\ there'}, 2.0)]
    assert metrics.sum("a") == 5.5
    assert metrics.value("b") == 7000
    assert metrics.sum("absent") == 0
    with pytest.raises(AssertionError, match="2 samples"):
        metrics.value("a")
    with pytest.raises(AssertionError, match="not a sample"):
        Metrics("a b c\n")
