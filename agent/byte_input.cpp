#include "byte_input.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace hbagent {
namespace {

constexpr std::size_t kBlock = 256 * 1024;

}  // namespace

ByteInput::ByteInput(const std::filesystem::path& file) : name_(file == "-" ? "standard input" : file.string()) {
  if (file == "-") {
    fd_ = STDIN_FILENO;
    return;
  }
  file_ = UniqueFd(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file_) throw std::system_error(errno, std::generic_category(), "cannot open " + name_);
  fd_ = file_.get();
}

bool ByteInput::next_line(std::string_view& line) {
  std::size_t searched = begin_;
  for (;;) {
    const std::size_t end = content_.find('\n', searched);
    if (end != std::string::npos) {
      line = std::string_view(content_).substr(begin_, end - begin_);
      begin_ = end + 1;
      return true;
    }
    content_.erase(0, begin_);
    begin_ = 0;
    searched = content_.size();
    if (fill()) continue;
    line = content_;
    begin_ = content_.size();
    return !line.empty();
  }
}

std::string ByteInput::rest() {
  content_.erase(0, begin_);
  begin_ = 0;
  while (fill()) {
  }
  return std::move(content_);
}

bool ByteInput::fill() {
  if (content_.size() - begin_ > kMost) {
    throw std::length_error(fmt::format("{} is longer than {} MiB, which no payload is", name_, kMost >> 20));
  }
  const std::size_t held = content_.size();
  content_.resize(held + kBlock);
  ssize_t got = -1;
  do got = read(fd_, content_.data() + held, kBlock);
  while (got < 0 && errno == EINTR);
  const int error = errno;
  content_.resize(held + static_cast<std::size_t>(got < 0 ? 0 : got));
  if (got < 0) throw std::system_error(error, std::generic_category(), "cannot read " + name_);
  return got > 0;
}

}  // namespace hbagent
