"""What is measured. Each function returns rows of the table; rounds of the baseline and of hbagent alternate."""

import json
import os
import pathlib
import select
import shutil
import sqlite3
import subprocess
import time

from measure import Row, resident_mib, run
from support.agent import Agent, binary

GENERATOR = """
[[source]]
plugin = "generator"
customers = {customers}
start = "2026-01-01T00:00:00Z"
speed = "max"
count = {count}
"""


class Bench:
    """Sizes and places that all measurements share."""

    def __init__(self, folder, quick):
        self.folder = pathlib.Path(folder)
        self.quick = quick
        self.rounds = 2 if quick else 5
        self.null_count = 10_000_000 if quick else 100_000_000
        self.count = 100_000 if quick else 1_000_000
        self.kafka_count = 100_000 if quick else 4_000_000
        self.sqlite_count = 100_000 if quick else 2_000_000
        self.customers = 10_000
        self.starts = 5 if quick else 20
        self.journal_count = 800_000 if quick else 8_000_000
        self.emit_count = 100_000 if quick else 1_000_000
        self.mqtt_count = 16_000 if quick else 240_000
        self.latency_count = 3_000 if quick else 30_000
        self._files = 0

    def config(self, text, journal="memory"):
        """Writes a configuration with its own data folder; returns the agent's command."""
        self._files += 1
        data = self.folder / f"data-{self._files}"
        data.mkdir()
        path = self.folder / f"agent-{self._files}.toml"
        path.write_text(f'[agent]\ndata_dir = "{data}"\n[journal]\nmode = "{journal}"\n{text}')
        return [binary(), "-c", path]

    def run_agent(self, text, journal="memory"):
        return run(self.config(text, journal), self.folder / "agent.log")

    def run_program(self, name, *arguments):
        """Runs a program of this folder, which ends with a line of JSON; returns what that says."""
        log = self.folder / "program.log"
        run([binary().parent / name, *arguments], log)
        return json.loads(log.read_text().splitlines()[-1])

    def generator(self, count=None, customers=None):
        return GENERATOR.format(count=count or self.count, customers=customers or self.customers)

    def readings_file(self, count):
        """The readings as JSON lines, just as the Kafka sink writes them, made once."""
        path = self.folder / f"readings-{count}.jsonl"
        if not path.exists():
            self.run_agent(self.generator(count) + f'[[sink]]\nplugin = "file"\npath = "{path}"\n')
            with open(path, "rb") as file:
                lines = sum(1 for _ in file)
            assert lines == count, f"{path} has {lines} lines, not {count}"
        return path


def generator_to_null(bench):
    """Readings a second of CPU of the whole agent process."""
    rates = []
    for _ in range(bench.rounds):
        cost = bench.run_agent(bench.generator(bench.null_count, 1000) + '[[sink]]\nplugin = "null"\n')
        rates.append(bench.null_count / cost.cpu_seconds / 1e6)
    return [Row("generator -> null", "M readings/s a core", rates, least=20)]


# What the sink sets by default, for the baseline too.
PRODUCER_PROPERTIES = ["enable.idempotence=true", "acks=all", "compression.codec=lz4", "linger.ms=1",
                       "partitioner=murmur2_random", "log.connection.close=false",
                       "max.in.flight.requests.per.connection=1"]


def generator_to_kafka(bench, kafka):
    """The same records into new topics of the same broker: hbagent, and a loop around rd_kafka_producev.

    hbagent's clock runs from exec to exit, so it includes its start and making the readings; the baseline's begins when
    its records lie ready in memory. So many that neither's start counts for much.
    """
    count = bench.kafka_count
    path = bench.readings_file(count)
    producer = binary().parent / "bench_baseline_producer"
    rates, baseline, cpu, baseline_cpu = [], [], [], []
    bench.run_agent(bench.generator(count) + kafka_sink(kafka, kafka.new_topic(partitions=12)))  # warms the broker up
    for _ in range(bench.rounds):
        topic = kafka.new_topic(partitions=12)
        log = bench.folder / "producer.log"
        run([producer, topic, path, f"bootstrap.servers={kafka.brokers}", *PRODUCER_PROPERTIES], log)
        cost = json.loads(log.read_text().splitlines()[-1])
        assert topic.record_count() == count, f"the baseline produced {topic.record_count()} records"
        baseline.append(count / cost["wall_seconds"] / 1e3)
        baseline_cpu.append(cost["cpu_seconds"] / count * 1e6)

        topic = kafka.new_topic(partitions=12)
        cost = bench.run_agent(bench.generator(count) + kafka_sink(kafka, topic))
        assert topic.record_count() == count, f"hbagent produced {topic.record_count()} records"
        rates.append(count / cost.wall_seconds / 1e3)
        cpu.append(cost.cpu_seconds / count * 1e6)
    check_same_records(topic, path)
    return [Row("generator -> Kafka", "k readings/s", rates, baseline, least_ratio=0.9),
            Row("the same, CPU", "s/M readings", cpu, baseline_cpu, digits=2)]


def check_same_records(topic, path):
    """The comparison is fair only while both send the same bytes."""
    with open(path, "rb") as file:
        expected = {line.rstrip(b"\n") for line in file}
    for message in topic.consume(10_000):
        assert message.value() in expected, f"not a record of the baseline: {message.value()}"


def kafka_sink(kafka, topic):
    return f'[[sink]]\nplugin = "kafka"\nbrokers = "{kafka.brokers}"\ntopic = "{topic}"\n'


def kafka_source(kafka, topic, group):
    return (f'[[source]]\nplugin = "kafka"\nbrokers = "{kafka.brokers}"\ntopics = ["{topic}"]\ngroup_id = "{group}"\n'
            "exit_at_end = true\n")


def postgres_sink(database):
    return f'[[sink]]\nplugin = "postgres"\nuri = "{database.uri}"\n'


def csv_file(bench):
    """The rows in arrival order for psql, made once."""
    path = bench.folder / "readings.csv"
    if not path.exists():
        with open(bench.readings_file(bench.count), "rb") as lines, open(path, "w") as rows:
            for line in lines:
                reading = json.loads(line)
                time_text = reading["time"]
                rows.write(f'{reading["customer_id"]},{time_text},{reading["heart_rate"]},0,{time_text}\n')
    return path


def empty_tables(database):
    """The sink's schema without rows: both begin with the same partitions and the same empty indexes."""
    tables = database.execute("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND "
                              "relkind IN ('r', 'p') AND NOT relispartition AND relname <> 'heartbeat_schema'")
    database.execute("TRUNCATE " + ", ".join(name for (name,) in tables))
    database.execute("CHECKPOINT", superuser=True)


def kafka_to_postgres(bench, kafka, postgres):
    """A full topic into the sink's table, from exec to exit, beside psql's \\copy of the same rows into the same table."""
    topic = kafka.new_topic(partitions=12)
    bench.run_agent(bench.generator() + kafka_sink(kafka, topic))
    database = postgres.new_database()
    bench.run_agent(kafka_source(kafka, topic, "schema") + postgres_sink(database))  # makes the tables and partitions
    rows = csv_file(bench)
    copy = f"\\copy heartbeats (customer_id, time, heart_rate, flags, received_at) FROM '{rows}' (FORMAT csv)"

    rates, baseline, cpu, baseline_cpu, memory = [], [], [], [], []
    for number in range(bench.rounds):
        empty_tables(database)
        cost = run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", database.uri, "-c", copy],
                   bench.folder / "psql.log")
        check_rows(bench, database)
        baseline.append(bench.count / cost.wall_seconds / 1e3)
        baseline_cpu.append(cost.cpu_seconds / bench.count * 1e6)

        empty_tables(database)
        cost = bench.run_agent(kafka_source(kafka, topic, f"round-{number}") + postgres_sink(database))
        check_rows(bench, database)
        rates.append(bench.count / cost.wall_seconds / 1e3)
        cpu.append(cost.cpu_seconds / bench.count * 1e6)
        memory.append(cost.peak_resident_mib)
    return [Row("Kafka -> PostgreSQL, beside psql \\copy", "k readings/s", rates, baseline, least_ratio=1.0),
            Row("the same, CPU of the client", "s/M readings", cpu, baseline_cpu, digits=2),
            Row("the same, peak resident memory", "MiB", memory, most=64)]


def check_rows(bench, database):
    count = database.value("SELECT count(*) FROM heartbeats")
    assert count == bench.count, f"{count} rows, not {bench.count}"


SQLITE_BATCH = 20_000  # readings in a transaction: the sink's own batch_size


def sqlite_sink(path, synchronous):
    return f'[[sink]]\nplugin = "sqlite"\npath = "{path}"\nsynchronous = "{synchronous}"\n'


def generator_to_sqlite(bench):
    """Rows into a new file with the sink's tables: hbagent from exec to exit, and a loop around one prepared INSERT.

    Both begin with a copy of the same empty file, in the same folder, on the disk.
    """
    count = bench.sqlite_count
    empty, path = bench.folder / "empty.db", bench.folder / "heartbeats.db"
    bench.run_agent(bench.generator(1) + sqlite_sink(empty, "full"))
    connection = sqlite3.connect(empty)
    connection.executescript("DELETE FROM heartbeats; DELETE FROM heartrate_data; PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    rows = []
    for synchronous in ("full", "normal"):
        rates, baseline, cpu, baseline_cpu = [], [], [], []
        for _ in range(bench.rounds):
            shutil.copy(empty, path)
            cost = bench.run_program("bench_baseline_sqlite", path, count, bench.customers, SQLITE_BATCH, synchronous)
            check_sqlite_rows(path, count)
            baseline.append(count / cost["wall_seconds"] / 1e3)
            baseline_cpu.append(cost["cpu_seconds"] / count * 1e6)

            shutil.copy(empty, path)
            cost = bench.run_agent(bench.generator(count) + sqlite_sink(path, synchronous))
            check_sqlite_rows(path, count)
            rates.append(count / cost.wall_seconds / 1e3)
            cpu.append(cost.cpu_seconds / count * 1e6)
        rows.append(Row(f"generator -> SQLite, synchronous = {synchronous}", "k readings/s", rates, baseline,
                        least_ratio=0.7))
        rows.append(Row("the same, CPU", "s/M readings", cpu, baseline_cpu, digits=2))
    return rows


def check_sqlite_rows(path, count):
    """Counts, and deletes the file."""
    connection = sqlite3.connect(path)
    ((rows,),) = connection.execute("SELECT count(*) FROM heartbeats").fetchall()
    connection.close()
    assert rows == count, f"{rows} rows, not {count}"
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


JOURNAL_BATCH = 4096           # readings: what the agent hands over at once of a larger emit
SYNCED_CHUNK = 64 * 1024 ** 2  # bytes: large, so that the baseline is what the disk can do
FRAME_OF_ONE = 104             # bytes that the journal writes for one reading


def journal_append(bench):
    """Durable appends with group sync, beside the same bytes written and synced by a loop around pwrite.

    Both write into preallocated files in the same folder, blocks of the same size; neither counts the deletion.
    """
    rates, baseline, cpu, baseline_cpu = [], [], [], []
    folder, file = bench.folder / "journal", bench.folder / "baseline"
    # A virtual machine gets its memory when it touches it first: neither side is to pay for that.
    bench.run_program("bench_baseline_write", file, 2 * bench.journal_count * 65, 1 << 20, SYNCED_CHUNK)
    file.unlink()
    for _ in range(bench.rounds):
        cost = bench.run_program("bench_journal_append", folder, bench.journal_count, JOURNAL_BATCH)
        shutil.rmtree(folder)
        size = cost["bytes"]
        rates.append(size / cost["wall_seconds"] / 2**20)
        cpu.append(cost["cpu_seconds"] / size * 2**30)
        block = JOURNAL_BATCH * size // bench.journal_count
        cost = bench.run_program("bench_baseline_write", file, size, block, SYNCED_CHUNK)
        file.unlink()
        baseline.append(size / cost["wall_seconds"] / 2**20)
        baseline_cpu.append(cost["cpu_seconds"] / size * 2**30)
    return [Row("durable append, beside write + fdatasync", "MiB/s", rates, baseline, least_ratio=0.8, digits=0),
            Row("the same, CPU", "s/GiB", cpu, baseline_cpu, digits=2)]


def emit_of_one(bench):
    """CPU time of the source's thread for readings emitted one by one, with the journal on disk and a sink at work."""
    folder = binary().parent.parent / "lib/hbagent/bench-plugins"
    cpu, alone = [], []
    for _ in range(bench.rounds):
        result = bench.folder / "emit.json"
        command = bench.config(f'[[source]]\nplugin = "single"\ncount = {bench.emit_count}\nresult = "{result}"\n'
                               '[[sink]]\nplugin = "null"\n', journal="disk")
        run([*command, "--plugin-dir", folder], bench.folder / "agent.log")
        cpu.append(json.loads(result.read_text())["cpu_seconds"] / bench.emit_count * 1e6)
        result.unlink()
        file = bench.folder / "baseline"
        cost = bench.run_program("bench_baseline_write", file, bench.emit_count * FRAME_OF_ONE, FRAME_OF_ONE,
                                 SYNCED_CHUNK)
        file.unlink()
        alone.append(cost["cpu_seconds"] / bench.emit_count * 1e6)
    return [Row("emit of one reading, CPU, beside its pwrite alone", "us", cpu, alone, most=1, digits=2)]


def generator_to_postgres(bench, postgres):
    """The whole path from exec to exit with the journal on disk, beside the same with the journal in memory."""
    database = postgres.new_database()
    text = bench.generator() + postgres_sink(database)
    bench.run_agent(text)  # makes the tables and partitions
    rates, cpu = {"memory": [], "disk": []}, {"memory": [], "disk": []}
    for _ in range(bench.rounds):
        for journal in rates:
            empty_tables(database)
            cost = bench.run_agent(text, journal)
            check_rows(bench, database)
            rates[journal].append(bench.count / cost.wall_seconds / 1e3)
            cpu[journal].append(cost.cpu_seconds / bench.count * 1e6)
    return [Row("generator -> PostgreSQL, journal on disk beside memory", "k readings/s", rates["disk"],
                rates["memory"], least_ratio=0.95),
            Row("the same, CPU", "s/M readings", cpu["disk"], cpu["memory"], digits=2)]


def idle_memory(bench, kafka, postgres):
    """Resident memory 3 s after everything is connected, with the HTTP endpoint on and nothing to do.

    Of the second pair most are pages of libcrypto, GnuTLS (through libpq), Kerberos and librdkafka: how much is not
    stands beside it.
    """
    topic = kafka.new_topic(partitions=12)
    database = postgres.new_database()
    pairs = {
        "generator -> file": '[[source]]\nplugin = "generator"\ncustomers = 1\ninterval = "1h"\n'
                             f'[[sink]]\nplugin = "file"\npath = "{bench.folder}/idle.jsonl"\n',
        "Kafka -> PostgreSQL": kafka_source(kafka, topic, "idle").replace("exit_at_end = true\n", "")
                               + postgres_sink(database),
    }
    rows = []
    for name, config in pairs.items():
        resident, own = [], []
        for number in range(bench.rounds):
            agent = Agent('[journal]\nmode = "memory"\n' + config, bench.folder / f"idle-{len(rows)}-{number}")
            try:
                agent.start().wait_ready()
                time.sleep(3)  # the idle time itself
                resident.append(resident_mib(agent.pid, "VmRSS"))
                own.append(resident_mib(agent.pid, "RssAnon"))
                assert agent.terminate() == 0, agent.log_tail()
            finally:
                agent.close()
        rows.append(Row(f"idle, {name}: resident memory", "MiB", resident, most=16))
        rows.append(Row("the same, without pages of files", "MiB", own))
    return rows


def start_to_first_reading(bench):
    """From exec to the first byte that the file sink writes to standard output."""
    config = ('[[source]]\nplugin = "generator"\ncustomers = 200\n'
              '[[sink]]\nplugin = "file"\npath = "-"\nbatch_timeout = "1ms"\n')
    values = []
    for _ in range(bench.starts):
        command = bench.config(config)
        with open(bench.folder / "start.log", "wb") as log:
            begin = time.monotonic()
            process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *map(str, command)],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
            try:
                ready = select.select([process.stdout], [], [], 10)[0]
                values.append((time.monotonic() - begin) * 1e3)
                assert ready and os.read(process.stdout.fileno(), 1) == b"{", (bench.folder / "start.log").read_text()
            finally:
                process.kill()
                process.wait()
                process.stdout.close()
    return [Row("start to first reading", "ms", values, most=50)]
