"""What tests do with a Kafka topic: fill it, read it, ask for its offsets."""

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from .waiting import wait_until


def create_topic(brokers, name, partitions, config):
    """Creates the topic and waits until every partition has a leader."""
    admin = AdminClient({"bootstrap.servers": brokers})
    topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=config)
    for future in admin.create_topics([topic], operation_timeout=30).values():
        future.result(timeout=30)

    def every_partition_has_a_leader():
        metadata = admin.list_topics(name, timeout=5).topics[name]
        return len(metadata.partitions) == partitions and all(p.leader >= 0 for p in metadata.partitions.values())
    wait_until(every_partition_has_a_leader, 30, f"leaders of topic {name}")


class Topic:
    """One topic; `str(topic)` is its name."""

    def __init__(self, brokers, name):
        self.brokers = brokers
        self.name = name

    def __str__(self):
        return self.name

    def produce(self, records, timeout=60, **config):
        """Produces (key, value) or (key, value, partition) records and waits until the broker has confirmed each.

        Keys and values are str, bytes or None. `config`: producer properties with "_" for ".".
        """
        failed = []
        confirmed = 0

        def on_delivery(error, _message):
            nonlocal confirmed
            if error:
                failed.append(error)
            else:
                confirmed += 1
        properties = {"bootstrap.servers": self.brokers, "enable.idempotence": True, "linger.ms": 5}
        properties.update({key.replace("_", "."): value for key, value in config.items()})
        producer = Producer(properties)
        count = 0
        for key, value, *partition in records:
            place = {"partition": partition[0]} if partition else {}
            while True:
                try:
                    producer.produce(self.name, key=key, value=value, on_delivery=on_delivery, **place)
                    break
                except BufferError:  # the client's queue is full
                    producer.poll(1)
            count += 1
            producer.poll(0)
        producer.flush(timeout)
        assert not failed and confirmed == count, f"{confirmed} of {count} records confirmed; errors: {failed[:3]}"

    def consume(self, count=None, timeout=60):
        """Returns `count` messages from the start of all partitions; by default all that are there now.

        Messages are confluent_kafka.Message; order holds within a partition only.
        """
        if count is None:
            count = self.record_count()
        consumer = Consumer({"bootstrap.servers": self.brokers, "group.id": "unused", "enable.auto.commit": False})
        try:
            consumer.assign([TopicPartition(self.name, partition, 0) for partition in self.partitions()])
            messages = []

            def enough():
                for message in consumer.consume(min(10000, max(1, count - len(messages))), timeout=0.2):
                    assert not message.error(), message.error()
                    messages.append(message)
                return len(messages) >= count
            if count:
                wait_until(enough, timeout, f"{count} records in topic {self.name}", interval=0)
            return messages
        finally:
            consumer.close()

    def partitions(self):
        metadata = AdminClient({"bootstrap.servers": self.brokers}).list_topics(self.name, timeout=10)
        return sorted(metadata.topics[self.name].partitions)

    def end_offsets(self):
        """The offset behind the last record, for each partition."""
        return {partition: high for partition, (_low, high) in self._watermarks().items()}

    def record_count(self):
        return sum(high - low for low, high in self._watermarks().values())

    def committed(self, group):
        """The group's committed offset for each partition; a negative number where there is none."""
        consumer = Consumer({"bootstrap.servers": self.brokers, "group.id": group, "enable.auto.commit": False})
        try:
            partitions = [TopicPartition(self.name, partition) for partition in self.partitions()]

            def offsets():  # a coordinator that is still loading answers with an error, for all or for each
                answers = consumer.committed(partitions, timeout=15)
                for answer in answers:
                    if answer.error:
                        raise KafkaException(answer.error)
                return {answer.partition: answer.offset for answer in answers}
            return wait_until(offsets, 30, f"the committed offsets of group {group}")
        finally:
            consumer.close()

    def lag(self, group):
        """Records that the group has not committed yet."""
        committed = self.committed(group)
        return sum(high - max(low, committed[p]) for p, (low, high) in self._watermarks().items())

    def _watermarks(self):
        consumer = Consumer({"bootstrap.servers": self.brokers, "group.id": "unused"})
        try:
            return {partition: consumer.get_watermark_offsets(TopicPartition(self.name, partition), timeout=15)
                    for partition in self.partitions()}
        finally:
            consumer.close()
