"""role.sql: the role reads what the dashboards need, whenever the tables were made, and changes nothing."""

import os
import subprocess

import psycopg2
import pytest

from . import conftest, provisioned

TABLES = ("heartbeats", "heartrate_data", "heartbeat_alerts", "heartbeat_unflushed", "heartbeat_schema")


def session(server, database):
    connection = psycopg2.connect(server.uri(database.name, "grafana"))
    connection.autocommit = True
    return connection


def refused(connection, sql):
    """The SQLSTATE with which the server refuses, or None."""
    with connection.cursor() as cursor:
        try:
            cursor.execute(sql)
        except psycopg2.Error as error:
            return error.pgcode
    return None


@pytest.mark.parametrize("first", ["role", "tables"])
def test_it_reads_the_tables_made_before_and_after_it(postgres, tmp_path, first):
    database = postgres.new_database()
    steps = [lambda: conftest.make_role(database), lambda: conftest.make_schema(database, tmp_path)]
    for step in steps if first == "role" else reversed(steps):
        step()
    connection = session(postgres, database)
    try:
        for table in TABLES:
            assert refused(connection, f"SELECT * FROM {table}") is None, table
    finally:
        connection.close()


def test_it_changes_nothing_even_when_it_asks_to(empty, postgres):
    connection = session(postgres, empty.database)
    try:
        assert refused(connection, "CREATE TABLE mine (i int)") == "25006"  # read-only by default
        assert refused(connection, "SET default_transaction_read_only = off") is None
        for sql in ("INSERT INTO heartbeats VALUES ('a', now(), 70)", "UPDATE heartrate_data SET heart_rate = 1",
                    "DELETE FROM heartbeats", "TRUNCATE heartbeats", "DROP TABLE heartrate_data",
                    "DELETE FROM heartbeat_unflushed", "CREATE TABLE mine (i int)", "COPY heartbeats TO '/tmp/x'",
                    "CREATE TEMPORARY TABLE mine (i int)", "CREATE ROLE another", "SET ROLE hbagent"):
            assert refused(connection, sql) == "42501", sql
    finally:
        connection.close()


def test_in_a_database_that_is_not_the_sinks_temporary_tables_stay_and_it_says_so(postgres):
    database = postgres.new_database()
    database.execute(f"ALTER DATABASE {database.name} OWNER TO postgres", superuser=True)
    assert "may make temporary tables" in conftest.make_role(database)
    connection = session(postgres, database)
    try:
        assert refused(connection, "SET default_transaction_read_only = off") is None
        assert refused(connection, "CREATE TEMPORARY TABLE mine (i int)") is None
    finally:
        connection.close()


def test_a_query_has_ten_seconds_unless_it_asks_for_more(empty, postgres):
    connection = session(postgres, empty.database)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            assert cursor.fetchone() == ("10s",)
    finally:
        connection.close()


def test_it_runs_again_without_harm_and_never_without_a_password(empty):
    conftest.make_role(empty.database)
    environment = {name: value for name, value in os.environ.items() if name != "GRAFANA_DB_PASSWORD"}
    shown = subprocess.run(["psql", "-X", "-q", "-d", empty.database.superuser_uri, "-f",
                            provisioned.FOLDER / "role.sql"], env=environment, capture_output=True, text=True)
    assert shown.returncode == 3
    assert "GRAFANA_DB_PASSWORD is not set" in shown.stderr
