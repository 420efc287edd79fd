"""The alert rules' queries and thresholds on readings of this moment, from the pipeline."""

import datetime

import pytest

from . import conftest, provisioned, story

COMPARE = {"gt": lambda value, params: value > params[0],
           "outside_range": lambda value, params: not params[0] <= value <= params[1]}


def wide(rows):
    """{label value: [its value at each time]} of a query's rows, as LongToWide of Grafana's plugin SDK makes it: a row
    of each time, None where a series has no value then."""
    series = {}
    times = []
    for row in rows:
        if not times or row["time"] > times[-1]:
            times.append(row["time"])
            for values in series.values():
                values.append(None)
        if row["time"] < times[-1]:
            raise ValueError("long series must be sorted ascending by time to be converted")
        (value,) = [value for name, value in row.items() if name not in ("time", "customer_id")]
        series.setdefault(row.get("customer_id"), [None] * len(times))[-1] = value
    return series


def firing(reader, uid):
    """{label value: the value} of what fires, by the rule's own steps: query, last value of each series, threshold."""
    (rule,) = [rule for rule in provisioned.alert_rules() if rule["uid"] == uid]
    query, reduce, threshold = (step["model"] for step in rule["data"])
    assert reduce["reducer"] == "last"
    (condition,) = threshold["conditions"]
    evaluator = condition["evaluator"]
    now = datetime.datetime.now(datetime.timezone.utc)
    # The range does not matter: these queries have their own.
    rows = reader.rows(provisioned.macros.expand(query["rawSql"], now, now))
    # "last" is the value of the last row, not the last value that there is; without one nothing fires.
    last = {label: values[-1] for label, values in wide(rows).items()}
    return {label: value for label, value in last.items()
            if value is not None and COMPARE[evaluator["type"]](value, evaluator["params"])}


def test_rows_become_series_as_grafana_makes_them():
    rows = [{"time": 1, "customer_id": "a", "heart_rate": 180}, {"time": 1, "customer_id": "b", "heart_rate": 30},
            {"time": 2, "customer_id": "c", "heart_rate": 190}]
    assert wide(rows) == {"a": [180, None], "b": [30, None], "c": [None, 190]}
    with pytest.raises(ValueError, match="sorted"):
        wide(reversed(rows))


@pytest.fixture
def now_stored(postgres, reader, tmp_path):
    """stored(rows of (customer, seconds ago, rate, flags)) -> a reader of a database that holds them."""
    def stored(rows):
        database = postgres.new_database()
        conftest.make_role(database)
        now = datetime.datetime.now(datetime.timezone.utc)
        lines = [f"{customer},{story.iso(now - ago * story.SECOND)},{rate},{flags}\n"
                 for customer, ago, rate, flags in rows]
        (tmp_path / "now.csv").write_text("customer_id,time,heart_rate,flags\n" + "".join(lines))
        conftest.run_agent(story.file_to_postgres(tmp_path / "now.csv", database), tmp_path / "agent")
        return reader(database)
    return stored


def test_silence_fires_after_a_minute_and_where_nothing_is_stored(empty, now_stored):
    assert firing(empty, "hbagent-silent") == {None: -1}
    assert firing(now_stored([("a", 5, 70, "")]), "hbagent-silent") == {}
    silent = firing(now_stored([("a", 90, 70, "")]), "hbagent-silent")
    assert 90 <= silent[None] < 110


def test_a_clock_that_is_ahead_is_not_silence(now_stored):
    reader = now_stored([("ahead", -60, 70, "")])
    assert reader.rows("SELECT time > now() AT TIME ZONE 'UTC' AS ahead FROM heartrate_data") == [{"ahead": True}]
    assert firing(reader, "hbagent-silent") == {}


def test_customers_out_of_their_limits_fire_one_by_one(now_stored):
    reader = now_stored([("a", 12, 180, "high"), ("a", 10, 190, "high|jump"), ("b", 8, 30, "low"), ("c", 7, 70, ""),
                         ("d", 6, 90, "jump"), ("e", 300, 200, "high")])
    assert firing(reader, "hbagent-customer") == {"a": 190, "b": 30}


def test_a_flood_of_flags_stays_a_hundred_alerts(now_stored):
    reader = now_stored([(f"customer-{i:03}", 10 - i / 100, 180, "high") for i in range(150)])
    assert set(firing(reader, "hbagent-customer")) == {f"customer-{i:03}" for i in range(50, 150)}


def test_late_readings_fire_by_their_average(postgres, reader, now_stored):
    on_time = now_stored([("a", 2, 70, "")])
    assert firing(on_time, "hbagent-lag") == {}
    # No source can make a reading of these seconds that was received 40 s later: the owner says that it was.
    on_time.database.execute("UPDATE heartbeats SET time = now() - interval '1 s', received_at = now() + interval '40 s'")
    assert firing(on_time, "hbagent-lag") == {None: pytest.approx(41)}
