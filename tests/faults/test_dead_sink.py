"""One dead sink under load: the other one's throughput and delay stay, memory stays, and the journal keeps its bound.

Each run has its own reference: the same load without the dead sink. HBAGENT_FAULT_LOAD is how long the load lasts, in
seconds (default 8).
"""

import dataclasses
import os
import statistics
import time

import pytest

from e2e import pipeline
from support import processes
from support.waiting import wait_until

from .proxy import Proxy
from .workload import complaints

LOAD = float(os.environ.get("HBAGENT_FAULT_LOAD", "8"))
MIB = 1 << 20
INTERVAL_US = 10_000  # of 200 customers: 20,000 readings a second
SECOND = 20_000       # readings
CURSOR_FILE = 8192    # bytes on disk
STOP = 60             # seconds that a stop may take, for it delivers what the journal holds


def config(database, journal, second="", speed="realtime"):
    return f"""
[journal]
{journal}
[[source]]
plugin = "generator"
customers = 200
interval = "{INTERVAL_US}us"
start = "2026-01-01T00:00:00Z"
speed = "{speed}"
resume = true
[[sink]]
plugin = "postgres"
name = "live"
uri = "{database.uri}"
{second}"""


def second_sink(uri):
    return f'[[sink]]\nplugin = "postgres"\nname = "dead"\nuri = "{uri}"\nretry_max = "1s"\n'


def uri_at(port, database):
    """The address of a database behind a proxy that is still to come: until then, connections are refused at once."""
    return f"postgresql://hbagent:hbagent@127.0.0.1:{port}/{database.name}"


def bytes_on_disk(agent):
    while True:
        try:
            return sum(file.stat().st_blocks * 512 for file in (agent.data_folder / "journal").iterdir())
        except FileNotFoundError:  # renamed since it was listed: a segment is used again
            continue


def sink(status, name):
    (found,) = [each for each in status["sinks"] if each["name"] == name]
    return found


@dataclasses.dataclass
class Load:
    rate: float        # readings a second that the live sink delivered
    delay: float       # seconds from receipt to delivery, median
    slow_delay: float  # ... of which one in twenty was longer
    grown: int         # resident memory at the end less that after a quarter of the time, bytes
    most_on_disk: int  # bytes of the journal's folder

    def __str__(self):
        return (f"{self.rate:,.0f} readings/s, delay {self.delay * 1e3:.1f} ms (95 %: {self.slow_delay * 1e3:.1f} ms), "
                f"memory {self.grown / MIB:+.1f} MiB, journal at most {self.most_on_disk / MIB:.1f} MiB")


def load(agent, seconds):
    """Watches an agent under load for so long: the time is the subject here."""
    wait_until(lambda: sink(agent.status(), "live")["delivered"] > 0, 30, "the live sink to deliver")
    before = sink(agent.status(), "live")["delivered"]
    begin = time.monotonic()
    delays, memory, disk = [], [], []
    while time.monotonic() < begin + seconds:
        delays.append(agent.metrics().value("hbagent_sink_delay_seconds", sink="live"))
        memory.append(agent.resident_bytes())
        disk.append(bytes_on_disk(agent))
        time.sleep(0.1)
    rate = (sink(agent.status(), "live")["delivered"] - before) / (time.monotonic() - begin)
    tenth = max(1, len(memory) // 10)
    quarter = len(memory) // 4
    grown = statistics.median(memory[-tenth:]) - statistics.median(memory[quarter:quarter + tenth])
    return Load(rate, statistics.median(delays), statistics.quantiles(delays, n=20)[-1], int(grown), max(disk))


def assert_unbroken(database, count):
    """So many rows, each customer's one cadence apart: nothing is missing in between, and the key rules out doubles."""
    assert pipeline.row_count(database) == count
    assert database.execute(
        "SELECT customer_id, gap FROM (SELECT customer_id, (extract(epoch FROM time - lag(time) OVER "
        "(PARTITION BY customer_id ORDER BY time)) * 1000000)::bigint AS gap FROM heartbeats) AS steps "
        "WHERE gap <> %s LIMIT 3", (INTERVAL_US,)) == []


@pytest.mark.parametrize("when_full, max_size", [("block", 1024 * MIB), ("drop_oldest", 6 * MIB)])
def test_a_dead_sink_changes_nothing_for_the_other(agent, postgres, when_full, max_size):
    journal = f'when_full = "{when_full}"\nmax_size = "{max_size}B"'
    alone = agent(config(postgres.new_database(), journal), "alone").start()
    reference = load(alone, LOAD / 2)
    assert alone.terminate() == 0, alone.log_tail()

    database, late_database = postgres.new_database(), postgres.new_database()
    port = processes.free_port()
    writer = agent(config(database, journal, second_sink(uri_at(port, late_database))), "beside-a-dead-one").start()
    beside = load(writer, LOAD)
    status = pipeline.assert_balanced(writer.status())
    live, dead = sink(status, "live"), sink(status, "dead")
    print(f"\nwhen_full = {when_full}\nalone:               {reference}\nbeside a dead sink:  {beside}\n"
          f"the dead sink: {dead['pending']:,} pending, {dead['dropped']:,} dropped")
    assert beside.rate > 0.7 * reference.rate
    assert beside.delay < 2 * reference.delay + 0.05 and beside.slow_delay < 2 * reference.slow_delay + 0.5
    assert beside.grown < 4 * MIB, "what waits is on disk"
    assert beside.most_on_disk <= max_size + 2 * CURSOR_FILE
    assert dead["delivered"] == 0 and live["dropped"] == 0
    assert dead["pending"] + dead["dropped"] == dead["journaled"]
    if when_full == "block":
        assert dead["dropped"] == 0
    else:
        assert dead["dropped"] > 0 and beside.most_on_disk > max_size // 2

    proxy = Proxy(postgres.port, port)  # the dead one's server is there after all
    try:
        writer.wait_while_running(lambda: sink(writer.status(), "dead")["pending"] < SECOND, 60 + LOAD,
                                  "to deliver what waited")
        assert writer.terminate() == 0, writer.log_tail()
    finally:
        proxy.close()
    ledger = pipeline.final_ledger(writer)
    assert_unbroken(database, ledger["sink/live"]["delivered"])
    assert ledger["sink/live"]["dropped"] == 0 and ledger["sink/dead"]["pending"] == 0
    assert pipeline.row_count(late_database) == ledger["sink/dead"]["delivered"]
    assert ledger["sink/dead"]["delivered"] + ledger["sink/dead"]["dropped"] == ledger["sink/live"]["delivered"]
    assert complaints(writer) == []


def test_a_full_journal_waits_within_its_bound_and_goes_on(agent, postgres, tmp_path):
    """when_full = "block", at full speed: the bound is reached in no time."""
    database, late_database = postgres.new_database(), postgres.new_database()
    port = processes.free_port()
    journal = 'when_full = "block"\nmax_size = "8MiB"'
    bound = 8 * MIB
    stop = f'[agent]\ndata_dir = "{tmp_path}/full/data"\nshutdown_timeout = "{STOP}s"\n'
    second = second_sink(uri_at(port, late_database))
    writer = agent(stop + config(database, journal, second, speed="max"), "full").start()

    def full():
        status = pipeline.assert_balanced(writer.status())
        return status["journal"]["used_bytes"] == bound and sink(status, "live")["pending"] == 0 and status
    received = writer.wait_while_running(full, 60, "to be full, with the live sink done")["sources"][0]["received"]
    before = writer.resident_bytes()
    assert status_later(writer, LOAD / 5)["sources"][0]["received"] == received
    assert bytes_on_disk(writer) <= bound + 2 * CURSOR_FILE
    assert writer.resident_bytes() - before < 4 * MIB

    proxy = Proxy(postgres.port, port)
    try:
        writer.wait_while_running(lambda: writer.status()["sources"][0]["received"] > 2 * received, 120, "to go on")
        assert bytes_on_disk(writer) <= bound + 2 * CURSOR_FILE
        assert writer.terminate(STOP) == 0, writer.log_tail()
    finally:
        proxy.close()
    ledger = pipeline.final_ledger(writer)
    assert_unbroken(database, ledger["sink/live"]["delivered"])
    assert_unbroken(late_database, ledger["sink/dead"]["delivered"])
    assert ledger["sink/live"]["dropped"] == ledger["sink/dead"]["dropped"] == 0
    assert ledger["sink/live"]["pending"] == ledger["sink/dead"]["pending"] == 0
    assert complaints(writer) == []


def status_later(agent, seconds):
    """What an agent says after so long: that nothing happens meanwhile is the subject here."""
    time.sleep(seconds)
    return agent.status()
