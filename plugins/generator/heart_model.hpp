// Heart rates of all customers, tick by tick, in integers: a pure function of seed, customer and tick.
//
// A tick is the time in which a wearable renews its value: one reading, or several where readings are less than a
// quarter of a second apart. The model works in blocks of 2 to 16 ticks, customer by customer, so that a customer's
// state stays in registers for a block; rows of one tick come out.
//
// Noise and lags remember. So that any tick can be reached without those before it, a customer's memory is made anew at
// each epoch (1024 ticks, staggered over the customers) from the time just before the epoch: what an endless memory
// would hold more is e^-6 of it. Reaching any tick costs at most an epoch a customer, about 10 us on average.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "schedule.hpp"

namespace generator {

class HeartModel {
 public:
  struct Parameters {
    std::uint64_t seed = 1;
    std::uint32_t customers = 1;
    std::int64_t interval_us = 1'000'000;  // between two readings of one customer
    OutlierRates outliers;
  };
  static constexpr int kBlockLimit = 16;

  // About 250 bytes a customer.
  explicit HeartModel(const Parameters& parameters);

  // The heart rates in bpm (0: the sensor has no contact) of all customers at `slot`, the number of the interval since
  // the Unix epoch. Valid until the next call. Fast when slots rise, correct for any slot >= 0.
  std::span<const std::uint8_t> at(std::int64_t slot);

  // Readings of one customer that share one tick, a power of two.
  std::int64_t slots_per_tick() const { return std::int64_t{1} << tick_shift_; }

 private:
  struct Customer {
    std::uint64_t noise_key = 0;
    std::uint64_t slow_key = 0;
    std::int64_t rest_day = INT64_MIN;
    std::int32_t rest_before = 0;  // at rest on the day before rest_day, and on it
    std::int32_t rest = 0;
    std::int32_t level = 0;  // rest + circadian + slow noise at the begin of the next block
    std::int32_t slow = 0;   // at the begin and at the end of the current cell
    std::int32_t slow_next = 0;
    std::int32_t medium = 0;
    std::int32_t fast = 0;
    std::int32_t effort = 0;  // what the heart does of the effort that is asked
    std::int32_t shown = 0;   // what the device shows, smoothed
    std::uint32_t stagger = 0;
    Schedule schedule;
  };
  // An Ornstein-Uhlenbeck process in discrete time: x -= x * decay, then x += gain * noise.
  struct Process {
    std::int32_t decay = 0;  // of 65536
    std::int32_t gain = 0;
    std::int32_t gain_asleep = 0;
  };
  struct Noise {
    std::array<std::int32_t, kBlockLimit> medium;
    std::array<std::int32_t, kBlockLimit> fast;
  };
  struct Segment {  // ticks of one block under the same conditions
    int begin;
    int end;
    std::int32_t level;
    std::int32_t slope;
    Conditions conditions;
  };

  Process process(double deviation, double memory_s, std::int64_t ticks, double noise_deviation) const;
  void make_circadian();
  void prepare(std::int64_t block);
  void enter_epoch(Customer& customer, std::int64_t block);
  void advance(Customer& customer, std::int64_t block, std::uint8_t* rates, std::size_t stride);
  void draw_noise(const Customer& customer, std::int64_t tick, Noise& noise) const;
  template <bool kEventful>
  void run(Customer& customer, const Segment& segment, const Noise& noise, std::uint8_t* rates,
           std::size_t stride) const;
  std::int32_t level_at(Customer& customer, std::int64_t block) const;
  void step_slow(Customer& customer, std::int64_t cell) const;
  std::int32_t rest_at(Customer& customer, std::int64_t local_us) const;

  Parameters parameters_;
  int tick_shift_ = 0;
  Clock clock_;
  int block_ticks_ = kBlockLimit;
  std::int64_t epoch_blocks_ = 0;
  std::int64_t warm_up_blocks_ = 0;
  std::int64_t slow_cell_blocks_ = 1;
  std::int64_t slow_window_cells_ = 0;
  Process slow_, medium_, fast_;
  std::int32_t rise_ = 0;  // of 65536 a tick
  std::int32_t fall_ = 0;
  std::int32_t smoothing_ = 0;
  std::vector<std::int16_t> circadian_;  // 1/256 bpm over the local day

  std::vector<Customer> customers_;
  std::vector<std::uint8_t> rates_;  // block_ticks_ rows, `stride_` apart
  std::size_t stride_ = 0;
  std::int64_t block_ = INT64_MIN;
};

}  // namespace generator
