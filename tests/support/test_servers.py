"""The servers under the tests are real and keep their data, so that a failing test means a failing agent."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest

from support.processes import ChildProcess
from support.waiting import wait_until


def test_kafka_keeps_records_and_partitions_apart(kafka):
    topic = kafka.new_topic(partitions=3)
    topic.produce([(f"customer-{i}", f"value-{i}", i % 3) for i in range(300)])
    messages = topic.consume()
    assert sorted(m.value().decode() for m in messages) == sorted(f"value-{i}" for i in range(300))
    assert topic.end_offsets() == {0: 100, 1: 100, 2: 100}
    assert topic.lag("a-group-that-never-was") == 300


def test_kafka_knows_what_a_group_has_committed(kafka):
    from confluent_kafka import Consumer, TopicPartition
    topic = kafka.new_topic()
    topic.produce([(None, str(i)) for i in range(10)])
    consumer = Consumer({"bootstrap.servers": kafka.brokers, "group.id": "readers", "enable.auto.commit": False})
    consumer.commit(offsets=[TopicPartition(str(topic), 0, 7)], asynchronous=False)
    consumer.close()
    assert topic.committed("readers") == {0: 7}
    assert topic.lag("readers") == 3


def test_postgres_gives_each_test_a_database_of_its_own(postgres):
    first, second = postgres.new_database(), postgres.new_database()
    first.execute("CREATE TABLE t (x int)")
    first.execute("INSERT INTO t SELECT generate_series(1, %s)", (1000,))
    assert first.value("SELECT sum(x) FROM t") == 500500
    assert second.value("SELECT count(*) FROM pg_tables WHERE tablename = 't'") == 0


def test_postgres_role_is_no_superuser(postgres):
    assert postgres.database().value("SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False


def test_mosquitto_queues_for_an_absent_client(mosquitto):
    mosquitto.receive("wearables/+/hr", 0, client_id="absent")
    sent = [f"reading {i}" for i in range(5000)]
    mosquitto.publish("wearables/cust/hr", sent)
    assert mosquitto.receive("wearables/+/hr", len(sent), client_id="absent") == sent


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_kafka_data_outlives(own_kafka, end):
    topic = own_kafka.new_topic(partitions=2)
    topic.produce([(str(i), f"value-{i}") for i in range(1000)])
    getattr(own_kafka, end)()
    assert not own_kafka.ready()
    own_kafka.start()
    assert len(topic.consume(1000)) == topic.record_count() == 1000
    topic.produce([("again", "again")])
    assert topic.record_count() == 1001


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_postgres_data_outlives(own_postgres, end):
    database = own_postgres.new_database()
    database.execute("CREATE TABLE t AS SELECT generate_series(1, 100000) AS x")
    getattr(own_postgres, end)()
    assert not own_postgres.ready()
    own_postgres.start()
    assert database.value("SELECT count(*) FROM t") == 100000


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_mosquitto_data_outlives(own_mosquitto, end):
    own_mosquitto.receive("t", 0, client_id="absent")
    own_mosquitto.publish("t", ["one", "two", "three"])
    if end == "kill":
        own_mosquitto.save()
    getattr(own_mosquitto, end)()
    assert not own_mosquitto.ready()
    own_mosquitto.start()
    assert own_mosquitto.receive("t", 3, client_id="absent") == ["one", "two", "three"]


def test_a_paused_server_is_silent_and_goes_on(own_postgres):
    own_postgres.pause()
    assert not own_postgres.ready()
    own_postgres.resume()
    wait_until(own_postgres.ready, 10, "the server to answer again")


def test_a_server_that_cannot_start_says_why(own_mosquitto):
    from support.servers import MosquittoServer
    second = MosquittoServer()
    second.port = own_mosquitto.port
    try:
        with pytest.raises(AssertionError, match="Address already in use"):
            # The first broker answers on that port: only the second one's end tells that it is not the same.
            second.spawn_server()
            wait_until(lambda: not second.running, 10, "the second broker to give up")
            second.wait_ready()
    finally:
        second.close()


def test_nothing_outlives_a_killed_test_run(tmp_path):
    """A test run that is killed with -9 takes its servers with it, PostgreSQL's workers included."""
    script = """
import sys
from support.servers import KafkaServer, MosquittoServer, PostgresServer
servers = [KafkaServer(), MosquittoServer(), PostgresServer()]
for server in servers: server.spawn_server()
for server in servers: server.wait_ready()
print(*(str(server.folder) for server in servers), flush=True)
sys.stdin.read()
"""
    tests = pathlib.Path(__file__).resolve().parents[1]
    run = subprocess.Popen([sys.executable, "-c", script], cwd=tests, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                           text=True, env={**os.environ, "PYTHONPATH": str(tests)})
    folders = run.stdout.readline().split()
    assert len(folders) == 3

    def survivors():
        found = []
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                folder = os.readlink(process / "cwd")
            except OSError:  # has just ended
                continue
            if any(folder.startswith(mine) for mine in folders):
                found.append(process.name)
        return found
    assert len(survivors()) > 3
    run.send_signal(signal.SIGKILL)
    run.wait()
    run.stdin.close()
    run.stdout.close()
    wait_until(lambda: not survivors(), 20, "the servers to end")
    subprocess.run(["rm", "-rf", *folders], check=True)


def test_log_of_a_failing_child_is_kept(tmp_path):
    child = ChildProcess("child", tmp_path / "log")
    child.spawn(["sh", "-c", "echo why >&2; exit 3"])
    assert child.wait() == 3
    assert child.log == "why\n"
