"""What tests do with a PostgreSQL database: run SQL and look at rows."""

import psycopg2


class Database:
    """One database; every call uses a connection of its own, so a server may come and go in between."""

    def __init__(self, server, name):
        self._server = server
        self.name = name

    @property
    def uri(self):
        """The connection string of the role hbagent, which owns the database."""
        return self._server.uri(self.name)

    @property
    def superuser_uri(self):
        return self._server.uri(self.name, "postgres")

    def connect(self, superuser=False):
        """A psycopg2 connection in autocommit mode. The caller closes it."""
        connection = psycopg2.connect(self.superuser_uri if superuser else self.uri, connect_timeout=5)
        connection.autocommit = True
        return connection

    def execute(self, sql, parameters=None, superuser=False):
        """Runs SQL; returns the rows as a list of tuples, or None for a statement without a result."""
        connection = self.connect(superuser)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, parameters)
                return cursor.fetchall() if cursor.description else None
        finally:
            connection.close()

    def value(self, sql, parameters=None):
        """The single value of a query with one row and one column."""
        ((value,),) = self.execute(sql, parameters)
        return value

    def copy_out(self, query, file):
        """Writes the rows of `query` to `file` as CSV."""
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                cursor.copy_expert(f"COPY ({query}) TO STDOUT (FORMAT csv)", file)
        finally:
            connection.close()
