"""What a sink's `backlog` promises after an outage: which readings come first, and that nothing else differs."""

import datetime

import pytest

from e2e import pipeline
from support.servers import PostgresServer

from . import readings
from .workload import complaints

CUSTOMERS = 50
STEP_US = 500  # from one reading to the next of any customer: 2,000 a second
SERIES = f'customers = {CUSTOMERS}\ninterval = "{CUSTOMERS * STEP_US}us"\nstart = "2026-01-01T00:00:00Z"'
BACKLOG = 8000  # readings: 16 batches

# Who comes when, and every step back of a customer's latest reading. The server dawdles: more readings come meanwhile.
WATCH = """
CREATE FUNCTION dawdle() RETURNS void LANGUAGE sql AS 'SELECT pg_sleep(0.1)';
CREATE TABLE arrivals (id bigint GENERATED ALWAYS AS IDENTITY, oldest timestamptz, newest timestamptz);
CREATE FUNCTION note_arrival() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO arrivals (oldest, newest) SELECT min(time), max(time) FROM fresh HAVING count(*) > 0;
  PERFORM dawdle();
  RETURN NULL;
END $$;
CREATE TRIGGER note_arrival AFTER INSERT ON heartbeats REFERENCING NEW TABLE AS fresh
  FOR EACH STATEMENT EXECUTE FUNCTION note_arrival();
CREATE TABLE steps_back (customer_id text, before timestamp, after timestamp);
CREATE FUNCTION note_step_back() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO steps_back VALUES (NEW.customer_id, OLD.time, NEW.time);
  RETURN NULL;
END $$;
CREATE TRIGGER note_step_back AFTER UPDATE ON heartrate_data
  FOR EACH ROW WHEN (NEW.time < OLD.time) EXECUTE FUNCTION note_step_back();
"""


@pytest.fixture(scope="module")
def server():
    with PostgresServer() as started:
        yield started


def time_of(number):
    return readings.START + datetime.timedelta(microseconds=number * STEP_US)


@pytest.mark.parametrize("backlog, live_comes_first", [("live_first", True), ("in_order", False)])
def test_after_an_outage_all_is_stored_once_and_live_readings_need_not_wait(backlog, live_comes_first, agent, server):
    database = server.new_database()
    writer = agent(f"""
[[source]]
plugin = "generator"
resume = true
{SERIES}
[[sink]]
plugin = "postgres"
uri = "{database.uri}"
retry_max = "100ms"
batch_size = 500
latest_interval = "10ms"
backlog = "{backlog}"
""").start()

    def sink():
        return pipeline.assert_balanced(writer.status())["sinks"][0]
    writer.wait_while_running(lambda: sink()["delivered"] > 1000, 30, "to flow")
    database.execute(WATCH)

    server.stop()
    writer.wait_while_running(lambda: sink()["pending"] > BACKLOG, 30, "to have a backlog")
    waited = sink()["journaled"]
    server.start()
    came_later = sink()["journaled"]

    def arrivals():
        return database.execute("SELECT oldest, newest FROM arrivals ORDER BY id")

    def behind_live_ones():
        """Batches of what had waited that came behind one from after the outage; None where that has not come yet."""
        live = [i for i, (oldest, _newest) in enumerate(arrivals()) if oldest >= time_of(came_later)]
        return [newest for _oldest, newest in arrivals()[live[0]:] if newest < time_of(waited)] if live else None
    writer.wait_while_running(behind_live_ones if live_comes_first else lambda: behind_live_ones() is not None, 60,
                              "to store readings from after the outage")
    database.execute("CREATE OR REPLACE FUNCTION dawdle() RETURNS void LANGUAGE sql AS ''")
    writer.wait_while_running(lambda: sink()["pending"] < 2000, 60, "to store what had waited")
    assert writer.terminate() == 0, writer.log_tail()
    assert (arrivals() == sorted(arrivals())) != live_comes_first
    assert bool(behind_live_ones()) == live_comes_first

    assert pipeline.final_ledger(writer)["sink/postgres"]["pending"] == 0
    stored = pipeline.row_count(database)
    result = readings.outcome(database, readings.generated(agent, f"{SERIES}\ncount = {stored}"))
    assert result.exact, result
    assert database.execute("SELECT * FROM steps_back") == []
    assert database.execute("SELECT customer_id, time FROM heartrate_data ORDER BY 1") == database.execute(
        "SELECT customer_id, max(time) AT TIME ZONE 'UTC' FROM heartbeats GROUP BY 1 ORDER BY 1")
    assert complaints(writer) == []
