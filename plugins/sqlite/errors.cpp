#include "errors.hpp"

#include <hbagent/sdk.hpp>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace sqlite {
namespace {

std::string cannot_open(const SqliteError& error, const std::string& path) {
  std::error_code ignored;
  const auto folder = std::filesystem::path(path).parent_path();
  if (!std::filesystem::exists(folder, ignored)) return "the folder " + folder.string() + " does not exist; make it";
  if (!std::filesystem::is_directory(folder, ignored)) return folder.string() + " is not a folder";
  if (std::filesystem::is_directory(path, ignored)) return "this is a folder; path must name a file";
  std::string text = "the file, or path-wal or path-shm beside it, cannot be opened or made";
  if (error.system != 0) text += std::string(": ") + std::strerror(error.system);
  return text + "; the agent's user needs the right to write to the folder";
}

std::string with_system(const SqliteError& error) {
  std::string text = error.what();
  if (error.system != 0) text += std::string(" (") + std::strerror(error.system) + ')';
  return text;
}

}  // namespace

void raise(const SqliteError& error, const std::string& path) {
  const std::string start = path + ": ";
  switch (error.primary()) {
    case SQLITE_FULL:
      throw hb::Retry(start + "the disk is full; free some of it");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw hb::Retry(start + "another program holds the write lock for longer than the timeout");
    case SQLITE_READONLY:
    case SQLITE_PERM:
      throw hb::Reopen(start + "the file, or its file system, is read-only for the agent's user");
    case SQLITE_CANTOPEN:
      throw hb::Reopen(start + cannot_open(error, path));
    case SQLITE_CORRUPT:
      throw hb::Failed(start + "the database is damaged (" + error.what() +
                       "): stop the agent, save what can be read by `sqlite3 " + path +
                       " .recover | sqlite3 NEW`, put NEW in its place without the old -wal and -shm, and start again; "
                       "what is pending is kept");
    case SQLITE_NOTADB:
      throw hb::Failed(start + "this is not a SQLite database; name another path, or move the file away");
    case SQLITE_NOLFS:
    case SQLITE_TOOBIG:
    case SQLITE_ERROR:
      throw hb::Failed(start + error.what());
    case SQLITE_IOERR:
      // A quota or a limit on the size of files: the disk is full for this user.
      if (error.system == ENOSPC || error.system == EDQUOT || error.system == EFBIG) {
        throw hb::Reopen(start + "the disk is full (" + std::strerror(error.system) + "); free some of it");
      }
      throw hb::Reopen(start + with_system(error));
    default:
      throw hb::Reopen(start + with_system(error));
  }
}

}  // namespace sqlite
