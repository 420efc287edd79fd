// What cannot be decoded or stored, kept as JSON lines in a bounded file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "dead_letter_line.hpp"
#include "dead_letter_reader.hpp"
#include "journal/file_io.hpp"

namespace hbagent {

// Where dead letters go.
class DeadLetterBox {
 public:
  virtual ~DeadLetterBox() = default;
  // False: `error` says why, and nothing was kept.
  virtual bool append(const DeadLetter& letter, std::string& error) = 0;
};

// Thread-safe. The file and one predecessor (".1") together stay within the bound; when both are full the predecessor
// goes, and the letters in it are counted as evicted. Every letter has an id, higher than those before it and never
// given twice. Somebody may move, remove or shorten the files meanwhile: what comes then goes under the old name, and
// `note` is told.
class DeadLetters final : public DeadLetterBox {
 public:
  using Note = std::function<void(const std::string&)>;  // what an operator may want to know; called on any thread
  // Opens or creates `file`; a torn last line of a crash is cut off. Throws std::system_error.
  DeadLetters(std::filesystem::path file, std::uint64_t max_bytes, std::unique_ptr<FileIo> io = make_file_io(),
              Note note = nullptr);
  ~DeadLetters() override;
  DeadLetters(const DeadLetters&) = delete;
  DeadLetters& operator=(const DeadLetters&) = delete;

  // When it returns true the letter is in the kernel's hands.
  bool append(const DeadLetter& letter, std::string& error) override;
  // Makes everything appended and changed so far survive power loss. False: not all of it is safe. Of letters, until
  // the next start: the kernel forgets what it failed to write, so a later success would prove nothing. Names are tried
  // again.
  bool sync();

  // Lines by the id of the letter that they replace (letter_line, with that id); none: the letter is taken out.
  using Changes = std::map<std::uint64_t, std::optional<std::string>>;
  // Makes all of them, or none of those in one of the two files: after a crash or power loss each file is as before or
  // as after. Letters that are gone by now are passed over; a longer line that has no room leaves the old one in place.
  // False: `error` says why. Appends wait meanwhile.
  bool change(const Changes& changes, std::string& error);

  // All letters as of now; what is changed later is not seen. Throws std::system_error.
  DeadLetterReader read();
  // No letter has a higher id.
  std::uint64_t last_id() const;
  // Of a letter's payload.
  std::size_t max_payload() const { return static_cast<std::size_t>(max_bytes_ / 8); }
  std::size_t max_line() const { return static_cast<std::size_t>(max_bytes_ / 2); }

  struct Stats {
    std::uint64_t written = 0;
    std::uint64_t evicted = 0;
    std::uint64_t taken_out = 0;  // by a replay
    std::uint64_t bytes = 0;
    bool failing = false;  // the last append or sync did not succeed
  };
  // As the last append, sync or change left them; waits for none of these.
  Stats stats() const;
  const std::filesystem::path& file() const { return file_; }

 private:
  // Has the letters to itself, and tells the figures when it is done.
  class Turn {
   public:
    explicit Turn(DeadLetters& letters) : lock_(letters.mutex_), letters_(letters) {}
    ~Turn() { letters_.tell_stats(); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    const std::lock_guard<std::mutex> lock_;
    DeadLetters& letters_;
  };
  struct Content {
    std::uint64_t letters = 0;
    std::uint64_t bytes = 0;  // up to and with the last newline
    std::uint64_t last_id = 0;
  };
  class Copy;

  Content scan(int fd, const std::filesystem::path& path) const;
  void tell_stats();
  void open_file();
  void check_file();
  void follow_outside_changes();
  void follow_predecessor();
  void sync_before_leaving();
  void rotate();
  void drop_predecessor();
  void load_next_id();
  void store_next_id();
  std::int64_t next_time();
  UniqueFd open_anew() const;
  void remove_anew() noexcept;
  static bool concerns(const Changes& changes, int fd, const std::filesystem::path& path);
  void copy_changed(const Changes& changes, int fd, const std::filesystem::path& path, const Content& before,
                    Copy& copy) const;
  void change_predecessor(const Changes& changes);
  void change_current(const Changes& changes);
  void sync_names();
  std::filesystem::path beside(const char* extension) const { return file_.string() + extension; }
  static constexpr const char* kPredecessor = ".1";
  static constexpr const char* kNextId = ".next";
  static constexpr const char* kAnew = ".tmp";  // what is to take another's place

  const std::filesystem::path file_;
  const std::uint64_t max_bytes_;
  const std::unique_ptr<FileIo> io_;
  const Note note_;
  mutable std::mutex mutex_;  // also while files are copied
  UniqueFd fd_;
  Content current_, predecessor_;
  std::uint64_t next_id_ = 1;
  std::int64_t last_time_us_ = 0;     // no two letters have the same time
  std::uint64_t stored_next_id_ = 0;  // what is on disk; letters below it may all be gone
  bool ids_missing_ = false;          // letters went from outside, and no file says yet which ids were theirs
  bool unsynced_ = false;
  bool sync_failed_ = false;
  bool name_unsynced_ = false;  // a file has taken another's place, maybe not for good yet
  Stats stats_;
  mutable std::mutex told_mutex_;  // never held for longer than a copy of these takes
  Stats told_;
};

}  // namespace hbagent
