#include "dead_letter_reader.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace hbagent {
namespace {

constexpr std::size_t kBlock = 256 * 1024;

UniqueFd open_if_there(const std::filesystem::path& file) {
  UniqueFd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd && errno != ENOENT) throw std::system_error(errno, std::generic_category(), "cannot open " + file.string());
  return fd;
}

}  // namespace

bool LineScanner::next(std::string_view& line) {
  for (;;) {
    const std::size_t end = buffer_.find('\n', searched_);
    if (end != std::string::npos) {
      line = std::string_view(buffer_).substr(begin_, end - begin_);
      offset_ += line.size() + 1;
      begin_ = searched_ = end + 1;
      return true;
    }
    searched_ = buffer_.size();
    if (!fill()) return false;
  }
}

bool LineScanner::fill() {
  buffer_.erase(0, begin_);
  searched_ -= begin_;
  begin_ = 0;
  const std::size_t held = buffer_.size();
  buffer_.resize(held + kBlock);
  ssize_t got = -1;
  do got = pread(fd_, buffer_.data() + held, kBlock, static_cast<off_t>(offset_ + held));
  while (got < 0 && errno == EINTR);
  const int error = errno;
  buffer_.resize(held + static_cast<std::size_t>(got < 0 ? 0 : got));
  if (got < 0) throw std::system_error(error, std::generic_category(), "cannot read " + file_.string());
  return got > 0;
}

// The newer file first: one that is rotated in between is then read twice and not never.
DeadLetterReader::DeadLetterReader(const std::filesystem::path& file) {
  paths_ = {file.string() + ".1", file};
  fds_[1] = open_if_there(paths_[1]);
  fds_[0] = open_if_there(paths_[0]);
}

bool DeadLetterReader::next(StoredLetter& letter) {
  for (; file_ < fds_.size(); ++file_, lines_.reset()) {
    if (!fds_[file_]) continue;
    if (!lines_) lines_.emplace(fds_[file_].get(), paths_[file_]);
    while (lines_->next(line_)) {
      auto parsed = parse_letter(line_);
      if (!parsed) {
        ++damaged_;
      } else if (parsed->id > last_id_) {
        letter = std::move(*parsed);
        last_id_ = letter.id;
        return true;
      }
    }
  }
  return false;
}

}  // namespace hbagent
