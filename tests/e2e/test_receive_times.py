"""Readings whose time is that of their receipt: devices without a clock, or with one that was never set."""

import json

import pytest

from . import pipeline

COUNT = 5_000


def lines_of_one_customer():
    """All dated 1970, as by a device that has lost its clock."""
    return "".join(json.dumps({"customer_id": "anna", "time": "1970-01-01T00:00:07Z", "heart_rate": 40 + i % 160}) + "\n"
                   for i in range(COUNT))


@pytest.mark.parametrize("through_kafka", [False, True], ids=["file", "kafka"])
def test_readings_of_one_customer_that_are_read_at_once_all_become_rows(agent, kafka, postgres, tmp_path, through_kafka):
    database = postgres.new_database()
    lines = tmp_path / "anna.jsonl"
    lines.write_text(lines_of_one_customer())
    source = f'[[source]]\nplugin = "file"\npath = "{lines}"\n'
    if through_kafka:
        topic = kafka.new_topic()
        first = agent(source + pipeline.kafka_sink(kafka, topic)).start()
        pipeline.ended(first, 60)
        source = (f'[[source]]\nplugin = "kafka"\nbrokers = "{kafka.brokers}"\ntopics = ["{topic}"]\n'
                  f'group_id = "group-{topic}"\nexit_at_end = true\n')
    last = agent(source + f"""
[[processor]]
plugin = "validate"
clock = "receive"
[[sink]]
plugin = "postgres"
uri = "{database.uri}"
""").start()
    pipeline.ended(last, 60)
    assert pipeline.row_count(database) == COUNT
    rates = [rate for rate, in database.execute("SELECT heart_rate FROM heartbeats ORDER BY time")]
    assert rates == [40 + i % 160 for i in range(COUNT)]
