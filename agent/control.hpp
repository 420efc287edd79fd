// The control socket of a running agent: control.sock in data_dir, for its own user. What the HTTP endpoint answers,
// and replays of dead letters.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "http.hpp"
#include "pipeline.hpp"
#include "replay_json.hpp"

namespace hbagent {

inline constexpr const char* kControlSocket = "control.sock";
inline constexpr const char* kReplayPath = "/api/v1/dead-letters/replay";

class Control {
 public:
  // The pipeline holds data_dir's lock, so that a socket which is there already is a dead agent's. `read` answers what
  // is only read. It begins paused. Throws std::runtime_error.
  Control(Pipeline& pipeline, HttpServer::Handler read);
  ~Control();
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  // Ends a replay under way, and refuses new ones until resume. [main-thread]
  void pause(const std::string& why);
  void resume();

 private:
  HttpAnswer answer(const HttpRequest& request);
  HttpAnswer start_replay(const std::string& body);
  HttpAnswer tell_replay();

  Pipeline& pipeline_;
  const HttpServer::Handler read_;
  const std::filesystem::path folder_;

  std::mutex mutex_;
  std::string paused_ = "the agent is starting";  // why; empty: replays may begin
  std::shared_ptr<Replay> replay_;                // the last one
  std::atomic<bool> running_{false};
  std::thread thread_;
  std::optional<HttpServer> server_;
};

}  // namespace hbagent
