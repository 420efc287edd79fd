"""A large table without an agent: the sink's own schema, filled by SQL, as dense as the pipeline is at its fastest."""

import dataclasses
import os
import time

CUSTOMERS = 10_000  # one reading a second each
OLD_DAYS = 10
AHEAD = 180  # seconds
FLAGGED = CUSTOMERS // 200  # customers in alarm at any time
OLD_ROWS = 50_000  # in each of the partitions of the days before


@dataclasses.dataclass
class Fill:
    rows: int
    partitions: int
    seconds: float  # that it took


def wanted_rows():
    """HBAGENT_GRAFANA_ROWS, in rows; a run of minutes to hours with 100_000_000."""
    return int(os.environ.get("HBAGENT_GRAFANA_ROWS", 5_000_000))


# As upkeep.cpp makes them.
_PARTITIONS = """
DO $$
DECLARE day timestamptz; name text;
BEGIN
  FOR i IN 1..{old_days} LOOP
    day := date_trunc('day', now(), 'UTC') - i * interval '24 hours';
    name := 'heartbeats_p' || to_char(day AT TIME ZONE 'UTC', 'YYYYMMDD');
    CONTINUE WHEN to_regclass(name) IS NOT NULL;
    EXECUTE format('CREATE TABLE %I (LIKE heartbeats INCLUDING ALL)', name);
    EXECUTE format('ALTER TABLE heartbeats ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, day,
                   day + interval '24 hours');
  END LOOP;
END $$
"""

_OLD = """
INSERT INTO heartbeats
SELECT 'cust_' || lpad(c::text, 5, '0'), t, 60 + c % 60, 0, t + interval '20 ms'
FROM generate_series(1, {old_days}) AS i, generate_series(0, {old_rows} / {customers} - 1) AS s,
     generate_series(0, {customers} - 1) AS c,
     LATERAL (SELECT date_trunc('day', now(), 'UTC') - i * interval '24 hours' + s * interval '1 s'
                     + c * interval '100 us' AS t) AS at
"""

# In the order in which the sink writes: a batch of one second, sorted by customer. It ends three minutes ahead of now,
# so that "the last minute" is a full one for as long as a test runs. Fifty customers are in alarm at any time, and every fiftieth customer is silent for half a minute.
_RECENT = """
INSERT INTO heartbeats
SELECT 'cust_' || lpad(c::text, 5, '0'), t, 50 + (c + s + 1000000) % 80,
       CASE WHEN (c + s) % ({customers} / {flagged}) = 0 THEN 2 ELSE 0 END, t + (5 + c % 40) * interval '1 ms'
FROM generate_series(-{seconds} + {ahead}, {ahead} - 1) AS s, generate_series(0, {customers} - 1) AS c,
     LATERAL (SELECT date_trunc('second', now()) + s * interval '1 s' + c * interval '100 us' AS t) AS at
WHERE c % 50 <> 0 OR s NOT BETWEEN -130 AND -100
"""

_LATEST = """
INSERT INTO heartrate_data
SELECT DISTINCT ON (customer_id) customer_id, heart_rate, time AT TIME ZONE 'UTC' FROM heartbeats
WHERE time >= now() - interval '1 minute'
ORDER BY customer_id, time DESC
"""


def fill(database):
    """Fills a schema that the sink has made. The statistics and the BRIN index are those of a server that has had time
    for its upkeep."""
    began = time.monotonic()
    rows = wanted_rows()
    seconds = (rows - OLD_DAYS * OLD_ROWS) // CUSTOMERS + 10
    values = {"old_days": OLD_DAYS, "old_rows": OLD_ROWS, "customers": CUSTOMERS, "seconds": seconds,
              "ahead": AHEAD, "flagged": FLAGGED}
    database.execute(_PARTITIONS.format(**values))
    database.execute("SET synchronous_commit = off; SET statement_timeout = 0; " + _OLD.format(**values))
    database.execute("SET synchronous_commit = off; " + _RECENT.format(**values))
    database.execute(_LATEST.format(**values))
    database.execute("VACUUM (ANALYZE) heartbeats")
    database.execute("VACUUM (ANALYZE) heartrate_data")
    return Fill(rows=database.value("SELECT count(*) FROM heartbeats"),
                partitions=database.value("SELECT count(*) FROM pg_inherits WHERE inhparent = 'heartbeats'::regclass"),
                seconds=time.monotonic() - began)
