"""Databases for Grafana's queries: empty, filled by the pipeline, and large. All as the role that role.sql makes."""

import os
import subprocess

import psycopg2
import psycopg2.extras
import pytest

from e2e.pipeline import ended
from support.agent import Agent

from . import filled, provisioned, story


class Reader:
    """A database as Grafana sees it."""

    def __init__(self, server, database):
        self.database = database
        self._connection = psycopg2.connect(server.uri(database.name, "grafana"))
        self._connection.autocommit = True

    def rows(self, sql):
        """The rows as dictionaries."""
        with self._connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            cursor.execute(sql)
            return [dict(row) for row in cursor.fetchall()]

    def columns(self, sql):
        """The columns of a query: {name: the type's name}."""
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            types = {column.name: column.type_code for column in cursor.description}
            assert len(types) == len(cursor.description), "two columns of one name"
            cursor.execute("SELECT oid, typname FROM pg_type WHERE oid = ANY (%s)", (list(types.values()),))
            names = dict(cursor.fetchall())
        return {name: names[oid] for name, oid in types.items()}

    def plan(self, sql):
        """EXPLAIN (ANALYZE) as parsed JSON."""
        with self._connection.cursor() as cursor:
            cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + sql)
            return cursor.fetchone()[0][0]

    def close(self):
        self._connection.close()


def make_role(database):
    """Runs role.sql as its head says. Returns what it said."""
    return subprocess.run(["psql", "-X", "-q", "-d", database.superuser_uri, "-f", provisioned.FOLDER / "role.sql"],
                          check=True, stderr=subprocess.PIPE, text=True,
                          env={**os.environ, "GRAFANA_DB_PASSWORD": "grafana"}).stderr


def run_agent(config, folder):
    agent = Agent(config, folder)
    try:
        ended(agent.start(), 120)
    finally:
        agent.close()


def make_schema(database, folder):
    """The sink's own tables, without a row: a pipeline whose one reading is no reading."""
    (folder / "none.csv").write_text("customer_id,time,heart_rate\nnobody,2026-01-01T00:00:00Z,0\n")
    run_agent(story.file_to_postgres(folder / "none.csv", database), folder / "schema")


@pytest.fixture(scope="session")
def reader(postgres):
    readers = []

    def make(database):
        readers.append(Reader(postgres, database))
        return readers[-1]
    yield make
    for made in readers:
        made.close()


@pytest.fixture(scope="session")
def empty(postgres, reader, tmp_path_factory):
    """A database in which the sink has made its tables, after the role was made."""
    database = postgres.new_database()
    make_role(database)
    make_schema(database, tmp_path_factory.mktemp("empty"))
    return reader(database)


@pytest.fixture(scope="session")
def told(postgres, reader, tmp_path_factory):
    """(reader, Story): a database filled by the pipeline."""
    database = postgres.new_database()
    make_role(database)
    made = story.tell(database, tmp_path_factory.mktemp("story"), run_agent)
    return reader(database), made


@pytest.fixture(scope="session")
def large(postgres, reader, tmp_path_factory):
    """(reader, Fill): a partitioned table of millions of rows. The role comes last here."""
    database = postgres.new_database()
    make_schema(database, tmp_path_factory.mktemp("large"))
    fill = filled.fill(database)
    make_role(database)
    return reader(database), fill
