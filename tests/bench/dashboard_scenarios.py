"""The live page with many viewers: what it costs the pipeline, its memory, and how often each viewer gets something."""

import json
import pathlib
import subprocess
import sys
import time

from measure import Row, cpu_seconds, resident_mib
from support.agent import Agent
from support.processes import free_port

VIEWERS = 200
RATE = 10_000  # readings a second, one of each customer
CONFIG = """
[journal]
mode = "memory"
[[source]]
plugin = "generator"
customers = {rate}
[[sink]]
plugin = "dashboard"
listen = "127.0.0.1:{port}"
batch_timeout = "100ms"
"""


class Span:
    """One agent that is looked at, or not, for some seconds."""

    def __init__(self, folder, seconds, viewers):
        port = free_port()
        agent = Agent(CONFIG.format(rate=RATE, port=port), folder)
        try:
            agent.start().wait_ready()
            agent.wait_while_running(lambda: self._delivered(agent) > 2 * RATE, 30, "to be under way")
            looking = self._look(port, viewers, seconds) if viewers else None
            begin, cpu, delivered = time.monotonic(), cpu_seconds(agent.pid), self._delivered(agent)
            time.sleep(min(10, seconds / 2))  # what is measured is a span of time
            self.memory_before = resident_mib(agent.pid, "VmRSS")
            time.sleep(max(0, begin + seconds - time.monotonic()))
            self.seconds = time.monotonic() - begin
            self.delivered = self._delivered(agent) - delivered
            self.cpu_seconds = cpu_seconds(agent.pid) - cpu
            self.memory_after = resident_mib(agent.pid, "VmRSS")
            self.seen = self._result(looking) if viewers else None
            assert agent.terminate() == 0, agent.log_tail()
        finally:
            agent.close()

    @staticmethod
    def _delivered(agent):
        return agent.metrics().sum("hbagent_sink_delivered_total")

    @staticmethod
    def _look(port, viewers, seconds):
        program = pathlib.Path(__file__).with_name("viewers.py")
        looking = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", sys.executable, program, str(port),
                                    str(viewers), str(seconds)], stdout=subprocess.PIPE, text=True)
        assert looking.stdout.readline() == "looking\n", "the viewers could not begin"
        return looking

    @staticmethod
    def _result(looking):
        text, _ = looking.communicate(timeout=60)
        assert looking.returncode == 0, "the viewers did not get to the end"
        return json.loads(text)


def dashboard_viewers(bench):
    """A stream of 10,000 readings a second, with nobody looking and with 200 viewers, in turn."""
    alone, looked_at = [], []
    for number in range(1 if bench.quick else 3):
        seconds = 10 if bench.quick else 60
        alone.append(Span(bench.folder / f"dashboard-alone-{number}", seconds, 0))
        looked_at.append(Span(bench.folder / f"dashboard-viewers-{number}", seconds, VIEWERS))

    def rates(spans):
        return [span.delivered / span.seconds / 1e3 for span in spans]

    def cores(spans):
        return [100 * span.cpu_seconds / span.seconds for span in spans]
    return [
        Row("live page, 200 viewers beside none", "k readings/s", rates(looked_at), rates(alone), least_ratio=0.95,
            digits=2),
        Row("the same, CPU of the agent", "% of a core", cores(looked_at), cores(alone)),
        Row("the same, CPU of the viewers", "% of a core", [100 * span.seen["cpu_seconds"] / span.seconds
                                                           for span in looked_at]),
        Row("the same, updates of the viewer that got fewest", "1/s", [span.seen["least"] for span in looked_at],
            least=1, digits=2),
        Row("the same, sent to all viewers", "MiB/s", [span.seen["bytes_per_s"] / 2**20 for span in looked_at]),
        Row("the same, resident memory at the end", "MiB", [span.memory_after for span in looked_at]),
        Row("the same, growth since the tenth second", "MiB",
            [span.memory_after - span.memory_before for span in looked_at], most=2, digits=2),
    ]
