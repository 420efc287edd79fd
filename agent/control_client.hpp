// How commands talk to a running agent.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace hbagent {

// One request a call, each over a connection of its own. One thread.
class ControlClient {
 public:
  explicit ControlClient(std::filesystem::path data_dir) : data_dir_(std::move(data_dir)) {}

  struct Answer {
    unsigned status = 0;
    std::string body;
  };
  // nullopt: no agent runs with this data_dir. Throws std::runtime_error, which says what to do, where one does and
  // cannot be asked.
  std::optional<Answer> get(const std::string& path) const { return ask("GET", path, {}); }
  std::optional<Answer> post(const std::string& path, const std::string& body) const { return ask("POST", path, body); }

 private:
  std::optional<Answer> ask(const std::string& method, const std::string& path, const std::string& body) const;

  const std::filesystem::path data_dir_;
};

}  // namespace hbagent
