"""What is measured of the MQTT source; see scenarios.py and README.md."""

import datetime
import os
import pathlib
import subprocess
import time

from measure import Row
from scenarios import kafka_sink, postgres_sink
from support.agent import Agent
from support.waiting import wait_until

CUSTOMERS = 8
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)


def payload(when, heart_rate):
    return f'{{"time":"{when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}","heart_rate":{heart_rate}}}\n'


def payload_files(bench):
    """Of each customer one, made once: a message a line."""
    files = [bench.folder / f"payloads-{customer}" for customer in range(CUSTOMERS)]
    for customer, path in enumerate(files):
        if path.exists():
            continue
        with open(path, "w") as file:
            for number in range(bench.mqtt_count // CUSTOMERS):
                when = START + datetime.timedelta(milliseconds=number, microseconds=customer)
                file.write(payload(when, 60 + number % 90))
    return files


def publish(bench, mosquitto, topic, qos):
    """Publishes all payload files, each to TOPIC/CUSTOMER/hr; returns when the broker has them."""
    publishers = []
    for customer, path in enumerate(payload_files(bench)):
        with open(path, "rb") as lines:
            publishers.append(subprocess.Popen(
                ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(mosquitto.port), "-q", str(qos), "-l",
                 "-t", f"{topic}/c{customer}/hr"], stdin=lines))
    codes = [publisher.wait(300) for publisher in publishers]
    assert codes == [0] * CUSTOMERS, f"mosquitto_pub ended with {codes}"


def source(mosquitto, topic, client_id, qos):
    return f"""
[[source]]
plugin = "mqtt"
server = "{mosquitto.uri}"
client_id = "{client_id}"
  [[source.subscription]]
  topic = "{topic}/{{customer_id}}/hr"
  qos = {qos}
  decoder = "json"
  heart_rate = {{ pointer = "/heart_rate" }}
  time = {{ pointer = "/time", format = "iso8601" }}
"""


def cpu_seconds(pid):
    """Of a running process, user and system."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run_agent(bench, mosquitto, kafka, topic, qos, number):
    """Makes the session, lets the broker fill it, and takes it; returns (messages a second, CPU seconds).

    The CPU time of a start without messages, which loads libraries, is no part of what a message costs.
    """
    destination = kafka.new_topic(partitions=12)
    agent = Agent(source(mosquitto, topic, f"agent-{topic}", qos) + kafka_sink(kafka, destination)
                  + 'batch_timeout = "100ms"\n',  # throughput is asked for, not latency
                  bench.folder / f"mqtt-{number}-{qos}")
    try:
        agent.start().wait_ready()
        agent.wait_log("subscribed to")
        start_cpu = cpu_seconds(agent.pid)
        assert agent.terminate() == 0, agent.log_tail()
        publish(bench, mosquitto, topic, qos)
        begin = time.monotonic()
        agent.start()
        agent.wait_while_running(lambda: agent.status()["sinks"][0]["delivered"] == bench.mqtt_count, 300, "to deliver")
        wall, cpu = time.monotonic() - begin, cpu_seconds(agent.pid) - start_cpu
        assert agent.terminate() == 0, agent.log_tail()
        assert destination.record_count() == bench.mqtt_count, f"{destination.record_count()} records in Kafka"
    finally:
        agent.close()
    return bench.mqtt_count / wall, cpu


def run_baseline(bench, mosquitto, topic, qos):
    """The same with a subscriber whose callback only writes the payload into a file."""
    arguments = [mosquitto.uri, f"baseline-{topic}", f"{topic}/+/hr", qos]
    file = bench.folder / "subscriber.out"
    bench.run_program("bench_baseline_subscriber", *arguments, 0, file)
    publish(bench, mosquitto, topic, qos)
    cost = bench.run_program("bench_baseline_subscriber", *arguments, bench.mqtt_count, file)
    size = sum(path.stat().st_size for path in payload_files(bench)) - bench.mqtt_count  # without line ends
    assert file.stat().st_size == size, f"{file.stat().st_size} bytes of {size}"
    file.unlink()
    return bench.mqtt_count / cost["wall_seconds"], cost["cpu_seconds"]


def mqtt_to_kafka(bench, kafka, mosquitto):
    """A session that the broker has filled meanwhile: into the journal and Kafka, beside a bare Paho subscriber."""
    rows = []
    for qos in (1, 0):
        rates, baseline, cpu, baseline_cpu = [], [], [], []
        for number in range(bench.rounds):
            rate, seconds = run_baseline(bench, mosquitto, f"b{qos}-{number}", qos)
            baseline.append(rate / 1e3)
            baseline_cpu.append(seconds / bench.mqtt_count * 1e6)
            rate, seconds = run_agent(bench, mosquitto, kafka, f"a{qos}-{number}", qos, number)
            rates.append(rate / 1e3)
            cpu.append(seconds / bench.mqtt_count * 1e6)
        rows.append(Row(f"MQTT QoS {qos} -> journal -> Kafka", "k messages/s", rates, baseline, least_ratio=0.9))
        rows.append(Row("the same, CPU", "us a message", cpu, baseline_cpu, most_ratio=1.2))
    return rows


def mqtt_latency(bench, mosquitto, postgres):
    """From the line that holds its time, written to mosquitto_pub, to the commit of its row; 1,000 messages a second."""
    postgres.database().execute("ALTER SYSTEM SET track_commit_timestamp = on", superuser=True)
    postgres.stop()
    postgres.start()
    database = postgres.new_database()
    agent = Agent(source(mosquitto, "latency", "latency", 1) + postgres_sink(database) + 'batch_timeout = "5ms"\n',
                  bench.folder / "mqtt-latency")
    try:
        agent.start().wait_ready()
        agent.wait_log("subscribed to")
        publisher = subprocess.Popen(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(mosquitto.port), "-q", "1", "-l",
                                      "-t", "latency/c1/hr"], stdin=subprocess.PIPE, text=True, bufsize=1)
        begin = time.monotonic()
        for number in range(bench.latency_count):
            time.sleep(max(0.0, begin + number / 1000 - time.monotonic()))
            publisher.stdin.write(payload(datetime.datetime.now(datetime.timezone.utc), 60 + number % 90))
        publisher.stdin.close()
        assert publisher.wait(60) == 0
        wait_until(lambda: database.execute("SELECT count(*) FROM heartbeats")[0][0] == bench.latency_count, 60,
                   "all rows")
        assert agent.terminate() == 0, agent.log_tail()
    finally:
        agent.close()
    # The first second pays for the tables' cold pages.
    rows = database.execute("SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin) - time) * 1000 FROM heartbeats "
                            "ORDER BY time OFFSET 1000", superuser=True)
    delays = sorted(float(delay) for (delay,) in rows)

    def quantile(share):
        return [delays[min(len(delays) - 1, int(len(delays) * share))]]

    what = "publish -> row committed, 1,000 messages/s"
    return [Row(f"{what}: p50", "ms", quantile(0.5)), Row("the same, p99", "ms", quantile(0.99), most=50),
            Row("the same, p99.9", "ms", quantile(0.999))]
