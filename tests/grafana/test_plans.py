"""On a table of millions of rows, as dense as 10,000 readings a second: what each query of the dashboards reads does not
grow with the table. Plans and rows are asserted; times are printed, and asserted where HBAGENT_GRAFANA_MILLISECONDS says
how many a query may take (median of five)."""

import datetime
import os
import re
import statistics
import time

import pytest

from . import filled, provisioned

QUERIES = provisioned.queries()
# Ten seconds of all customers are 100,000 readings, and five minutes of alerts 15,000; a BRIN index is as exact as its
# page ranges, and leaves out the newest ones.
MOST_ROWS = 250_000
MOST_MILLISECONDS = float(os.environ.get("HBAGENT_GRAFANA_MILLISECONDS", "inf"))
# These ask the catalogue or heartrate_data alone.
WITHOUT_HISTORY = {"heart-rates/Totals/A", "pipeline/Storage/A", "pipeline/Partitions/A", "heart-rates/$customer",
                   "pipeline/$customer", "alerting/hbagent-silent/A"}


def expanded(query):
    now = datetime.datetime.now(datetime.timezone.utc)
    return query.expanded(now - datetime.timedelta(minutes=5), now)


def nodes(plan):
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def history_scans(plan):
    """The scans of partitions that took place."""
    return [node for node in nodes(plan["Plan"])
            if node.get("Relation Name", "").startswith("heartbeats_p") and node["Actual Loops"] > 0]


def rows_read(node):
    return node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
                                   + node.get("Rows Removed by Index Recheck", 0))


def day_of(partition):
    return datetime.datetime.strptime(re.match(r"heartbeats_p(\d{8})", partition)[1], "%Y%m%d").date()


def test_the_table_is_large_and_partitioned(large):
    _, fill = large
    print(f"{fill.rows:,} rows in {fill.partitions} partitions in {fill.seconds:.0f} s")
    assert fill.rows >= filled.wanted_rows() >= 1_000_000
    assert fill.partitions > filled.OLD_DAYS


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_a_query_reads_by_index_the_partitions_of_its_range_and_no_more_rows_however_many_there_are(large, query):
    reader, _ = large
    first_day = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=6)).date()
    plan = reader.plan(expanded(query))
    scans = history_scans(plan)
    assert bool(scans) == (query.name not in WITHOUT_HISTORY)
    for node in scans:
        by_index = node["Node Type"] in ("Index Scan", "Index Only Scan", "Bitmap Heap Scan")
        assert by_index or rows_read(node) == 0, node  # a partition of the days ahead holds nothing yet
        assert day_of(node["Relation Name"]) >= first_day, "a partition of another day was read"
    assert sum(map(rows_read, scans)) <= MOST_ROWS
    if query.name in ("heart-rates/Heart rate over time/A", "heart-rates/Gaps/A"):
        assert any(node.get("Index Name", "").endswith("_pkey") and "heartbeats_p" in node["Index Name"]
                   for node in nodes(plan["Plan"]))
        assert sum(map(rows_read, scans)) <= 10 * 301, "more than the ten customers' readings"
    if query.name in ("heart-rates/Alerts over time/A", "heart-rates/Alerts/A"):
        assert sum(map(rows_read, scans)) <= 301 * filled.FLAGGED, "more than the flagged readings"


def test_what_came_in_since_the_last_vacuum_is_in_the_index_by_itself(large):
    """Else "the last ten seconds" would read a fifth of a partition: that is how much comes in between two vacuums."""
    reader, _ = large
    without = reader.database.execute(
        "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
        "JOIN pg_inherits p ON p.inhrelid = i.indrelid JOIN pg_am a ON a.oid = c.relam "
        "WHERE p.inhparent = 'heartbeats'::regclass AND a.amname = 'brin' "
        "AND NOT 'autosummarize=on' = ANY (coalesce(c.reloptions, '{}'))")
    assert without == []


def test_the_time_that_each_query_takes(large):
    reader, _ = large
    medians = {}
    for query in QUERIES:
        times = []
        for _ in range(5):
            sql = expanded(query)
            began = time.perf_counter()
            reader.rows(sql)
            times.append(1000 * (time.perf_counter() - began))
        medians[query.name] = statistics.median(times)
        print(f"{query.name:55} {medians[query.name]:7.1f} ms")
    assert max(medians.values()) < MOST_MILLISECONDS
