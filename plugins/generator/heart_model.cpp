#include "heart_model.hpp"

#include <algorithm>
#include <cmath>

#include "random.hpp"

namespace generator {
namespace {

constexpr double kTickLimit = 0.5;          // s; ticks are made of readings up to this
constexpr double kBlockLimitSeconds = 900;  // within a block the circadian level is a straight line
constexpr std::int64_t kEpochTicks = 1024;
constexpr double kMemories = 6;                                           // e^-6: what is forgotten may be left out
constexpr double kSlowMemory = 900, kMediumMemory = 50, kFastMemory = 4;  // s
constexpr double kRiseTime = 35, kFallTime = 70, kSmoothingTime = 3;      // s
constexpr double kSleepNoise = 0.45;
constexpr std::size_t kCircadianPoints = 4096;
constexpr std::int64_t kMorningUs = kDayUs / 4;  // the new day's resting rate is reached at 6 h

constexpr double kByteSumDeviation = 104.511;  // of the sum of two uniform bytes: sqrt(2 * (256^2 - 1) / 12)
constexpr double kWordSumDeviation = 591.207;  // of the sum of four uniform 16-bit words, divided by 64

// Names of the streams below a customer's key.
enum Stream : std::uint64_t { kScheduleStream = 1, kNoiseStream, kSlowStream, kStaggerStream };

std::int32_t rounded(double value) {
  return static_cast<std::int32_t>(std::floor(value + 0.5));
}

// Share of the way that a first-order lag covers in `seconds`, of 65536.
std::int32_t share(double seconds, double time_constant) {
  return rounded(65536 * (1 - exponential(-std::min(seconds / time_constant, 100.0))));
}

std::int32_t scaled(std::int32_t value, std::int32_t of_65536) {
  return static_cast<std::int32_t>((std::int64_t{value} * of_65536) >> 16);
}

std::int64_t divide_up(std::int64_t value, std::int64_t divisor) {
  return (value + divisor - 1) / divisor;
}

}  // namespace

HeartModel::HeartModel(const Parameters& parameters) : parameters_(parameters) {
  clock_.tick_us = parameters.interval_us;
  while (static_cast<double>(clock_.tick_us) * 2e-6 <= kTickLimit) {
    clock_.tick_us *= 2;
    ++tick_shift_;
  }
  const double tick_s = static_cast<double>(clock_.tick_us) * 1e-6;
  while (block_ticks_ > 2 && block_ticks_ * tick_s > kBlockLimitSeconds) block_ticks_ /= 2;
  const double block_s = block_ticks_ * tick_s;
  while (static_cast<double>(slow_cell_blocks_) * 2 * block_s <= kSlowMemory / 8) slow_cell_blocks_ *= 2;

  epoch_blocks_ = kEpochTicks / block_ticks_;
  warm_up_blocks_ = static_cast<std::int64_t>(std::ceil(kMemories * kFallTime / block_s));
  const double cell_s = static_cast<double>(slow_cell_blocks_) * block_s;
  slow_window_cells_ = static_cast<std::int64_t>(std::ceil(kMemories * kSlowMemory / cell_s));

  slow_ = process(4, kSlowMemory, slow_cell_blocks_ * block_ticks_, kWordSumDeviation);
  medium_ = process(6, kMediumMemory, 1, kByteSumDeviation);
  fast_ = process(2.5, kFastMemory, 1, kByteSumDeviation);
  rise_ = share(tick_s, kRiseTime);
  fall_ = share(tick_s, kFallTime);
  smoothing_ = share(tick_s, kSmoothingTime);
  make_circadian();

  stride_ =
      static_cast<std::size_t>(divide_up(parameters.customers, 64) | 1) * 64;  // odd: no two rows on one cache set
  rates_.resize(stride_ * static_cast<std::size_t>(block_ticks_));
  customers_.resize(parameters.customers);
  for (std::uint64_t index = 0; index < customers_.size(); ++index) {
    const std::uint64_t key = sub_key(parameters.seed, index);
    Customer& customer = customers_[index];
    customer.schedule = Schedule(sub_key(key, kScheduleStream));
    customer.noise_key = sub_key(key, kNoiseStream);
    customer.slow_key = sub_key(key, kSlowStream);
    customer.stagger =
        static_cast<std::uint32_t>(sub_key(key, kStaggerStream) % static_cast<std::uint64_t>(epoch_blocks_));
  }
}

HeartModel::Process HeartModel::process(double deviation, double memory_s, std::int64_t ticks,
                                        double noise_deviation) const {
  const double step_s = static_cast<double>(ticks * clock_.tick_us) * 1e-6;
  const double kept = exponential(-std::min(step_s / memory_s, 100.0));
  const double gain = deviation * std::sqrt(1 - kept * kept) / noise_deviation * kBpm;
  return {rounded(65536 * (1 - kept)), rounded(gain), rounded(gain * kSleepNoise)};
}

// 24 h with amplitude 6 that peaks at 16 h, and 12 h with amplitude 2.5 that peaks at 10 and 22 h: lowest at 4 h.
void HeartModel::make_circadian() {
  circadian_.resize(kCircadianPoints);
  for (std::size_t i = 0; i < kCircadianPoints; ++i) {
    const double day = static_cast<double>(i) / kCircadianPoints;
    const auto wave = [day](double peak_hour, double cycles) {
      const double turns = (day - peak_hour / 24 + 1) * cycles;
      return cosine_of_turns(turns - std::floor(turns));
    };
    circadian_[i] = static_cast<std::int16_t>(rounded(256 * (6 * wave(16, 1) + 2.5 * wave(10, 2))));
  }
}

std::span<const std::uint8_t> HeartModel::at(std::int64_t slot) {
  const std::int64_t tick = slot >> tick_shift_;
  const std::int64_t block = tick / block_ticks_;
  if (block != block_) prepare(block);
  const auto row = static_cast<std::size_t>(tick % block_ticks_);
  return {rates_.data() + row * stride_, customers_.size()};
}

void HeartModel::prepare(std::int64_t block) {
  const bool next = block == block_ + 1;
  for (std::size_t i = 0; i < customers_.size(); ++i) {
    Customer& customer = customers_[i];
    const std::int64_t in_epoch = (block + customer.stagger) % epoch_blocks_;
    if (!next || in_epoch == 0) {
      enter_epoch(customer, block - in_epoch);
      for (std::int64_t b = block - in_epoch; b < block; ++b) advance(customer, b, rates_.data() + i, stride_);
    }
    advance(customer, block, rates_.data() + i, stride_);
  }
  block_ = block;
}

// Makes the state at the begin of `block` from the time before it alone.
void HeartModel::enter_epoch(Customer& customer, std::int64_t block) {
  const std::int64_t begin = block - warm_up_blocks_;
  const std::int64_t cell = begin / slow_cell_blocks_;
  customer.slow_next = 0;
  for (std::int64_t c = cell - slow_window_cells_; c <= cell; ++c) step_slow(customer, c);
  customer.medium = customer.fast = 0;
  customer.level = level_at(customer, begin);
  customer.effort = customer.schedule.at(begin * block_ticks_, clock_, parameters_.outliers).effort;
  customer.shown = customer.level + customer.effort;
  std::array<std::uint8_t, kBlockLimit> unused;
  for (std::int64_t b = begin; b < block; ++b) advance(customer, b, unused.data(), 1);
}

// Makes the rates of `block`. The state is that at its begin before, that at its end after.
void HeartModel::advance(Customer& customer, std::int64_t block, std::uint8_t* rates, std::size_t stride) {
  const std::int64_t tick = block * block_ticks_;
  Noise noise;
  draw_noise(customer, tick, noise);
  if ((block + 1) % slow_cell_blocks_ == 0) step_slow(customer, (block + 1) / slow_cell_blocks_);
  const std::int32_t level = customer.level;
  customer.level = level_at(customer, block + 1);
  const std::int32_t slope = (customer.level - level) / block_ticks_;

  for (int begin = 0; begin < block_ticks_;) {
    const Conditions& conditions = customer.schedule.at(tick + begin, clock_, parameters_.outliers);
    const auto end = static_cast<int>(std::min<std::int64_t>(block_ticks_, conditions.until - tick));
    const Segment segment{begin, end, level, slope, conditions};
    const bool eventful = conditions.episode != 0 || conditions.spike != 0 || conditions.dropout;
    if (eventful) {
      run<true>(customer, segment, noise, rates, stride);
    } else {
      run<false>(customer, segment, noise, rates, stride);
    }
    begin = end;
  }
}

// One 64-bit number gives two ticks two sums of two bytes each: near enough to normal once the processes have added
// them up.
void HeartModel::draw_noise(const Customer& customer, std::int64_t tick, Noise& noise) const {
  const auto byte_sum = [](std::uint64_t random, int shift) {
    return static_cast<std::int32_t>((random >> shift & 0xFF) + (random >> (shift + 8) & 0xFF)) - 255;
  };
  for (int i = 0; i < block_ticks_; i += 2) {
    const std::uint64_t random = random_at(customer.noise_key, static_cast<std::uint64_t>(tick + i) / 2);
    const auto at = static_cast<std::size_t>(i);
    noise.medium[at] = byte_sum(random, 0);
    noise.fast[at] = byte_sum(random, 16);
    noise.medium[at + 1] = byte_sum(random, 32);
    noise.fast[at + 1] = byte_sum(random, 48);
  }
}

template <bool kEventful>
void HeartModel::run(Customer& customer, const Segment& segment, const Noise& noise, std::uint8_t* rates,
                     std::size_t stride) const {
  constexpr std::int32_t kLowest = 30, kHighest = 220;
  const Conditions& conditions = segment.conditions;
  const std::int32_t medium_gain = conditions.asleep ? medium_.gain_asleep : medium_.gain;
  std::int32_t medium = customer.medium, fast = customer.fast, effort = customer.effort, shown = customer.shown;
  std::int32_t level = segment.level + segment.slope * segment.begin;
  for (int i = segment.begin; i < segment.end; ++i) {
    const auto at = static_cast<std::size_t>(i);
    medium += medium_gain * noise.medium[at] - scaled(medium, medium_.decay);
    fast += fast_.gain * noise.fast[at] - scaled(fast, fast_.decay);
    const std::int32_t missing = conditions.effort - effort;
    effort += scaled(missing, missing > 0 ? rise_ : fall_);
    std::int32_t rate = level + medium + fast + effort;
    if constexpr (kEventful) {
      if (conditions.episode > 0) rate = std::max(rate, conditions.episode + fast);
      if (conditions.episode < 0) rate = std::min(rate, fast / 2 - conditions.episode);
    }
    shown += scaled(rate - shown, smoothing_);
    level += segment.slope;
    std::int32_t bpm = std::clamp((shown + kBpm / 2) >> 16, kLowest, kHighest);
    if constexpr (kEventful) {
      // A spike keeps its height: one that would fall below what a sensor shows goes up instead.
      if (conditions.spike != 0) bpm += bpm + conditions.spike < 20 ? -conditions.spike : conditions.spike;
      if (conditions.dropout) bpm = 0;
      bpm = std::min(bpm, 250);
    }
    rates[at * stride] = static_cast<std::uint8_t>(bpm);
  }
  customer.medium = medium;
  customer.fast = fast;
  customer.effort = effort;
  customer.shown = shown;
}

// Rest, time of day and slow noise at the begin of `block`. The slow process must stand in its cell.
std::int32_t HeartModel::level_at(Customer& customer, std::int64_t block) const {
  const std::int64_t local_us = block * block_ticks_ * clock_.tick_us + customer.schedule.local_shift_us();
  const auto time_of_day = static_cast<std::uint64_t>(local_us % kDayUs);
  const std::int32_t circadian = circadian_[time_of_day * kCircadianPoints / kDayUs] * (kBpm / 256);
  const auto in_cell = static_cast<std::int32_t>(block % slow_cell_blocks_);
  const auto cell_blocks = static_cast<std::int32_t>(slow_cell_blocks_);
  const std::int32_t slow = customer.slow + (customer.slow_next - customer.slow) / cell_blocks * in_cell;
  return rest_at(customer, local_us) + circadian + slow;
}

// Moves the slow process to the cell `cell`: `slow` at its begin, `slow_next` at its end.
void HeartModel::step_slow(Customer& customer, std::int64_t cell) const {
  const std::uint64_t random = random_at(customer.slow_key, static_cast<std::uint64_t>(cell));
  std::int32_t sum = -2 * 65535;
  for (int lane = 0; lane < 64; lane += 16) sum += static_cast<std::int32_t>(random >> lane & 0xFFFF);
  customer.slow = customer.slow_next;
  customer.slow_next += slow_.gain * (sum >> 6) - scaled(customer.slow, slow_.decay);
}

// The resting rate moves from one day's to the next's while the customer sleeps.
std::int32_t HeartModel::rest_at(Customer& customer, std::int64_t local_us) const {
  const std::int64_t day = local_us / kDayUs;
  if (day != customer.rest_day) {
    customer.rest_before = rounded(customer.schedule.rest(day - 1) * kBpm);
    customer.rest = rounded(customer.schedule.rest(day) * kBpm);
    customer.rest_day = day;
  }
  const std::int64_t time_of_day = local_us % kDayUs;
  if (time_of_day >= kMorningUs) return customer.rest;
  const auto passed = static_cast<std::int32_t>(time_of_day * 65536 / kMorningUs);
  return customer.rest_before + scaled(customer.rest - customer.rest_before, passed);
}

}  // namespace generator
