"""Readings that the tests know one by one, and what became of them in PostgreSQL."""

import collections
import csv
import dataclasses
import datetime
import threading
import time

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
CUSTOMERS = 20


def microseconds(moment):
    """Since the Unix epoch, exactly."""
    return (moment - EPOCH) // datetime.timedelta(microseconds=1)


def numbered(series, number):
    """(customer, time in µs, heart rate) of the reading with this number; numbers are one millisecond apart."""
    return f"{series}-{number % CUSTOMERS:02}", microseconds(START) + number * 1000, 40 + number % 151


def as_csv(series, number):
    customer, time_us, rate = numbered(series, number)
    moment = (EPOCH + datetime.timedelta(microseconds=time_us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return f"{customer},{moment},{rate}"


def as_json(series, number):
    customer, moment, rate = as_csv(series, number).split(",")
    return f'{{"customer_id":"{customer}","time":"{moment}","heart_rate":{rate}}}'


class GrowingFile:
    """A file to which a thread appends numbered readings, in uneven bursts that also end in the middle of a line.

    `rate` is in readings a second. A line counts as written once its line end is in the file.
    """

    def __init__(self, path, series, rate, random):
        self.path = path
        self.written = 0  # numbers below it are in the file
        self.series = series
        self._rate = rate
        self._random = random
        self._csv = path.suffix == ".csv"
        self._ending = threading.Event()
        self._file = open(path, "ab", buffering=0)
        if self._csv:
            self._file.write(b"customer_id,time,heart_rate\n")
        self._thread = threading.Thread(target=self._grow)

    def start(self):
        self._thread.start()
        return self

    def finish(self):
        """Writes no more; the last line is whole."""
        self._ending.set()
        self._thread.join()
        self._file.close()

    def content(self):
        """What was written: {(customer, time): heart rate}."""
        return as_dict(numbered(self.series, number) for number in range(self.written))

    def _line(self, number):
        return (as_csv if self._csv else as_json)(self.series, number) + "\n"

    def _grow(self):
        begin = time.monotonic()
        while not self._ending.is_set():
            due = int((time.monotonic() - begin) * self._rate) - self.written
            burst = self._random.randint(0, 2 * due) if due > 0 else 0
            text = "".join(self._line(self.written + i) for i in range(burst)).encode()
            cut = self._random.randint(0, len(text))
            self._file.write(text[:cut])
            if self._random.random() < 0.3:
                self._ending.wait(self._random.random() * 0.05)
            self._file.write(text[cut:])
            self.written += burst
            self._ending.wait(0.02)


def as_dict(readings):
    return {(customer, time_us): rate for customer, time_us, rate in readings}


def generated(agent, keys):
    """What a generator with these keys (TOML lines, with a start and a count) makes, by asking it at full speed."""
    target = "generated.csv"
    maker = agent(f'[[source]]\nplugin = "generator"\nspeed = "max"\n{keys}\n'
                  f'[[sink]]\nplugin = "file"\nformat = "csv"\npath = "{target}"\n')
    path = maker.folder / target
    maker.configure(maker.config_path.read_text().replace(f'"{target}"', f'"{path}"'))
    maker.start()
    assert maker.wait(60) == 0, maker.log_tail()
    with open(path, newline="") as lines:
        return as_dict((row["customer_id"], microseconds(datetime.datetime.fromisoformat(row["time"])),
                        int(row["heart_rate"])) for row in csv.DictReader(lines))


@dataclasses.dataclass
class Outcome:
    """What the database lacks of the expected readings, has more than once, and has though nobody sent it so."""
    stored: int
    missing: list
    doubled: list
    wrong: list

    @property
    def exact(self):
        return not (self.missing or self.doubled or self.wrong)

    def __str__(self):
        def some(what, of):
            return f"{len(of)} {what}" + (f" (such as {', '.join(map(str, of[:3]))})" if of else "")
        return f"{self.stored} rows: " + ", ".join(
            [some("missing", self.missing), some("doubled", self.doubled), some("wrong", self.wrong)])


def outcome(database, expected):
    """Compares the table with {(customer, time in µs): heart rate}, reading by reading."""
    rows = database.execute("SELECT customer_id, (extract(epoch FROM time) * 1000000)::bigint, heart_rate, flags "
                            "FROM heartbeats")
    times = collections.Counter((customer, time_us) for customer, time_us, _, _ in rows)
    return Outcome(
        stored=len(rows),
        missing=sorted(expected.keys() - times.keys()),
        doubled=sorted(key for key, count in times.items() if count > 1),
        wrong=sorted(row for row in rows if row[3] != 0 or expected.get(row[:2]) != row[2]))


def are_exactly_numbered(database, series, count):
    """Whether the table holds the first `count` numbered readings and nothing else; for more than Python likes."""
    ((rows, numbers, least, most, wrong),) = database.execute("""
        SELECT count(*), count(DISTINCT number), min(number), max(number),
               count(*) FILTER (WHERE mod(number, 1) <> 0 OR heart_rate <> 40 + mod(number, 151) OR flags <> 0 OR
                                      customer_id <> %s || lpad(mod(number, %s)::bigint::text, 2, '0'))
        FROM (SELECT *, (extract(epoch FROM time) - %s) * 1000 AS number FROM heartbeats) AS numbered
        """, (series + "-", CUSTOMERS, microseconds(START) // 1_000_000))
    return (rows, numbers, least, most, wrong) == (count, count, 0, count - 1, 0)
