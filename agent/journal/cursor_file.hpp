// Where a sink stands, on disk: two copies written in turn, so that one is whole whatever happens.
#pragma once

#include <optional>
#include <string>

#include "journal/file_io.hpp"
#include "journal/sink_cursor.hpp"

namespace hbagent {

// Not thread-safe.
class CursorFile {
 public:
  // `folder` is the journal's. Opens the file of that sink, or creates it. Throws std::system_error.
  CursorFile(FileIo& io, const std::filesystem::path& folder, const std::string& sink);

  struct Content {
    std::uint64_t journal_id = 0;
    std::uint64_t serial = 0;
    std::uint64_t reached = 0;  // how far the sink had read, what was in hand included
    SinkCursor cursor;
  };
  // The newest whole copy that the file had when it was opened; nothing where there was none.
  const std::optional<Content>& found() const { return found_; }
  // In the kernel's hands when it returns. Throws std::system_error.
  void write(std::uint64_t journal_id, const SinkCursor& cursor);
  // Durable when it returns, name included. Throws std::system_error.
  void sync();
  const std::filesystem::path& path() const { return path_; }

  // The newest whole copy in a sink's file, which stays as it is. Throws std::system_error.
  static std::optional<Content> peek(FileIo& io, const std::filesystem::path& folder, const std::string& sink);
  static std::filesystem::path path_of(const std::filesystem::path& folder, const std::string& sink);
  // The sinks that have a cursor in the folder, in order of their names.
  static std::vector<std::string> sinks_in(const std::filesystem::path& folder);

 private:
  FileIo& io_;
  const std::filesystem::path folder_;
  const std::string sink_;
  const std::filesystem::path path_;
  UniqueFd fd_;
  std::optional<Content> found_;
  std::uint64_t serial_ = 0;
  bool unsynced_ = true;
  bool name_unsynced_ = true;
};

}  // namespace hbagent
