"""The pipeline's two ends as configurations, and the questions that every end-to-end test asks of them."""

import csv
import decimal
import pathlib
import re

SERIES = pathlib.Path(__file__).resolve().parents[1] / "data" / "series"


def kafka_sink(kafka, topic, more=""):
    return f"""
[[sink]]
plugin = "kafka"
brokers = "{kafka.brokers}"
topic = "{topic}"
{more}
"""


def consumer(kafka, topic, database, source="", sink="", processors='[[processor]]\nplugin = "validate"'):
    """Kafka -> PostgreSQL. Kafka is its disk: offsets are committed when the rows are stored."""
    return f"""
[journal]
mode = "memory"
[[source]]
plugin = "kafka"
brokers = "{kafka.brokers}"
topics = ["{topic}"]
group_id = "group-{topic}"
retry_max = "2s"
{source}
{processors}
[[sink]]
plugin = "postgres"
uri = "{database.uri}"
retry_max = "2s"
{sink}
"""


def generator(count, more="", customers=200, start="2026-01-01T00:00:00Z"):
    return f"""
[[source]]
plugin = "generator"
customers = {customers}
count = {count}
start = "{start}"
{more}
[[processor]]
plugin = "validate"
"""


def assert_balanced(status):
    """Both equations of the ledger, computed here from the terms and not taken from the agent's word."""
    for source in status["sources"]:
        out = source["journaled"] + sum(sum(source[term].values())
                                        for term in ("discarded", "dead_lettered", "removed"))
        assert source["received"] + source["added"] == out, source
        assert source["balanced"]
    for sink in status["sinks"]:
        out = (sink["delivered"] + sink["filtered"] + sum(sink["rejected"].values()) + sink["dropped"]
               + sink["pending"])
        assert sink["journaled"] == out, sink
        assert sink["balanced"]
    return status


def rows(database, columns="customer_id, time, heart_rate"):
    return database.execute(f"SELECT {columns} FROM heartbeats ORDER BY customer_id, time")


def row_count(database):
    return database.value("SELECT count(*) FROM heartbeats")


def series_rows():
    """What the recorded series must become: (customer, time text, heart rate), the first of a time winning."""
    expected = {}
    for file in sorted(SERIES.glob("*.csv")):
        with open(file, newline="") as lines:
            for line in csv.DictReader(lines):
                rate = int(decimal.Decimal(line["heart_rate"]).quantize(0, decimal.ROUND_HALF_EVEN))
                if rate > 0:
                    expected.setdefault((file.stem, line["time"]), rate)
    return expected


def ended(agent, timeout):
    """Waits for the end of an agent that ends by itself; fails with its log when it does not end well."""
    code = agent.wait(timeout)
    assert code == 0, f"exit code {code}:\n{agent.log_tail()}"


def final_ledger(agent):
    """What an agent that has ended said of each source and sink in its last lines: {component: {term: count}}."""
    ledger = {}
    for component, text in re.findall(r"((?:source|sink)/\S+): ((?:received|delivered) .*)", agent.log):
        terms = re.sub(r" \(.*?\)", "", text)
        ledger[component] = {term: int(number.replace(",", ""))
                             for term, number in re.findall(r"([a-z-]+) ([\d,]*\d)", terms)}
    return ledger
