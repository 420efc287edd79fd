"""What the pipeline is given for the dashboards to show: a generator's customers, and some with known trouble."""

import csv
import dataclasses
import datetime

SECOND = datetime.timedelta(seconds=1)
GENERATED = 30
GENERATED_SECONDS = 600


@dataclasses.dataclass(frozen=True)
class Row:
    customer: str
    time: datetime.datetime
    rate: int
    flags: int
    received: datetime.datetime


@dataclasses.dataclass
class Story:
    rows: list  # all that is stored, read as the owner
    start: datetime.datetime  # a time range that leaves something out on both sides
    end: datetime.datetime

    def between(self, start, end):
        """Rows of start <= time <= end, in order of time."""
        return sorted((row for row in self.rows if start <= row.time <= end), key=lambda row: (row.time, row.customer))

    def within(self):
        return self.between(self.start, self.end)

    def window(self, seconds):
        """The last seconds of the range, as the panels cut it: without its first moment."""
        cut = self.end - seconds * SECOND
        return [row for row in self.within() if row.time > cut]

    def latest(self):
        """{customer: its newest row}"""
        newest = {}
        for row in sorted(self.rows, key=lambda row: row.time):
            newest[row.customer] = row
        return newest


def iso(time):
    return time.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def file_to_postgres(path, database):
    return f"""
[[source]]
plugin = "file"
path = "{path}"
decoder = "csv"
[[processor]]
plugin = "validate"
clock = "receive"
[[sink]]
plugin = "postgres"
uri = "{database.uri}"
"""


def _troubled(now):
    """Customers with gaps, flags, a quote in the name, a wrong clock: (id, time, rate, flags)."""
    for second in range(GENERATED_SECONDS):
        time = now - (GENERATED_SECONDS - second) * SECOND
        if not 100 <= second < 130 and not 300 <= second < 305:
            yield "a-gappy", time, 70 + second % 7, ""
        yield "o'hara", time + SECOND / 4, 100 + second % 90, "high" if second % 90 > 80 else ""
        if second % 50 == 0:
            yield "b-slow", time + SECOND / 2, 25, "low|jump"
    yield "c-silent", now - 1200 * SECOND, 61, ""
    yield "d-frozen", now - 3 * SECOND, 230, "high|flatline"
    yield "e-clock", now + 3600 * SECOND, 66, ""  # comes in under the time of receipt, flagged


def tell(database, folder, run_agent):
    """Runs the agents and reads back what they have stored."""
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    run_agent(f"""
[[source]]
plugin = "generator"
customers = {GENERATED}
start = "{iso(now - GENERATED_SECONDS * SECOND)}"
speed = "max"
count = {GENERATED * GENERATED_SECONDS}
[[processor]]
plugin = "validate"
[[sink]]
plugin = "postgres"
uri = "{database.uri}"
""", folder / "generator")
    with open(folder / "troubled.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["customer_id", "time", "heart_rate", "flags"])
        writer.writerows((customer, iso(time), rate, flags) for customer, time, rate, flags in _troubled(now))
    run_agent(file_to_postgres(folder / "troubled.csv", database), folder / "file")
    rows = [Row(*row) for row in
            database.execute("SELECT customer_id, time, heart_rate, flags, received_at FROM heartbeats")]
    assert len({row.customer for row in rows}) == GENERATED + 6
    # Past the time of receipt of the last one, so that "now" cannot come into it.
    return Story(rows, now - 500 * SECOND, now - 2 * SECOND)
