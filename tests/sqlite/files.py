"""The sink's file as another program sees it, and the agents that write it."""

import sqlite3
import subprocess

from e2e import pipeline


def sink(path, more=""):
    return f'\n[[sink]]\nplugin = "sqlite"\npath = "{path}"\nretry_max = "1s"\n{more}\n'


def generator(count, more="", **options):
    return pipeline.generator(count, more, **options)


def query(path, sql, parameters=()):
    """All rows, from a connection of its own."""
    connection = sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=10)
    try:
        return connection.execute(sql, parameters).fetchall()
    finally:
        connection.close()


def value(path, sql):
    return query(path, sql)[0][0]


def row_count(path):
    """0 while there is no table."""
    try:
        return value(path, "SELECT count(*) FROM heartbeats")
    except sqlite3.OperationalError as error:
        if "unable to open" in str(error) or "no such table" in str(error):
            return 0
        raise


def shell(path, sql):
    """What the sqlite3 shell prints."""
    result = subprocess.run(["sqlite3", path, sql], capture_output=True, text=True, timeout=30)
    assert result.returncode == 0 and not result.stderr, result.stderr
    return result.stdout


def assert_holds(path, expected):
    """{(customer, time in us): heart rate}, and nothing else; sound; the latest of each customer shown."""
    assert value(path, "PRAGMA integrity_check") == "ok"
    rows = query(path, "SELECT customer_id, time, heart_rate FROM heartbeats")
    stored = {(customer, time): rate for customer, time, rate in rows}
    missing, foreign = expected.keys() - stored.keys(), stored.keys() - expected.keys()
    assert not missing and not foreign, f"{len(missing)} missing, {len(foreign)} foreign"
    assert len(rows) == len(expected) and stored == expected
    assert value(path, "SELECT count(*) FROM heartrate_data") == len({customer for customer, _ in expected})
    assert value(path, "SELECT count(*) FROM heartrate_data d WHERE d.time <> "
                       "(SELECT max(time) FROM heartbeats h WHERE h.customer_id = d.customer_id)") == 0
