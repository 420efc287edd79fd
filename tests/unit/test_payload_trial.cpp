// Payloads through probe plugins: where in the order of a message stands what each part has become.
#include "payload_trial.hpp"

#include <fstream>
#include <numeric>

#include "journal/journal.hpp"
#include "quiet_log.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace hbagent;  // NOLINT(google-build-using-namespace): the subject of every line here

namespace {

std::string processor(const std::string& name, const std::string& more) {
  return "[[processor]]\nplugin = \"probe\"\nname = \"" + name + "\"\n" + more + "\n";
}

class Trial {
 public:
  explicit Trial(const std::string& processors = "", std::chrono::milliseconds patience = PayloadTrial::kPatience) {
    const std::string file = (folder_.path() / "agent.toml").string();
    std::ofstream(file) << "[[source]]\nplugin = \"probe\"\n[[sink]]\nplugin = \"probe\"\npath = \"none\"\n" +
                               processors;
    Problems problems(file);
    config_ = load_shared_config(file, {HBAGENT_TEST_PLUGINS}, problems);
    if (config_ == nullptr) throw std::runtime_error(problems.lines().front());
    trial_ = std::make_unique<PayloadTrial>(config_->sources[0], config_->processors, quiet(), patience);
    std::string error;
    if (!trial_->create(error) || !trial_->open(error)) throw std::runtime_error(error);
  }
  // Times of readings and, in brackets, reasons; or the error.
  std::string run(const std::string& payload, const std::optional<std::string>& key = "anna") {
    PayloadInput input;
    input.payload = payload;
    input.key = key;
    input.received_us = 5;
    std::string error, text;
    if (!trial_->run(input, parts_, error)) return error;
    for (const DecodedPart& part : parts_) {
      if (!text.empty()) text += ' ';
      text += part.verdict == 0 ? std::to_string(part.reading.time_us) : '[' + part.reason + ']';
    }
    return text;
  }
  const std::vector<DecodedPart>& parts() const { return parts_; }

 private:
  TemporaryFolder folder_;
  std::shared_ptr<const Config> config_;
  std::unique_ptr<PayloadTrial> trial_;
  std::vector<DecodedPart> parts_;
};

}  // namespace

TEST_CASE("without processors a payload is what its source decodes") {
  Trial trial;
  CHECK(trial.run("7 x zero 8") == "7 [no_number] [zero_bpm] 8");
  CHECK(trial.parts()[1].detail == "for the test");
  CHECK(trial.parts()[1].verdict == HB_VERDICT_REJECT);
  CHECK(trial.parts()[2].verdict == HB_VERDICT_DISCARD);
  CHECK(trial.run("").empty());
  CHECK(trial.run("7 8", std::nullopt) == "[bad_customer_id] [bad_customer_id]");
}

TEST_CASE("what processors remove stands where the reading stood, and what they add behind the message") {
  Trial trial(processor("thin", "discard_every = 3") + processor("add", "add_every = 1") +
              processor("bound", "reject_every = 4"));
  CHECK(trial.run("1 x 3 zero 4 5 6 7 10") ==
        "1 [no_number] [thinned] [zero_bpm] [out_of_range] 5 [thinned] 7 10 1000000002");
  CHECK(trial.parts()[4].detail == "for the test");
  CHECK(trial.run("3 x") == "[thinned] [no_number] 1000000003");         // one that adds sees an empty batch, too
  CHECK(trial.run("x") == "[no_number]");                                // no reading, no batch
  CHECK(trial.run("9 8") == "[thinned] [out_of_range] [out_of_range]");  // 1000000004, which was added, is a multiple
}

TEST_CASE("a message of more readings than go through at once keeps its order") {
  std::string payload, expected;
  for (std::size_t time = 1; time <= 2 * kSliceReadings + 10; ++time) {
    payload += std::to_string(time) + (time % 1000 == 0 ? " x " : " ");
    if (time > 1) expected += ' ';
    expected += time % 7 == 0 ? "[thinned]" : std::to_string(time);
    if (time % 1000 == 0) expected += " [no_number]";
  }
  CHECK(Trial(processor("thin", "discard_every = 7")).run(payload) == expected);
}

TEST_CASE("a processor that asks to retry is tried again on the readings as they were") {
  for (const char* reopen : {"false", "true"}) {
    Trial trial(processor("late", "failures = 2\nspoil_before_failure = true\nreopen = " + std::string(reopen)));
    CHECK(trial.run("7 8") == "7 8");
    CHECK(trial.parts()[0].reading.heart_rate == 60);
  }
}

TEST_CASE("what cannot be run says who could not") {
  CHECK(Trial().run("7 wait") == "source/probe: the probe has nothing to decode it with now");
  CHECK(Trial().run("7 fail") == "source/probe: the probe cannot decode this");
  CHECK(Trial(processor("late", "failures = 1000000"), std::chrono::milliseconds(150)).run("7") ==
        "processor/late: the probe fails");
}
