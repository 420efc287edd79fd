// The audit's arithmetic, on figures of which one is wrong, and on those of a real run.
#include <functional>
#include <nlohmann/json.hpp>

#include "reconcile.hpp"
#include "run_figures.hpp"
#include "support/catch.hpp"

using namespace hbagent;  // NOLINT(google-build-using-namespace): the subject of every line here

namespace {

// Two sources, one that a reload took out, a sink from the beginning and one that came after 100 readings; everything
// that can be counted is.
RunFigures sound() {
  RunFigures run;
  RunFigures::Source ward{"ward", "file", {}, {}};
  ward.terms.received = 1000;
  ward.terms.added = 5;
  ward.terms.discarded = {{"no_contact", 3}};
  ward.terms.dead_lettered = {{"bad_json", 4}, {"jump", 6}};
  ward.terms.refused_again = 2;
  ward.terms.removed = {{"out_of_range", 12}};
  ward.terms.journaled = 980;
  run.sources = {ward};
  run.ended_sources.received = run.ended_sources.journaled = 20;
  run.appended = 1000;

  RunFigures::Sink first{"first", "postgres", {}};
  first.terms.lay_before = 50;
  first.terms.journaled = 1050;
  first.terms.delivered = 900;
  first.terms.duplicate = 30;
  first.terms.filtered = 40;
  first.terms.dropped = 7;
  first.terms.rejected = {{"22003", 3}};
  first.terms.pending = 100;
  RunFigures::Sink later{"later", "null", {}};
  later.terms.lay_before = 10;
  later.terms.began_at = 100;
  later.terms.journaled = later.terms.delivered = 910;
  run.sinks = {first, later};
  run.ended_rejected = {{"23505", 1}};
  run.letters_written = 4 + 6 - 2 + 3 + 1;
  return run;
}

}  // namespace

TEST_CASE("figures that agree are balanced, and each account is one line") {
  const RunFigures run = sound();
  CHECK(imbalances(run).empty());
  CHECK(run.dead_lettered() == 14);
  CHECK(run.pending() == 100);
  CHECK(account_line(run.sources[0]) ==
        "source ward: received 1,000 + added 5 = journaled 980 + removed 12 (out_of_range 12) + discarded 3 "
        "(no_contact 3) + dead-lettered 10 (bad_json 4, jump 6)");
  CHECK(account_line(run.sinks[0]) ==
        "sink first: journaled 1,050 = stored 900 (of it 30 before) + filtered 40 + rejected 3 (22003 3) + dropped 7 + "
        "pending 100");
  CHECK(account_line(run.sinks[1]) == "sink later: journaled 910 = stored 910 + pending 0");
}

TEST_CASE("each number that is wrong alone is found, with both sides and the difference") {
  struct Case {
    const char* what;
    std::function<void(RunFigures&)> spoil;
    const char* told;
  };
  const Case all[] = {
      {"a reading lost on its way in", [](RunFigures& run) { run.sources[0].terms.received += 2; },
       "source ward received (with what processors added) 1,007, but accounts for 1,005: 2 are missing"},
      {"a removal counted twice", [](RunFigures& run) { run.sources[0].terms.removed["out_of_range"] += 3; },
       "source ward received (with what processors added) 1,005, but accounts for 1,008: 3 too many"},
      {"a source that is gone", [](RunFigures& run) { run.ended_sources.received = 21; },
       "sources that a reload took out received 21, but account for 20: 1 are missing"},
      {"a reading lost between source and journal", [](RunFigures& run) { run.appended = 999; },
       "all sources together journaled 1,000, but the journal took 999: 1 are missing"},
      {"a reading that no sink was shown",
       [](RunFigures& run) {
         run.sinks[0].terms.journaled -= 5;
         run.sinks[0].terms.delivered -= 5;
       },
       "before sink first lay, or were journaled since it began, 1,050, but it saw 1,045: 5 are missing"},
      {"a reading shown twice to a sink that came later",
       [](RunFigures& run) {
         run.sinks[1].terms.journaled += 1;
         run.sinks[1].terms.delivered += 1;
       },
       "before sink later lay, or were journaled since it began, 910, but it saw 911: 1 too many"},
      {"a reading lost in a sink", [](RunFigures& run) { run.sinks[0].terms.delivered -= 4; },
       "sink first saw 1,050, but accounts for 1,046: 4 are missing"},
      {"more duplicates than deliveries", [](RunFigures& run) { run.sinks[1].terms.duplicate = 911; },
       "sink later stored 910, but 911 of them were there before: 1 too many"},
      {"a letter that was never written", [](RunFigures& run) { run.letters_written -= 1; },
       "new to the dead letters went 12, but letters were written: 11: 1 are missing"},
  };
  for (const Case& each : all) {
    INFO(each.what);
    RunFigures run = sound();
    each.spoil(run);
    const auto found = imbalances(run);
    REQUIRE(found.size() == 1);
    CHECK(found[0] == each.told);
  }
}

TEST_CASE("a line says itself when its account does not agree, and letters ahead of the accounts are none of that") {
  RunFigures run = sound();
  run.letters_written += 100;
  CHECK(imbalances(run).empty());
  run.sinks[1].terms.pending = 1;
  CHECK(account_line(run.sinks[1]) == "sink later: journaled 910 is not stored 910 + pending 1");
  run.sources[0].terms.journaled = 0;
  CHECK_THAT(account_line(run.sources[0]), contains_text("added 5 is not journaled 0"));
}

TEST_CASE("what is no document of a run is refused with what is wrong in it") {
  CHECK_THROWS_WITH(read_figures(""), contains_text("no JSON"));
  CHECK_THROWS_WITH(read_figures("{"), contains_text("no JSON"));
  CHECK_THROWS_WITH(read_figures("[]"), contains_text("type"));
  CHECK_THROWS_WITH(read_figures("{}"), contains_text("agent"));
  CHECK_THROWS_WITH(read_figures(R"({"agent": "a", "sources": [], "sinks": []})"), contains_text("ended_sources"));
  CHECK_THROWS_WITH(read_figures(R"({"agent": "a", "sources": [{"name": "s", "plugin": "p", "received": -1}]})"),
                    contains_text("\"received\" is no count"));
}
