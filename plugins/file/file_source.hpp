// Source `file`: CSV or JSON lines from files, a glob or standard input; at full speed or in their own time; to the end
// or following files as they grow and are rotated. Goes on after a restart where everything before was safe.
#pragma once

#include <hbagent/sdk.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "input.hpp"
#include "path_template.hpp"
#include "position_tracker.hpp"
#include "source_config.hpp"

namespace hb::file {

class FileSource {
 public:
  using Config = SourceConfig;
  static constexpr auto options = SourceConfig::options;

  // Throws Failed for a configuration that cannot work.
  FileSource(const Config& config, Host host);

  void open();
  void run();
  // Stores the positions. The files stay open until the end of the instance: one that is rotated away during a backoff
  // could not be found again.
  void close();
  // One line, or one element of a line, of the file that the topic or the origin names. A header is read from that
  // file.
  void decode(const DecodeInput& input, const DecodeOutput& output);

 private:
  LineDecoder& decoder_for(const std::string& path);

  // ---- finding files
  void find_files();
  void look_for_files();
  void queue_new(const std::vector<FoundFile>& found);
  void note_moved(const std::vector<FoundFile>& found);
  void find_rotated_away(const FoundFile& file);
  void enter_queued();
  bool enter(const FoundFile& file, const std::string& path);
  void drop(Input& input);
  void block(const std::string& path, const std::string& why);
  void unblock(const std::string& path);
  bool is_open(const FileId& id) const;

  // ---- reading
  bool read_all();
  bool step(Input& input);
  bool at_end(Input& input);
  bool take_rest(Input& input);
  bool take_lines(Input& input);
  void take(Input& input, const Line& line);
  void report_all(Input& input, const Line& line);
  void report(const Input& input, const Line& line, const Problem& problem);
  bool release_due(Input& input);
  bool finished(Input& input);
  void retire(std::size_t position);
  std::size_t fill(Input& input);
  void touch(Input& input);

  // ---- handing over
  bool flush();
  void count_discard(const char* reason);
  void report_discards();
  void wait();
  void show_lag();

  Config config_;
  Host host_;
  PathTemplate template_;
  double speed_;
  PositionTracker tracker_;
  ReceiveClock receive_clock_;

  std::vector<std::unique_ptr<Input>> inputs_;
  std::deque<FoundFile> queued_;
  std::vector<FileId> entered_;                 // not following: files that need no second look
  std::map<std::string, std::string> blocked_;  // path and why it cannot be read
  std::optional<std::chrono::steady_clock::time_point> looked_at_, shown_at_;
  std::string none_found_;  // why, as long as nothing is found

  std::vector<Reading> batch_;
  std::vector<Problem> problems_;
  std::vector<Input*> touched_;
  std::uint64_t lines_taken_ = 0;  // since the last emit
  const char* discard_reason_ = nullptr;
  std::uint64_t discards_ = 0;
  std::uint64_t token_ = 0;
  bool stopped_ = false;
  std::optional<Pacer::Clock::time_point> wake_;  // when the next reading is due

  // Of the last decode.
  std::string decode_path_;
  std::unique_ptr<LineDecoder> decoder_;
};

}  // namespace hb::file
