"""Measures hbagent beside the least that its libraries need, and prints a table. See README.md."""

import argparse
import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import dashboard_scenarios  # noqa: E402
import mqtt_scenarios  # noqa: E402
import scenarios  # noqa: E402
from measure import table  # noqa: E402
from support.agent import binary  # noqa: E402
from support.servers import REPOSITORY, KafkaServer, MosquittoServer, PostgresServer  # noqa: E402

NAMES = ["null", "start", "journal", "emit", "sqlite", "path", "kafka", "postgres", "idle", "mqtt", "latency",
         "dashboard"]


def output_line(*command, line=0):
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return result.stdout.splitlines()[line]


def machine_facts():
    model = re.search(r"^model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cache = (REPOSITORY / "build/release/CMakeCache.txt").read_text()
    compiler = re.search(r"^CMAKE_CXX_COMPILER:\w+=(.*)", cache, re.MULTILINE).group(1)
    kafka = re.search(r"<kafka.version>(.*)<", (REPOSITORY / "deploy/kafka/pom.xml").read_text())
    return [
        f"{os.cpu_count()} cores ({model.group(1) if model else platform.machine()}), {memory:.0f} GiB, "
        f"load {os.getloadavg()[0]:.1f}, Linux {platform.release()}",
        f"{output_line(binary(), '--version')}, built by {output_line(compiler, '--version')}",
        f"librdkafka {output_line('pkg-config', '--modversion', 'rdkafka')}, "
        f"Kafka {kafka.group(1) if kafka else 'unknown'}, {output_line('psql', '--version')}",
        "files on " + " ".join(output_line("df", "--output=fstype,source", tempfile.gettempdir(), line=1).split()),
    ]


def parse_arguments():
    parser = argparse.ArgumentParser(description="Measures hbagent; builds release first.")
    parser.add_argument("--quick", action="store_true", help="a small version: shows that all of it runs")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, help="what to measure")
    return parser.parse_args()


def measure_all(arguments, folder):
    bench = scenarios.Bench(folder, arguments.quick)
    rows = []

    def add(name, function, *servers):
        if name in arguments.only:
            print(f"measuring: {function.__name__.replace('_', ' ')}", file=sys.stderr, flush=True)
            rows.extend(function(bench, *servers))

    add("null", scenarios.generator_to_null)
    add("start", scenarios.start_to_first_reading)
    add("journal", scenarios.journal_append)
    add("emit", scenarios.emit_of_one)
    add("sqlite", scenarios.generator_to_sqlite)
    if "path" in arguments.only:
        with PostgresServer() as postgres:
            add("path", scenarios.generator_to_postgres, postgres)
    if not {"kafka", "postgres", "idle"}.isdisjoint(arguments.only):
        with KafkaServer() as kafka:
            add("kafka", scenarios.generator_to_kafka, kafka)
            if not {"postgres", "idle"}.isdisjoint(arguments.only):
                with PostgresServer() as postgres:
                    add("postgres", scenarios.kafka_to_postgres, kafka, postgres)
                    add("idle", scenarios.idle_memory, kafka, postgres)
    if "mqtt" in arguments.only:
        with KafkaServer() as kafka, MosquittoServer() as mosquitto:
            add("mqtt", mqtt_scenarios.mqtt_to_kafka, kafka, mosquitto)
    if "latency" in arguments.only:
        with PostgresServer() as postgres, MosquittoServer() as mosquitto:
            add("latency", mqtt_scenarios.mqtt_latency, mosquitto, postgres)
    add("dashboard", dashboard_scenarios.dashboard_viewers)
    return bench, rows


def main():
    arguments = parse_arguments()
    facts = machine_facts()
    with tempfile.TemporaryDirectory(prefix="hbagent-bench-") as folder:
        bench, rows = measure_all(arguments, folder)
    print("\n".join(facts))
    print(f"medians of {bench.rounds} rounds, hbagent and baseline in turn (smallest to largest); "
          f"{bench.count:,} readings of {bench.customers:,} customers\n")
    print(table(rows))
    missed = [row.what for row in rows if row.met is False]
    if arguments.quick:
        print("\nThe quick version measures too little to judge by it.")
        return 0
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
