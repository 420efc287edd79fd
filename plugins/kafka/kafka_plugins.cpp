#include "kafka_sink.hpp"
#include "kafka_source.hpp"

HB_PLUGINS(hb::source<hb::kafka::KafkaSource>("kafka", "Reads readings from Kafka topics as a consumer group member."),
           hb::sink<hb::kafka::KafkaSink>("kafka", "Writes readings to a Kafka topic with an idempotent producer."))
