"""The main job on real input and real servers: files or generator -> agent -> Kafka -> agent -> PostgreSQL."""

import datetime

from support.waiting import wait_until

from . import pipeline


def replay_series(agent, kafka, topic, name):
    replay = agent(f"""
[[source]]
plugin = "file"
path = "{pipeline.SERIES}/{{customer_id}}.csv"
resume = false
time = {{ header = "time" }}
heart_rate = {{ header = "heart_rate" }}
[[processor]]
plugin = "validate"
""" + pipeline.kafka_sink(kafka, topic), name)
    replay.start()
    pipeline.ended(replay, 120)
    return replay


def test_recorded_series_arrive_value_for_value_and_a_replay_adds_nothing(agent, kafka, postgres):
    topic = kafka.new_topic(partitions=12)
    database = postgres.new_database()
    expected = pipeline.series_rows()
    assert len(expected) > 13_000 and len({customer for customer, _ in expected}) == 4

    replay_series(agent, kafka, topic, "first")
    consumer = agent(pipeline.consumer(kafka, topic, database), "consumer").start().wait_ready()
    sent = topic.record_count()
    wait_until(lambda: topic.lag(f"group-{topic}") == 0, 120, "the group to commit everything")
    stored = {(customer, time.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")): rate
              for customer, time, rate in pipeline.rows(database)}
    assert stored == expected
    assert {p for p, end in topic.end_offsets().items() if end} <= set(range(12))

    replay_series(agent, kafka, topic, "second")
    assert topic.record_count() == 2 * sent
    wait_until(lambda: topic.lag(f"group-{topic}") == 0, 120, "the group to commit the replay")
    assert pipeline.row_count(database) == len(expected)
    status = pipeline.assert_balanced(consumer.status())
    assert status["sinks"][0]["delivered"] == 2 * sent
    assert status["sinks"][0]["duplicate"] == 2 * sent - len(expected)
    latest = dict(database.execute("SELECT customer_id, heart_rate FROM heartrate_data"))
    newest = {}
    for (customer, time), rate in sorted(expected.items()):
        newest[customer] = rate
    wait_until(lambda: dict(database.execute("SELECT customer_id, heart_rate FROM heartrate_data")) == newest, 10,
               f"heartrate_data to be current; it was {latest}")
    assert consumer.terminate() == 0


def test_the_file_of_zeros_is_discarded_and_counted_never_stored(agent, tmp_path):
    target = tmp_path / "out.jsonl"
    replay = agent(f"""
[[source]]
plugin = "file"
path = "{pipeline.SERIES}/zwift-hr-all-zero.csv"
customer_id = {{ const = "zwift" }}
time = {{ header = "time" }}
heart_rate = {{ header = "heart_rate" }}
[[sink]]
plugin = "file"
path = "{target}"
""")
    replay.start()
    pipeline.ended(replay, 60)
    assert not target.exists() or target.read_text() == ""
    assert "discarded 1,808, dead-lettered 0" in replay.log


def test_a_million_generated_readings_become_a_million_rows(agent, kafka, postgres):
    topic = kafka.new_topic(partitions=12)
    database = postgres.new_database()
    count = 1_000_000
    consumer = agent(pipeline.consumer(kafka, topic, database), "consumer").start()
    producer = agent(pipeline.generator(count, 'speed = "max"') + pipeline.kafka_sink(kafka, topic), "producer")
    producer.start()
    pipeline.ended(producer, 300)
    sent = pipeline.final_ledger(producer)
    assert sent["source/generator"] == {"received": count, "journaled": count, "discarded": 0, "dead-lettered": 0,
                                        "removed": 0}
    assert sent["sink/kafka"] == {"delivered": count, "filtered": 0, "rejected": 0, "dropped": 0, "pending": 0}
    wait_until(lambda: consumer.status()["sinks"][0]["delivered"] == count, 300, "the consumer to store everything")
    received = pipeline.assert_balanced(consumer.status())
    assert received["sinks"][0]["duplicate"] == 0
    assert pipeline.row_count(database) == count == topic.record_count()
    assert database.value("SELECT count(DISTINCT customer_id) FROM heartbeats") == 200
    assert consumer.terminate() == 0
