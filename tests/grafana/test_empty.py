"""Every query on tables without a row, and the shape that Grafana needs of each."""

import datetime

import pytest

from . import provisioned

NUMBERS = {"int2", "int4", "int8", "float8", "numeric"}
NOW = datetime.datetime.now(datetime.timezone.utc)
QUERIES = provisioned.queries()
# What is shown where there is nothing: one row of zeros and blanks, or no row.
ONE_ROW = {
    "heart-rates/Totals/A": {"Readings, about": 0, "Customers": 0, "Active customers": 0},
    "heart-rates/Rate and heart rate/A": {"Readings/s": 0, "Average": None, "Minimum": None, "Maximum": None},
    "pipeline/From measured to received/A": {"Average": None, "Maximum": None, "Late": 0, "Ahead": 0},
    "pipeline/Suspect readings, time range/A": {"Clock": 0, "Jump": 0, "Flatline": 0},
}


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_every_query_answers_where_there_is_no_reading(empty, query):
    rows = empty.rows(query.expanded(NOW - datetime.timedelta(minutes=5), NOW))
    if query.name in ONE_ROW:
        assert rows == [ONE_ROW[query.name]]
    elif query.name == "heart-rates/Distribution/A":
        assert len(rows) == 21 and not any(row["Readings"] for row in rows)
    elif query.name == "pipeline/Storage/A":
        assert rows[0]["Partitions"] == 8 and rows[0]["Writers"] == 0
    elif query.name == "alerting/hbagent-silent/A":
        assert rows[0]["age"] == -1
    else:
        assert rows == []


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_every_query_has_the_columns_of_its_format(empty, query):
    columns = empty.columns(query.expanded(NOW - datetime.timedelta(minutes=5), NOW))
    if query.format == "variable":
        assert len(columns) == 1
    elif query.format == "table":
        assert not set(columns) & {"time", "metric"}, "a table's headings are for people"
    else:
        assert columns.pop("time") in {"timestamptz", "float8", "numeric"}
        texts = [name for name, type_name in columns.items() if type_name not in NUMBERS]
        assert len(texts) <= 1 and len(columns) > len(texts), columns
