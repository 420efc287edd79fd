#include "file_sink.hpp"

#include <hbcommon/wire.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <array>

namespace hb::file {
namespace {

// Written at once: large enough to make the calls cheap, small enough to stay in the cache.
constexpr std::size_t kFilePiece = 128UL * 1024;
constexpr std::uint64_t kMinMaxSize = 4096;

bool is_stream(const std::string& path) {
  struct stat info {};
  return path == "-" || (::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode));
}

}  // namespace

FileSink::FileSink(const Config& config, Host host) : config_(config), host_(host) {
  if (config_.max_size.value != 0 && config_.max_size.value < kMinMaxSize) {
    throw Failed("max_size is at least 4KiB, or 0 for no rotation");
  }
}

void FileSink::open() {
  const std::string header(config_.format == RowFormat::csv && config_.header ? kCsvHeader : "");
  try {
    if (is_stream(config_.path)) {
      stream_.emplace(config_.path, host_).open();
      stream_needs_header_ = !header.empty();
      return;
    }
    const RowFormat format = config_.format;
    file_.emplace(AppendFile::Settings{config_.path, header, config_.max_size.value, config_.keep, config_.sync,
                                       [format](std::string_view line) { return is_whole_row(format, line); },
                                       [host = host_](const std::string& text) { host.warn(text); }});
    file_->open();
  } catch (const std::runtime_error& wrong) {
    throw Retry(wrong.what());
  }
}

void FileSink::close() {
  file_.reset();
  stream_.reset();
}

std::size_t FileSink::piece_limit() const {
  if (stream_) return AppendStream::kMaxPiece;
  if (config_.max_size.value == 0) return kFilePiece;
  return std::min<std::size_t>(kFilePiece, config_.max_size.value - kCsvHeader.size());
}

void FileSink::put(std::string_view lines) {
  if (file_) return file_->append(lines);
  if (stream_needs_header_) stream_->append(kCsvHeader);
  stream_needs_header_ = false;
  stream_->append(lines);
}

// Writes the piece, whose readings begin at `first`. When it fails, those before `first` are delivered all the same.
bool FileSink::put_or_retry(Batch batch, std::size_t first) {
  if (piece_.empty()) return true;
  try {
    put(piece_);
    piece_.clear();
    return true;
  } catch (const Failed&) {
    throw;
  } catch (const std::runtime_error& wrong) {
    piece_.clear();
    if (first == 0) throw Retry(wrong.what());
    host_.warn(std::string(wrong.what()) + "; " + std::to_string(batch.size() - first) + " readings wait");
    for (std::size_t i = first; i < batch.size(); ++i) batch.retry(i);
    return false;
  }
}

void FileSink::write(Batch batch) {
  if (!file_ && !stream_) throw Reopen("not open");
  std::array<char, kRowCapacity> row;
  const std::size_t limit = piece_limit();
  std::size_t first = 0;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (const auto storable = codec::check_storable(batch[i]); !storable.ok()) {
      batch.reject(i, codec::text(storable.reason), storable.detail);
      continue;
    }
    const std::size_t size = write_row(config_.format, batch[i], row.data());
    if (piece_.size() + size > limit) {
      if (!put_or_retry(batch, first)) return;
      first = i;
    }
    piece_.append(row.data(), size);
  }
  put_or_retry(batch, first);
}

}  // namespace hb::file
