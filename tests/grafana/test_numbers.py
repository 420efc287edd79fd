"""Every query of the dashboards and alert rules, as the read-only role, on what the pipeline has stored: the numbers are
those that Python computes from the rows."""

import collections
import datetime
import statistics

import pytest

from support.waiting import wait_until

from . import provisioned
from .story import SECOND

WINDOW, SERIES, GAP = 60, 10, 3
VARIABLES = {"window": str(WINDOW), "series": str(SERIES), "gap": str(GAP), "stale": "900"}
FLAGS = {"low": 1, "high": 2, "jump": 4, "flatline": 8, "clock": 16}
CHECKS = {}


def check(name):
    """Makes a function the check of the query of that name: check(rows of the query, story)."""
    def keep(function):
        assert name not in CHECKS
        CHECKS[name] = function
        return function
    return keep


def names(flags):
    return ", ".join(name for name, bit in FLAGS.items() if flags & bit)


def bucket(time, seconds):
    return int(time.timestamp() // seconds * seconds)


def lag(row):
    return (row.received - row.time) / SECOND


def chosen(story):
    return sorted({row.customer for row in story.rows})[:SERIES]


def seconds_between(a, b):
    return abs((a - b) / SECOND)


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def close(expected):
    return pytest.approx(expected, rel=1e-9, abs=1e-9)


@check("heart-rates/Totals/A")
def totals(rows, story):
    fresh = [row for row in story.latest().values() if row.time > now() - 900 * SECOND]
    assert 0 < len(fresh) < len(story.latest())
    assert rows == [{"Readings, about": len(story.rows), "Customers": len(story.latest()),
                     "Active customers": len(fresh)}]


@check("heart-rates/Rate and heart rate/A")
def rate(rows, story):
    rates = [row.rate for row in story.window(WINDOW)]
    assert rows == [{"Readings/s": close(len(rates) / WINDOW), "Average": close(statistics.mean(rates)),
                     "Minimum": min(rates), "Maximum": max(rates)}]


@check("heart-rates/Heart rate over time/A")
def over_time(rows, story):
    expected, shown = collections.defaultdict(list), chosen(story)
    for row in story.within():
        if row.customer in shown:
            expected[bucket(row.time, 5), row.customer].append(row.rate)
    assert {(row["time"], row["metric"]): row["value"] for row in rows} == {
        key: close(statistics.mean(rates)) for key, rates in expected.items()}
    assert len(rows) == len(expected) > 100


@check("heart-rates/Distribution/A")
def distribution(rows, story):
    labels = ["< 30", *map(str, range(30, 220, 10)), "≥ 220"]
    counted = collections.Counter(
        labels[0] if row.rate < 30 else labels[-1] if row.rate >= 220 else str(row.rate // 10 * 10)
        for row in story.window(WINDOW))
    assert counted["< 30"] and counted["80"]
    assert [(row["bpm from"], row["Readings"]) for row in rows] == [(label, counted[label]) for label in labels]


@check("heart-rates/Latest of each customer/A")
def latest(rows, story):
    shown = {row["Customer"]: row for row in rows}
    assert len(shown) == len(rows) == len(story.latest())
    for customer, row in story.latest().items():
        stale = row.time < now() - 900 * SECOND
        assert shown[customer]["Heart rate"] == row.rate
        assert shown[customer]["Measured"] == row.time
        assert shown[customer]["Status"] == ("stale" if stale else names(row.flags) or "ok"), customer
        assert abs(shown[customer]["Age"] - (now() - row.time) / SECOND) < 10
    ranks = [{"stale": 1, "ok": 2}.get(row["Status"], 0) for row in rows]
    assert ranks == sorted(ranks) and set(ranks) == {0, 1, 2}


@check("heart-rates/Alerts over time/A")
def alerts_over_time(rows, story):
    expected = collections.defaultdict(collections.Counter)
    for row in story.within():
        for name, bit in FLAGS.items():
            if row.flags & bit:
                expected[bucket(row.time, 5)][name] += 1
    assert {row.pop("time"): row for row in rows} == {
        time: {name: counted[name] for name in FLAGS} for time, counted in expected.items()}
    assert len(expected) > 10


@check("heart-rates/Alerts/A")
def alerts(rows, story):
    flagged = sorted((row for row in story.within() if row.flags), key=lambda row: row.customer)
    flagged.sort(key=lambda row: row.time, reverse=True)
    assert rows == [{"Measured": row.time, "Customer": row.customer, "Heart rate": row.rate, "Flags": names(row.flags)}
                    for row in flagged[:100]]
    assert rows


@check("heart-rates/Gaps/A")
def gaps(rows, story):
    expected = []
    for customer in chosen(story):
        times = [row.time for row in story.within() if row.customer == customer]
        for time, following in zip(times, [*times[1:], story.end]):
            if following - time > GAP * SECOND:
                expected.append({"Customer": customer, "From": time, "To": following,
                                 "Length": close((following - time) / SECOND)})
    expected.sort(key=lambda gap: gap["Customer"])
    expected.sort(key=lambda gap: gap["From"], reverse=True)
    assert rows == expected[:100]
    assert {gap["Customer"] for gap in expected} >= {"a-gappy", "b-slow"}


@check("pipeline/Newest reading/A")
def newest(rows, story):
    row = max(story.rows, key=lambda row: row.time)
    (shown,) = rows
    assert shown["Measured, ago"] == pytest.approx((now() - row.time) / SECOND, abs=5)
    assert shown["Received, ago"] == pytest.approx((now() - row.received) / SECOND, abs=5)


@check("pipeline/From measured to received/A")
def measured_to_received(rows, story):
    lags = [lag(row) for row in story.window(WINDOW)]
    late, ahead = sum(lag > 10 for lag in lags), sum(lag < -1 for lag in lags)
    assert late
    assert rows == [{"Average": pytest.approx(statistics.mean(lags), abs=1e-6),
                     "Maximum": pytest.approx(max(lags), abs=1e-6), "Late": late, "Ahead": ahead}]


@check("pipeline/From measured to received, over time/A")
def lag_over_time(rows, story):
    expected, shown = collections.defaultdict(list), chosen(story)
    for row in story.within():
        if row.customer in shown:
            expected[bucket(row.time, 5)].append(lag(row))
    assert [row["time"] for row in rows] == sorted(expected)
    for row in rows:
        assert row["average"] == pytest.approx(statistics.mean(expected[row["time"]]), abs=1e-6)
        assert row["maximum"] == pytest.approx(max(expected[row["time"]]), abs=1e-6)


@check("pipeline/Readings a second/A")
def measured_a_second(rows, story):
    expected = collections.Counter(bucket(row.time, 1) for row in story.window(WINDOW))
    assert [(row["time"].timestamp(), row["measured"]) for row in rows] == sorted(expected.items())


@check("pipeline/Readings a second/B")
def received_a_second(rows, story):
    expected = collections.Counter(bucket(row.received, 1) for row in story.window(WINDOW))
    assert [(row["time"].timestamp(), row["received"]) for row in rows] == sorted(expected.items())


@check("pipeline/Customers furthest behind/A")
def furthest_behind(rows, story):
    lags = collections.defaultdict(list)
    for row in story.window(WINDOW):
        lags[row.customer].append(lag(row))
    worst = sorted(lags, key=lambda customer: (-round(max(lags[customer]), 6), customer))[:20]
    assert [row["Customer"] for row in rows] == worst
    for row in rows:
        assert row["Readings"] == len(lags[row["Customer"]])
        assert row["Maximum"] == pytest.approx(max(lags[row["Customer"]]), abs=1e-6)


@check("pipeline/Suspect readings, time range/A")
def suspect(rows, story):
    counted = collections.Counter(name for row in story.within() for name, bit in FLAGS.items() if row.flags & bit)
    assert counted["jump"]
    assert rows == [{"Clock": counted["clock"], "Jump": counted["jump"], "Flatline": counted["flatline"]}]


@check("pipeline/Storage/A")
def storage(rows, story):
    days = {row.time.date() for row in story.rows}
    today = now().replace(hour=0, minute=0, second=0, microsecond=0)
    (shown,) = rows
    # Seven days ahead of today are the sink's default.
    assert shown["Partitions"] == len(days | {(today + i * 86400 * SECOND).date() for i in range(8)})
    assert shown["Room ahead"] == pytest.approx((today + 8 * 86400 * SECOND - now()) / SECOND, abs=5)
    assert shown["Writers"] == 0 and shown["Schema version"] == 1


@check("pipeline/Partitions/A")
def partitions(rows, story):
    counted = collections.Counter(row.time.strftime("heartbeats_p%Y%m%d") for row in story.rows)
    assert [(row["Partition"], row["Readings, about"]) for row in rows] == sorted(counted.items(), reverse=True)
    assert all(row["Size"] > 0 for row in rows)


@check("heart-rates/$customer")
@check("pipeline/$customer")
def customers(rows, story):
    assert [row["customer_id"] for row in rows] == sorted(story.latest())


@check("alerting/hbagent-silent/A")
def silent(rows, story):
    (shown,) = rows
    newest_time = max(row.time for row in story.rows)
    assert shown["age"] == pytest.approx((now() - newest_time) / SECOND, abs=5)


# These two look at the last seconds before now, so the rows move out of them while the tests run: test_alerts.py.
ELSEWHERE = {"alerting/hbagent-customer/A", "alerting/hbagent-lag/A"}


def test_every_query_has_its_check():
    assert set(CHECKS) | ELSEWHERE == {query.name for query in provisioned.queries()}


@pytest.mark.parametrize("name", CHECKS)
def test_the_numbers_are_those_of_the_rows(told, name):
    reader, story = told
    sql = provisioned.query(name).expanded(story.start, story.end, "5s", **{
        key: value for key, value in VARIABLES.items() if not name.startswith("alerting")})
    if "about" in sql:  # the server's running count follows when the sink's connections have ended
        wait_until(lambda: sum(row["Readings, about"] for row in reader.rows(sql)) == len(story.rows), 20,
                   f"the server to count {len(story.rows)} readings")
    CHECKS[name](reader.rows(sql), story)


SOME = ["o'hara", "b-slow"]


@pytest.mark.parametrize("name", [name for name in CHECKS if "customer:sqlstring" in provisioned.query(name).sql])
def test_chosen_customers_are_the_only_ones_that_count(told, name):
    """Also one with a quote in its name."""
    reader, story = told
    only = type(story)([row for row in story.rows if row.customer in SOME], story.start, story.end)
    sql = provisioned.query(name).expanded(story.start, story.end, "5s", **VARIABLES, customer=SOME)
    rows = reader.rows(sql)
    if name == "heart-rates/Totals/A":
        assert rows[0]["Customers"] == rows[0]["Active customers"] == 2
    elif name == "heart-rates/Latest of each customer/A":
        assert {row["Customer"]: row["Heart rate"] for row in rows} == {
            customer: row.rate for customer, row in only.latest().items()}
    elif name == "heart-rates/Gaps/A":
        assert rows and {row["Customer"] for row in rows} == {"b-slow"}
    elif name == "heart-rates/Distribution/A":
        assert sum(row["Readings"] for row in rows) == len(only.window(WINDOW))
    else:
        CHECKS[name](rows, only)
