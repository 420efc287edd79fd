// Plugins whose behaviour a test chooses: what they emit, when they fail, what they refuse.
#include <hbagent/sdk.hpp>

#include <fstream>
#include <set>
#include <sstream>

namespace {

class ProbeSource {
 public:
  struct Config {
    std::int64_t count = 1000;
    std::int64_t batch = 100;
    std::int64_t first = 0;
    std::int64_t discard_every = 0;
    std::int64_t dead_letter_every = 0;
    std::int64_t failures = 0;
    std::int64_t flag_every = 0;
    std::chrono::microseconds ahead{0};
    bool finish = true;
    bool refuse_config = false;
  };
  static constexpr auto options = hb::options(
      hb::option("count", &Config::count, "Readings to emit."),
      hb::option("batch", &Config::batch, "Readings an emit."),
      hb::option("first", &Config::first, "Serial number of the first reading, which is its time."),
      hb::option("discard_every", &Config::discard_every, "Discard one after so many emits; 0: never."),
      hb::option("dead_letter_every", &Config::dead_letter_every, "A dead letter after so many emits; 0: never."),
      hb::option("failures", &Config::failures, "How often run fails before it begins."),
      hb::option("flag_every", &Config::flag_every, "Flag every n-th reading as high; 0: none."),
      hb::option("ahead", &Config::ahead, "How far receive times are ahead of the clock."),
      hb::option("finish", &Config::finish, "End after the last; else wait to be stopped."),
      hb::option("refuse_config", &Config::refuse_config, "Throw in the constructor."));

  ProbeSource(const Config& config, hb::Host host) : config_(config), host_(host) {
    if (config.refuse_config) throw hb::Failed("this configuration is refused");
  }
  void open() { ++opened_; }
  void run() {
    if (opened_ <= config_.failures) throw hb::Retry("not yet");
    std::vector<hb::Reading> readings;
    while (emitted_ < config_.count && !host_.stopping()) {
      readings.clear();
      while (emitted_ < config_.count && static_cast<std::int64_t>(readings.size()) < config_.batch) {
        hb::Reading reading{};
        reading.time_us = config_.first + emitted_++;
        reading.received_us = host_.now_us() + config_.ahead.count();
        reading.heart_rate = 60;
        if (config_.flag_every > 0 && emitted_ % config_.flag_every == 0) reading.flags = HB_FLAG_HIGH;
        hb::set_customer_id(reading, "probe");
        readings.push_back(reading);
      }
      ++token_;
      const auto emits = static_cast<std::int64_t>(token_);
      if (config_.discard_every > 0 && emits % config_.discard_every == 0) host_.discard("zero_bpm", 2);
      if (config_.dead_letter_every > 0 && emits % config_.dead_letter_every == 0) {
        host_.dead_letter({"bad_json", "for the test", "probe", "{"});
      }
      if (!host_.emit(readings, token_)) return;
    }
    while (!config_.finish && !host_.wait(std::chrono::milliseconds(1000))) {
    }
  }
  // Numbers, which become the times of readings, and other words: "zero" holds no reading, "wait" cannot be decoded
  // now, "fail" never, and "what" is answered with what came with it.
  void decode(const hb::DecodeInput& input, const hb::DecodeOutput& output) const {
    std::istringstream words{std::string(input.payload)};
    for (std::string word; words >> word;) {
      if (word == "wait") throw hb::Retry("the probe has nothing to decode it with now");
      if (word == "fail") throw hb::Failed("the probe cannot decode this");
      if (word == "zero") {
        output.discard("zero_bpm");
      } else if (word == "what") {
        std::string told = std::string(input.topic) + " at " + std::to_string(input.received_us);
        if (input.retained) told += ", retained";
        output.discard("told", told.c_str());
      } else if (word.find_first_not_of("0123456789") != std::string::npos) {
        output.reject("no_number", "for the test", word);
      } else {
        hb::Reading reading{};
        reading.time_us = std::stoll(word);
        reading.received_us = input.received_us;
        reading.heart_rate = 60;
        if (!input.key.empty()) hb::set_customer_id(reading, input.key);
        output.reading(reading);
      }
    }
  }
  void close() {
    host_.gauge("acked_token", static_cast<double>(host_.acked()));
    host_.gauge("last_token", static_cast<double>(token_));
  }

 private:
  Config config_;
  hb::Host host_;
  std::int64_t opened_ = 0;
  std::int64_t emitted_ = 0;
  std::uint64_t token_ = 0;
};

class ProbeProcessor {
 public:
  struct Config {
    std::int64_t discard_every = 0, reject_every = 0, add_every = 0, failures = 0, open_failures = 0;
    bool spoil_before_failure = false, reopen = false;
  };
  static constexpr auto options = hb::options(
      hb::option("discard_every", &Config::discard_every, "Discard readings whose time is a multiple; 0: none."),
      hb::option("reject_every", &Config::reject_every, "Reject readings whose time is a multiple; 0: none."),
      hb::option("add_every", &Config::add_every, "Add a reading to every n-th batch; 0: none."),
      hb::option("failures", &Config::failures, "How many calls fail first."),
      hb::option("open_failures", &Config::open_failures, "How many opens fail after the first."),
      hb::option("reopen", &Config::reopen, "Failures ask to be opened again."),
      hb::option("spoil_before_failure", &Config::spoil_before_failure, "Change the readings before it fails."));

  ProbeProcessor(const Config& config, hb::Host) : config_(config) {}
  void open() {
    if (++opens_ > 1 && opens_ <= config_.open_failures + 1) throw hb::Retry("cannot open yet");
    open_ = true;
  }
  void close() { open_ = false; }
  void process(hb::MutableBatch& batch) {
    if (!open_) throw hb::Failed("process was called on a closed processor");
    if (++calls_ <= config_.failures) {
      for (auto& reading : batch) reading.heart_rate = config_.spoil_before_failure ? -1 : reading.heart_rate;
      batch.reject(0, "never_counts");
      if (config_.reopen) throw hb::Reopen("the probe's connection broke");
      throw hb::Retry("the probe fails");
    }
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const std::int64_t time = batch[i].time_us;
      if (config_.discard_every > 0 && time % config_.discard_every == 0) batch.discard(i, "thinned");
      if (config_.reject_every > 0 && time % config_.reject_every == 0) batch.reject(i, "out_of_range", "for the test");
    }
    if (config_.add_every > 0 && calls_ % config_.add_every == 0) {
      hb::Reading extra{};
      hb::set_customer_id(extra, "added");
      extra.time_us = 1'000'000'001 + calls_;
      if (!batch.append(extra)) throw hb::Failed("no room");
    }
  }

 private:
  Config config_;
  std::int64_t calls_ = 0, opens_ = 0;
  bool open_ = false;
};

class ProbeSink {
 public:
  struct Config {
    std::string path;
    std::int64_t failures = 0, reject_every = 0, retry_every = 0, duplicate_every = 0, open_failures = 0, reopens = 0;
    bool dead = false, fail_for_good = false, hang_until_stopped = false;
  };
  static constexpr auto options = hb::options(
      hb::option("path", &Config::path, "File that gets the time of each delivered reading, a line each."),
      hb::option("failures", &Config::failures, "How many writes fail first."),
      hb::option("open_failures", &Config::open_failures, "How many opens fail first."),
      hb::option("reopens", &Config::reopens, "How many writes ask to be opened again first."),
      hb::option("reject_every", &Config::reject_every, "Reject readings whose time is a multiple; 0: none."),
      hb::option("retry_every", &Config::retry_every, "Ask once to retry readings whose time is a multiple; 0: none."),
      hb::option("duplicate_every", &Config::duplicate_every, "Call readings whose time is a multiple duplicates."),
      hb::option("dead", &Config::dead, "Every write fails."),
      hb::option("fail_for_good", &Config::fail_for_good, "The first write fails for good."),
      hb::option("hang_until_stopped", &Config::hang_until_stopped, "The first write waits for the stop."));

  ProbeSink(const Config& config, hb::Host host) : config_(config), host_(host) {}
  void open() {
    if (++opens_ <= config_.open_failures) throw hb::Retry("cannot open yet");
    if (!config_.path.empty()) out_.open(config_.path, std::ios::app);
    host_.gauge("opens", static_cast<double>(opens_));
  }
  void close() { out_.close(); }
  void write(hb::Batch batch) {
    ++writes_;
    largest_ = std::max(largest_, batch.size());
    host_.gauge("largest_write", static_cast<double>(largest_));
    if (config_.dead) throw hb::Retry("the far side is dead");
    if (config_.fail_for_good) throw hb::Failed("wrong password");
    if (config_.hang_until_stopped) {
      while (!host_.wait(std::chrono::milliseconds(1000))) {
      }
      throw hb::Retry("stopped while it hung");
    }
    if (writes_ <= config_.failures) {
      batch.reject(0, "never_counts");
      throw hb::Retry("the probe fails");
    }
    if (writes_ <= config_.failures + config_.reopens) throw hb::Reopen("the connection broke");
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const std::int64_t time = batch[i].time_us;
      if (config_.reject_every > 0 && time % config_.reject_every == 0) {
        batch.reject(i, "check_violation", "SQLSTATE 23514");
      } else if (config_.retry_every > 0 && time % config_.retry_every == 0 && retried_.insert(time).second) {
        batch.retry(i);
      } else {
        if (config_.duplicate_every > 0 && time % config_.duplicate_every == 0) batch.duplicate(i);
        out_ << time << '\n';
      }
    }
    out_.flush();
  }

 private:
  Config config_;
  hb::Host host_;
  std::ofstream out_;
  std::set<std::int64_t> retried_;
  std::int64_t opens_ = 0, writes_ = 0;
  std::size_t largest_ = 0;
};

}  // namespace

HB_PLUGINS(hb::source<ProbeSource>("probe", "Emits numbered readings, as a test wants."),
           hb::processor<ProbeProcessor>("probe", "Removes and adds readings, as a test wants."),
           hb::sink<ProbeSink>("probe", "Writes times to a file, and fails, as a test wants."))
