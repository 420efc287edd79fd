"""The crash oracle for servers: PostgreSQL and Kafka are killed at random instants, in mid-write."""

import random
import signal

from e2e import pipeline
from support.waiting import wait_until

from .workload import Workload, complaints, live, postgres_sink

SMALL_JOURNAL = '[journal]\nmax_size = "16MiB"\n'


def kill_and_start(server, dice, up, down):
    live(dice.uniform(*up))
    assert server.kill() == -signal.SIGKILL
    live(dice.uniform(*down))
    server.start()


def test_kills_of_postgresql_lose_and_double_nothing(agent, own_postgres, tmp_path, dice):
    database = own_postgres.new_database()
    workload = Workload(agent, tmp_path, dice)
    writer = agent(SMALL_JOURNAL + workload.sources() + postgres_sink(database)).start().wait_ready()
    workload.start()
    for _ in range(6):
        kill_and_start(own_postgres, dice, up=(0.2, 2), down=(0, 1))
        writer.wait_ready()
    workload.finish(writer, database)
    result = workload.outcome(writer, database)
    print(result)
    assert result.exact and complaints(writer) == []


def test_kills_of_kafka_and_of_the_agents_around_it_lose_and_double_nothing(agent, own_kafka, postgres, tmp_path, dice):
    database = postgres.new_database()
    topic = own_kafka.new_topic(partitions=6)
    workload = Workload(agent, tmp_path, dice)
    producer = agent(SMALL_JOURNAL + workload.sources() + pipeline.kafka_sink(own_kafka, topic, 'retry_max = "1s"'),
                     "producer").start().wait_ready()
    # A member of a fixed name takes its partitions again at once.
    consumer = agent(pipeline.consumer(own_kafka, topic, database, processors="",
                                       source='group_instance_id = "the-only-one"\ncommit_interval = "100ms"'),
                     "consumer").start().wait_ready()
    workload.start()
    for _ in range(3):
        kill_and_start(own_kafka, dice, up=(0.5, 3), down=(0, 1))
        for victim in random.Random(dice.random()).sample([producer, consumer], k=2):
            live(dice.uniform(0.2, 2))
            victim.kill()
            victim.start()
    producer.wait_ready(60)
    consumer.wait_ready(60)
    workload.finish(producer, database)
    wait_until(lambda: topic.lag(f"group-{topic}") == 0, 120, "the group to commit everything")
    result = workload.outcome(producer, database)
    print(f"{topic.record_count()} records; {result}")
    assert result.exact and complaints(producer) == [] and complaints(consumer) == []
    assert consumer.terminate() == 0
