"""Kills, outages and poison in mid-run: what was accepted is stored, each reading once."""

import json
import threading
import time

from support.waiting import wait_until

from . import pipeline

CUSTOMERS = 50


def numbered(count, first=0):
    """Records of the wire format: customer c00.., one a millisecond."""
    for number in range(first, first + count):
        customer = f"c{number % CUSTOMERS:02}"
        seconds, milliseconds = divmod(number, 1000)
        yield customer, json.dumps({"customer_id": customer, "heart_rate": 60 + number % 100,
                                    "time": f"2026-01-01T{seconds // 3600:02}:{seconds // 60 % 60:02}:"
                                            f"{seconds % 60:02}.{milliseconds:03}Z"})


def assert_complete(database, count):
    """Every one of `numbered(count)`, each once: the primary key rules doubles out, so the count and sums say it."""
    assert pipeline.row_count(database) == count
    assert database.value("SELECT sum(heart_rate) FROM heartbeats") == sum(60 + n % 100 for n in range(count))
    assert database.value("SELECT count(DISTINCT time) FROM heartbeats") == count


def test_three_agents_share_a_group_and_one_is_killed(agent, kafka, postgres):
    topic = kafka.new_topic(partitions=12)
    database = postgres.new_database()
    count = 300_000
    agents = [agent(pipeline.consumer(kafka, topic, database, sink="batch_size = 500"), f"consumer-{i}").start()
              for i in range(3)]
    for each in agents:
        each.wait_log("partitions assigned")  # or the first would have read it all before the others have joined
    producing = threading.Thread(target=topic.produce, args=(numbered(count),), kwargs={"timeout": 300})
    producing.start()

    victim = agents[0]
    wait_until(lambda: victim.status()["sinks"][0]["delivered"] > 1000, 120, "the victim to be in the middle of it")
    victim.kill()
    wait_until(lambda: pipeline.row_count(database) > count // 3, 120, "the others to go on")
    victim.start().wait_ready()
    producing.join()
    wait_until(lambda: topic.lag(f"group-{topic}") == 0, 180, "the group to commit everything")
    assert_complete(database, count)
    for each in agents:
        pipeline.assert_balanced(each.status())
        assert each.terminate() == 0


def test_outages_of_postgresql_and_kafka_lose_and_double_nothing(agent, own_kafka, own_postgres):
    """Both servers are away for 20 s in the middle of the run, one after the other."""
    kafka, postgres = own_kafka, own_postgres
    topic = kafka.new_topic(partitions=12)
    database = postgres.new_database()
    producer = agent(pipeline.generator(100_000_000, "rate = 2000.0", start="now")
                     + pipeline.kafka_sink(kafka, topic, 'retry_max = "2s"'), "producer")
    producer.start().wait_ready()
    consumer = agent(pipeline.consumer(kafka, topic, database), "consumer").start().wait_ready()
    wait_until(lambda: pipeline.row_count(database) > 2000, 60, "the pipeline to run")

    postgres.stop()
    consumer.wait_not_ready()
    outage(20)
    postgres.start()
    consumer.wait_ready(60)

    kafka.stop()
    producer.wait_not_ready(60)
    consumer.wait_not_ready(60)
    outage(20)
    kafka.start()
    producer.wait_ready(90)
    consumer.wait_ready(90)

    goal = producer.status()["sinks"][0]["delivered"] + 10_000
    wait_until(lambda: producer.status()["sinks"][0]["delivered"] > goal, 60, "the producer to deliver again")
    assert producer.terminate() == 0, producer.log_tail()
    sent = pipeline.final_ledger(producer)["sink/kafka"]["delivered"]
    wait_until(lambda: topic.lag(f"group-{topic}") == 0, 120, "the group to commit everything")
    status = pipeline.assert_balanced(consumer.status())
    assert not status["sinks"][0]["rejected"] and not status["sources"][0]["dead_lettered"]
    # Each customer's readings lie exactly one cadence apart: no gap means nothing lost, the key means nothing doubled.
    interval_us = 200 * 1_000_000 // 2000
    gaps = database.execute("SELECT customer_id, gap FROM (SELECT customer_id, (extract(epoch FROM time - lag(time) "
                            "OVER (PARTITION BY customer_id ORDER BY time)) * 1000000)::bigint AS gap FROM heartbeats) "
                            "AS steps WHERE gap <> %s", (interval_us,))
    assert gaps == []
    assert pipeline.row_count(database) == sent
    assert topic.record_count() >= sent  # Kafka may hold a record twice; the table does not
    log_of(consumer, "both outages", most=16)
    log_of(producer, "the outage of Kafka", most=8)
    assert consumer.terminate() == 0


def test_a_frozen_postgresql_is_not_ready_within_seconds_and_goes_on(agent, own_postgres):
    """All of its processes stand still; connections stay open. The sink's timeout is its default, 30 s."""
    database = own_postgres.new_database()
    writer = agent(pipeline.generator(100_000_000, "rate = 1000.0", start="now")
                   + f'[[sink]]\nplugin = "postgres"\nuri = "{database.uri}"\n').start().wait_ready()
    wait_until(lambda: pipeline.row_count(database) > 1000, 60, "the agent to write")
    own_postgres.pause()
    try:
        begin = time.monotonic()
        writer.wait_not_ready(20)
        took = time.monotonic() - begin
        code, reason = writer.get("/readyz")
    finally:
        own_postgres.resume()
    assert code == 503 and "no answer for 5 s" in reason, reason
    assert took > 4
    writer.wait_ready(30)
    # The write that waited was done, not given up.
    assert "trying again" not in writer.log and "connected again" in writer.log, writer.log_tail()
    assert writer.terminate() == 0, writer.log_tail()
    delivered = pipeline.final_ledger(writer)["sink/postgres"]["delivered"]
    assert pipeline.row_count(database) == delivered > 1000


def outage(seconds):
    """How long the server stays away is the subject here, not something that is waited for."""
    time.sleep(seconds)


def log_of(agent, what, most):
    """Two outages of 20 s are told in a handful of lines."""
    lines = [line for line in agent.log.splitlines() if " warning " in line or " error " in line]
    assert lines, f"nothing in the log about {what}"
    assert len(lines) <= most, f"{len(lines)} lines about {what}:\n" + "\n".join(lines)


def test_only_the_poison_goes_to_the_dead_letters(agent, kafka, postgres):
    topic = kafka.new_topic(partitions=1)
    database = postgres.new_database()
    poison = [("k", b"{not json", "bad_json"),
              ("k", b'{"customer_id":"a\xff","time":"2026-01-01T00:00:00Z","heart_rate":70}', "bad_utf8"),
              ("k", b'{"customer_id":"a\\u0000b","time":"2026-01-01T00:00:00Z","heart_rate":70}', "bad_customer_id"),
              ("k", b'{"customer_id":"late","time":"9999-01-01T00:00:00Z","heart_rate":70}', "time_future"),
              ("k", b'{"customer_id":"c00","time":"2026-01-01T00:00:00Z"}', "missing_heart_rate")]
    good = list(numbered(5000))
    # The schema is made first, then given a rule that one reading in the middle of the batch breaks.
    first = agent(pipeline.consumer(kafka, topic, database), "first").start().wait_ready()
    assert first.terminate() == 0
    database.execute("ALTER TABLE heartbeats ADD CONSTRAINT no_299 CHECK (heart_rate <> 299)")
    bad_row = ("c00", json.dumps({"customer_id": "c00", "heart_rate": 299, "time": "2026-01-02T00:00:00Z"}))
    topic.produce(good[:2500] + [(key, value) for key, value, _ in poison] + [bad_row, ("k", None)] + good[2500:])

    consumer = agent(pipeline.consumer(kafka, topic, database, sink='batch_size = 10000\nbatch_timeout = "1s"'), "second")
    consumer.start()
    wait_until(lambda: topic.lag(f"group-{topic}") == 0, 60, "the group to pass the poison")
    assert_complete(database, 5000)
    status = pipeline.assert_balanced(consumer.status())
    letters = [json.loads(line) for line in (consumer.data_folder / "dead-letters.jsonl").read_text().splitlines()]
    reasons = sorted(letter["reason"] for letter in letters if letter["instance"] != "sink/postgres")
    assert reasons == sorted(reason for _, _, reason in poison)
    (row,) = [letter for letter in letters if letter["instance"] == "sink/postgres"]
    assert "23514" in row["detail"] and '"heart_rate":299' in row["payload"]
    (broken,) = [letter for letter in letters if letter["reason"] == "bad_json"]
    assert broken["payload"] == "{not json" and broken["origin"] == f"{topic}[0]@2500"
    assert status["dead_letters"]["written"] == len(poison) + 1
    assert consumer.terminate() == 0
