#include "api.hpp"

#include <charconv>

namespace hb::dashboard {
namespace {

// The parameter `name` as a number from `least` to `most`; `otherwise` where it is not given.
std::int64_t number(const Target& target, std::string_view name, std::int64_t least, std::int64_t most,
                    std::int64_t otherwise) {
  const auto text = target.value(name);
  if (!text) return otherwise;
  std::int64_t value = 0;
  const char* const end = text->data() + text->size();
  const auto [parsed, error] = std::from_chars(text->data(), end, value);
  if (error != std::errc() || parsed != end || value < least || value > most) {
    throw BadParameter(std::string(name) + " must be a whole number from " + std::to_string(least) + " to " +
                       std::to_string(most));
  }
  return value;
}

CustomerQuery::Status status_of(std::string_view text) {
  if (text == "all") return CustomerQuery::Status::all;
  if (text == "alert") return CustomerQuery::Status::alert;
  if (text == "stale") return CustomerQuery::Status::stale;
  if (text == "ok") return CustomerQuery::Status::ok;
  throw BadParameter("status must be all, alert, stale or ok");
}

}  // namespace

Api::Api(SharedBoard& board, About about, std::function<std::int64_t()> now_us)
    : board_(board), about_(std::move(about)), now_us_(std::move(now_us)) {}

std::shared_ptr<const Frame> Api::new_frame() {
  const Overview overview = [&] {
    const std::lock_guard lock(board_.mutex);
    return board_.board.overview(now_us_());
  }();
  auto frame = std::make_shared<Frame>();
  frame->event.reserve(last_ == nullptr ? 4096 : last_->event.size() + last_->event.size() / 8);
  ++n_;
  frame->event += "event: snapshot\nid: " + std::to_string(n_) + "\ndata: ";
  frame->json_begin = frame->event.size();
  append_snapshot(frame->event, about_, overview, n_);
  frame->json_size = frame->event.size() - frame->json_begin;
  frame->event += "\n\n";
  made_ = std::chrono::steady_clock::now();
  last_ = std::move(frame);
  return last_;
}

std::shared_ptr<const Frame> Api::frame() {
  return last_ != nullptr && std::chrono::steady_clock::now() - made_ < kFresh ? last_ : new_frame();
}

std::string Api::customers(const Target& target) {
  CustomerQuery query;
  query.text = target.value("q").value_or("");
  query.status = status_of(target.value("status").value_or("all"));
  const std::string_view sort = target.value("sort").value_or("severity");
  if (sort != "severity" && sort != "id") throw BadParameter("sort must be severity or id");
  query.by_id = sort == "id";
  query.limit = static_cast<std::size_t>(number(target, "limit", 1, kMostTiles, 60));
  query.offset = static_cast<std::size_t>(number(target, "offset", 0, INT32_MAX, 0));
  const CustomerList list = [&] {
    const std::lock_guard lock(board_.mutex);
    return board_.board.customers(query, now_us_());
  }();
  std::string out;
  append_customers(out, list);
  return out;
}

std::string Api::history(const Target& target) {
  const std::vector<std::string> ids = target.values("customer");
  if (ids.empty() || ids.size() > kMostSeries) {
    throw BadParameter("customer must be given 1 to " + std::to_string(kMostSeries) + " times");
  }
  std::optional<std::int64_t> since;
  if (target.value("since_s")) since = number(target, "since_s", 0, INT64_MAX / 1'000'000, 0);
  const History history = [&] {
    const std::lock_guard lock(board_.mutex);
    return board_.board.history(ids, since, now_us_());
  }();
  std::string out;
  append_history(out, history);
  return out;
}

}  // namespace hb::dashboard
