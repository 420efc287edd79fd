// The model against real hearts, and its promise: a reading depends on seed, customer and time alone.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "generator_source.hpp"
#include "heart_model.hpp"
#include "support/catch.hpp"

using generator::HeartModel;
using generator::OutlierRates;

namespace {

constexpr std::int64_t kDay = 86'400;
constexpr std::int64_t kNewYear = 1'767'225'600;  // 2026-01-01T00:00:00Z, in s

using Series = std::vector<int>;

// `length` readings of each customer from `first_slot` on.
std::vector<Series> simulate(const HeartModel::Parameters& parameters, std::int64_t first_slot, std::int64_t length) {
  HeartModel model(parameters);
  std::vector<Series> all(parameters.customers);
  for (std::int64_t slot = first_slot; slot < first_slot + length; ++slot) {
    const auto rates = model.at(slot);
    for (std::size_t i = 0; i < all.size(); ++i) all[i].push_back(rates[i]);
  }
  return all;
}

double mean(const Series& x) {
  double sum = 0;
  for (const int value : x) sum += value;
  return sum / static_cast<double>(x.size());
}

double deviation(const Series& x) {
  const double middle = mean(x);
  double sum = 0;
  for (const int value : x) sum += (value - middle) * (value - middle);
  return std::sqrt(sum / static_cast<double>(x.size()));
}

double correlation(const Series& x, std::size_t apart) {
  const Series early(x.begin(), x.end() - static_cast<std::ptrdiff_t>(apart));
  const Series late(x.begin() + static_cast<std::ptrdiff_t>(apart), x.end());
  const double early_mean = mean(early), late_mean = mean(late);
  double sum = 0;
  for (std::size_t i = 0; i < early.size(); ++i) sum += (early[i] - early_mean) * (late[i] - late_mean);
  return sum / static_cast<double>(early.size()) / deviation(early) / deviation(late);
}

Series sorted_steps(const Series& x) {
  Series steps;
  for (std::size_t i = 1; i < x.size(); ++i) steps.push_back(std::abs(x[i] - x[i - 1]));
  std::sort(steps.begin(), steps.end());
  return steps;
}

double share_up_to(const Series& sorted, int limit) {
  const auto end = std::upper_bound(sorted.begin(), sorted.end(), limit);
  return static_cast<double>(end - sorted.begin()) / static_cast<double>(sorted.size());
}

// Runs in which two series differ; differences less than a minute apart are one.
struct Difference {
  std::size_t begin;
  std::size_t end;
};
std::vector<Difference> differences(const Series& a, const Series& b) {
  std::vector<Difference> runs;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i]) continue;
    if (runs.empty() || i - runs.back().end > 60) runs.push_back({i, i});
    runs.back().end = i + 1;
  }
  return runs;
}

std::uint64_t fingerprint(const std::vector<Series>& all) {  // FNV-1a, 64 bits
  std::uint64_t hash = 0xCBF29CE484222325u;
  for (const Series& x : all) {
    for (const int value : x) hash = (hash ^ static_cast<std::uint64_t>(value)) * 0x100000001B3u;
  }
  return hash;
}

OutlierRates default_outliers() {
  const GeneratorSource::Outliers outliers;
  return {outliers.tachycardia, outliers.bradycardia, outliers.sensor_dropout, outliers.motion_spike};
}

}  // namespace

TEST_CASE("a free-living day at 1 Hz has the statistics of real ones") {
  const std::uint64_t seed = GENERATE(1u, 2u, 3u, 20'261'122u);
  const bool with_outliers = GENERATE(false, true);
  const OutlierRates outliers = with_outliers ? default_outliers() : OutlierRates{};
  const auto midnight = kNewYear + static_cast<std::int64_t>(seed % 300) * kDay;
  const auto people = simulate({seed, 12, 1'000'000, outliers}, midnight, kDay);
  for (std::size_t i = 0; i < people.size(); ++i) {
    CAPTURE(seed, with_outliers, i);
    const Series& day = people[i];
    const Series steps = sorted_steps(day);
    CHECK(correlation(day, 1) >= 0.99);
    const double minute = correlation(day, 60);
    CHECK((minute >= 0.6 && minute <= 0.95));
    const double unchanged = share_up_to(steps, 0);
    CHECK((unchanged >= 0.45 && unchanged <= 0.85));
    CHECK(share_up_to(steps, 1) >= 0.92);
    CHECK(steps[steps.size() * 99 / 100] <= 5);
    const double spread = deviation(day);
    CHECK((spread >= 9 && spread <= 28));
  }
}

TEST_CASE("people differ as people do, and sleep lower than they wake") {
  HeartModel model({5, 4000, 1'000'000, {}});
  Series night, noon;
  for (const std::uint8_t rate : model.at(kNewYear + 4 * 3600)) night.push_back(rate);
  for (const std::uint8_t rate : model.at(kNewYear + 12 * 3600)) noon.push_back(rate);
  // Rest 65.5 and the trough of -8.5 at four; between persons and days sd 7.7 and 6.6, sex 1.5, noise 2.7, 4 and 2.
  CHECK(mean(night) == Approx(57.0).margin(1.5));
  CHECK(deviation(night) == Approx(11.3).margin(1));
  CHECK(mean(noon) > mean(night) + 8);
  CHECK(*std::min_element(noon.begin(), noon.end()) >= 30);
}

TEST_CASE("the same seed gives these very values on every machine") {
  const HeartModel::Parameters parameters{42, 20, 1'000'000, {0.5, 0.5, 0.5, 5}};
  const auto people = simulate(parameters, kNewYear, 20'000);
  const Series noon(people[3].begin() + 12'000, people[3].begin() + 12'012);
  CHECK(noon == Series{62, 61, 61, 61, 61, 61, 62, 62, 61, 60, 59, 58});
  CHECK(fingerprint(people) == 0x3b2000ccccc45654u);
  CHECK(fingerprint(simulate({42, 20, 200, {}}, kNewYear * 5000, 20'000)) == 0x39d7c3f26a8660c5u);
  CHECK(fingerprint(simulate({42, 20, 60'000'000, {}}, kNewYear / 60, 20'000)) == 0x91b07d58160d1d5u);
  CHECK(fingerprint(simulate({43, 20, 1'000'000, {}}, kNewYear, 20'000)) !=
        fingerprint(simulate({42, 20, 1'000'000, {}}, kNewYear, 20'000)));
}

TEST_CASE("a reading does not depend on where the series was entered") {
  const auto interval = GENERATE(as<std::int64_t>{}, 200, 100'000, 1'000'000, 7'000'000, 60'000'000, 3'600'000'000);
  const HeartModel::Parameters parameters{9, 5, interval, {1, 1, 1, 20}};
  const std::int64_t first = (kNewYear + 20'000) * 1'000'000 / interval;
  const std::int64_t length = interval < 1'000'000 ? 50'000 : 10'000;
  const auto people = simulate(parameters, first, length);
  HeartModel other(parameters);
  std::mt19937_64 random(3);
  for (int i = 0; i < 300; ++i) {
    const auto offset = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(length));
    const auto rates = other.at(first + offset);
    for (std::size_t c = 0; c < people.size(); ++c) {
      CAPTURE(interval, offset, c);
      REQUIRE(rates[c] == people[c][static_cast<std::size_t>(offset)]);
    }
  }
}

TEST_CASE("a customer's readings do not depend on how many other customers there are") {
  const auto few = simulate({9, 3, 1'000'000, {}}, kNewYear, 3000);
  const auto many = simulate({9, 300, 1'000'000, {}}, kNewYear, 3000);
  for (std::size_t i = 0; i < few.size(); ++i) CHECK(few[i] == many[i]);
}

TEST_CASE("readings faster than the sensor repeat its value") {
  HeartModel model({9, 1, 10'000, {}});
  const std::int64_t together = model.slots_per_tick();
  CHECK(together == 32);  // 0.32 s
  const std::int64_t first = kNewYear * 100 / together * together;
  const auto people = simulate({9, 1, 10'000, {}}, first, 32 * 1000);
  for (std::size_t i = 0; i < people[0].size(); ++i) REQUIRE(people[0][i] == people[0][i / 32 * 32]);
}

TEST_CASE("outliers begin as often as asked, each kind in its own way") {
  constexpr std::uint32_t kPeople = 150;
  constexpr double kHours = kPeople * 24;
  const auto calm = simulate({77, kPeople, 1'000'000, {}}, kNewYear, kDay);
  const auto begun = [&](const OutlierRates& rates, const auto& check) {
    const auto people = simulate({77, kPeople, 1'000'000, rates}, kNewYear, kDay);
    double count = 0;
    for (std::size_t i = 0; i < people.size(); ++i) {
      for (const Difference& run : differences(people[i], calm[i])) {
        const Series values(people[i].begin() + static_cast<std::ptrdiff_t>(run.begin),
                            people[i].begin() + static_cast<std::ptrdiff_t>(run.end));
        check(values, people[i], calm[i], run);
        ++count;
      }
    }
    return count / kHours;
  };

  SECTION("tachycardia") {
    const double rate = begun({0.3, 0, 0, 0}, [](const Series& values, const auto&...) {
      CHECK(*std::max_element(values.begin(), values.end()) >= 120);
    });
    CHECK(rate == Approx(0.3).epsilon(0.12));  // of 1080, some run into one another
  }
  SECTION("bradycardia") {
    const double rate = begun({0, 0.3, 0, 0}, [](const Series& values, const auto&...) {
      if (values.size() > 60) CHECK(*std::min_element(values.begin(), values.end()) <= 45);
    });
    CHECK(rate == Approx(0.3).epsilon(0.12));
  }
  SECTION("sensor dropout") {
    const double rate = begun({0, 0, 0.5, 0}, [](const Series& values, const auto&...) {
      CHECK(std::count(values.begin(), values.end(), 0) > 0);
    });
    CHECK(rate == Approx(0.5).epsilon(0.08));
  }
  SECTION("motion spike") {
    const double rate =
        begun({0, 0, 0, 1}, [](const Series&, const Series& spiky, const Series& quiet, Difference run) {
          for (std::size_t i = run.begin; i < run.end; ++i) {
            const int height = std::abs(spiky[i] - quiet[i]);
            if (height != 0) CHECK((height >= 15 && height <= 70));
          }
        });
    CHECK(rate == Approx(1.0).epsilon(0.06));
  }
}
