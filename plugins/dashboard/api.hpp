// What the page asks for, as JSON, out of a board that the sink's thread fills meanwhile.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>

#include "board.hpp"
#include "request.hpp"
#include "snapshot.hpp"

namespace hb::dashboard {

// The lock is held for a batch of readings, or for one look.
struct SharedBoard {
  explicit SharedBoard(const Board::Config& config) : board(config) {}
  std::mutex mutex;
  Board board;
};

// One snapshot, serialised once for all viewers: as a server-sent event, in which the JSON lies.
struct Frame {
  std::string event;
  std::size_t json_begin = 0;
  std::size_t json_size = 0;
  std::string_view json() const { return std::string_view(event).substr(json_begin, json_size); }
};

// A parameter that is not as it must be; the text is for a person.
struct BadParameter : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// All but the board belongs to one thread.
class Api {
 public:
  // On demand a snapshot is made anew when the last one is older than this.
  static constexpr std::chrono::milliseconds kFresh{100};
  static constexpr std::size_t kMostTiles = 500;
  static constexpr std::size_t kMostSeries = 8;

  // `now_us`: the wall clock, in microseconds since the epoch. `board` outlives this.
  Api(SharedBoard& board, About about, std::function<std::int64_t()> now_us);

  std::shared_ptr<const Frame> new_frame();
  // The last one where it is fresh, else a new one.
  std::shared_ptr<const Frame> frame();
  // Both throw BadParameter.
  std::string customers(const Target& target);
  std::string history(const Target& target);

 private:
  SharedBoard& board_;
  const About about_;
  const std::function<std::int64_t()> now_us_;
  std::uint64_t n_ = 0;
  std::shared_ptr<const Frame> last_;
  std::chrono::steady_clock::time_point made_;
};

}  // namespace hb::dashboard
