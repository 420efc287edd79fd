// Hands batches to the agent on a thread of its own. emit blocks for as long as the journal is full; meanwhile the
// source must stay a live member of its consumer group.
#pragma once

#include <hbagent/host.hpp>

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "rdkafka.hpp"

namespace hb::kafka {

// A flag that threads of librdkafka set and the source waits for.
class Wake {
 public:
  void set() noexcept;  // [any thread]
  // Returns when the flag is set, which it takes back, or when the time is over.
  void wait_for(std::chrono::milliseconds time);

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  bool set_ = false;
};

// Records as the agent is to see them, in their order.
struct DecodedBatch {
  // One element of a record that holds several.
  struct Part {
    std::string origin, payload, key;
  };
  struct Reject {
    Message message;  // keeps the original bytes; none where there is a part
    const char* reason;
    const char* detail;
    std::unique_ptr<Part> part = nullptr;
  };
  std::uint64_t token = 0;
  std::vector<Reading> readings;
  std::vector<Reject> rejects;
  std::map<const char*, std::uint64_t> discards;  // by reason; the texts have static storage

  bool empty() const { return readings.empty() && rejects.empty() && discards.empty(); }
  void clear();
};

// "heartbeats[3]@1042": where a record lies, as dead letters say it.
std::string origin_of(const rd_kafka_message_t& message);

class Emitter {
 public:
  // Starts the thread. `wake` is set whenever a batch is done, and outlives the emitter.
  Emitter(Host host, Wake& wake);
  // Waits for the batch under way: emit returns when the journal has room or the agent stops.
  ~Emitter();
  Emitter(const Emitter&) = delete;
  Emitter& operator=(const Emitter&) = delete;

  // Whether it can take a batch. Throws what the last one met: hb::Failed, hb::Retry.
  bool is_idle();
  // Whether the agent has refused a batch because it is stopping. None is taken from then on.
  bool is_refused();
  // Takes the batch and leaves an empty one. REQUIRES: is_idle().
  void hand_over(DecodedBatch& batch);

 private:
  void run() noexcept;
  bool emit(DecodedBatch& batch) const;

  Host host_;
  Wake& wake_;
  std::mutex mutex_;
  std::condition_variable changed_;
  DecodedBatch batch_;
  bool busy_ = false;
  bool refused_ = false;
  bool ending_ = false;
  std::exception_ptr failure_;
  std::thread thread_;
};

}  // namespace hb::kafka
