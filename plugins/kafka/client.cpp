#include "client.hpp"

#include <future>
#include <thread>
#include <utility>

namespace hb::kafka {
namespace {

// syslog(3) levels, as librdkafka uses them.
constexpr int kSyslogWarning = 4;
constexpr int kSyslogInfo = 6;

}  // namespace

std::optional<std::string> LogGate::pass(const std::string& kind, std::string text, Clock::time_point now) {
  const auto [found, is_new] = kinds_.try_emplace(kind, Kind{now});
  Kind& seen = found->second;
  if (!is_new && now - seen.last < kInterval) {
    ++seen.held_back;
    return std::nullopt;
  }
  if (seen.held_back != 0) text += " (" + std::to_string(seen.held_back) + " more like this were held back)";
  seen = {now};
  return text;
}

void ClientEvents::attach(rd_kafka_conf_t* conf) {
  rd_kafka_conf_set_opaque(conf, this);
  rd_kafka_conf_set_log_cb(conf, on_log);
  rd_kafka_conf_set_error_cb(conf, on_error);
}

void ClientEvents::reset() {
  up_ = true;
  refusal_.clear();
}

void ClientEvents::up() {
  if (up_) return;
  up_ = true;
  host_.up();
}

void ClientEvents::down(const std::string& why) {
  if (!up_) return;
  up_ = false;
  host_.down(why);
}

void ClientEvents::on_log(const rd_kafka_t* client, int level, const char* facility, const char* text) noexcept {
  try {
    static_cast<ClientEvents*>(rd_kafka_opaque(client))->log(level, facility, text);
  } catch (...) {  // out of memory: the line is lost, the client goes on
  }
}

void ClientEvents::mute() {
  const std::lock_guard lock(log_mutex_);
  muted_ = true;
}

void ClientEvents::log(int level, const char* facility, const char* text) {
  std::string line = std::string("librdkafka ") + facility + ": " + text;
  const std::lock_guard lock(log_mutex_);
  if (muted_) return;
  if (level > kSyslogInfo) return host_.debug(line);
  const auto passed = gate_.pass(facility, std::move(line), LogGate::Clock::now());
  if (!passed) return;
  if (level <= kSyslogWarning) {
    host_.warn(*passed);
  } else {
    host_.info(*passed);
  }
}

void ClientEvents::on_error(rd_kafka_t*, int code, const char* text, void* opaque) noexcept {
  auto& self = *static_cast<ClientEvents*>(opaque);
  try {
    switch (code) {
      case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        self.down(self.refusal_.empty() ? text : self.refusal_);
        break;
      case RD_KAFKA_RESP_ERR__AUTHENTICATION:
      case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
      case RD_KAFKA_RESP_ERR__SSL:
        self.refusal_ = text;
        break;
      default:  // one broker of several, a host name: in the log; what it costs shows in the calls
        break;
    }
  } catch (...) {  // out of memory: the next error says it again
  }
}

void require_broker(rd_kafka_t* client, const ClientEvents& events, const std::string& brokers,
                    std::chrono::milliseconds timeout) {
  const rd_kafka_metadata_t* raw = nullptr;
  const auto code = rd_kafka_metadata(client, 0, nullptr, &raw, static_cast<int>(timeout.count()));
  const Metadata metadata(raw);
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return;
  rd_kafka_poll(client, 0);  // brings the error callback's news
  throw Retry("no Kafka broker answers at " + brokers + ": " +
              (events.refusal().empty() ? error_text(code) : events.refusal()));
}

void end_consumer(Client client, const std::shared_ptr<ClientEvents>& events,
                  std::chrono::steady_clock::time_point deadline) {
  std::packaged_task<void()> ending([client = std::move(client), events]() mutable {
    rd_kafka_destroy_flags(client.release(), RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
  });
  const auto ended = ending.get_future();
  std::thread thread(std::move(ending));
  if (ended.wait_until(deadline) == std::future_status::ready) return thread.join();
  events->mute();
  thread.detach();
}

}  // namespace hb::kafka
