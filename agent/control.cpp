#include "control.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <stdexcept>
#include <system_error>

#include "local_socket.hpp"
#include "text.hpp"

namespace hbagent {
namespace {

HttpAnswer json_answer(unsigned status, const std::string& body) {
  return {status, "application/json", body + "\n"};
}

HttpAnswer refusal(unsigned status, const std::string& why) {
  return json_answer(status, fmt::format("{{\"error\":{}}}", json_quoted(why)));
}

}  // namespace

Control::Control(Pipeline& pipeline, HttpServer::Handler read)
    : pipeline_(pipeline), read_(std::move(read)), folder_(pipeline.view().config->agent.data_dir) {
  try {
    server_.emplace(listen_locally(folder_, kControlSocket),
                    [this](const HttpRequest& request) { return answer(request); });
  } catch (const std::system_error& error) {
    throw std::runtime_error(
        fmt::format("data_dir \"{}\" cannot have a control socket: {}", folder_.string(), error.what()));
  }
}

Control::~Control() {
  unlink((folder_ / kControlSocket).c_str());  // where that fails the next start replaces it
  server_.reset();
  pause("the agent stops");
}

void Control::pause(const std::string& why) {
  {
    const std::lock_guard lock(mutex_);
    paused_ = why;
    if (running_) replay_->stop(why);
  }
  if (thread_.joinable()) thread_.join();
}

void Control::resume() {
  const std::lock_guard lock(mutex_);
  paused_.clear();
}

HttpAnswer Control::answer(const HttpRequest& request) {
  if (request.path != kReplayPath) {
    return request.post ? refusal(405, "this is only read: GET it") : read_(request.path);
  }
  return request.post ? start_replay(request.body) : tell_replay();
}

HttpAnswer Control::start_replay(const std::string& body) {
  auto selection = selection_from_json(body);
  if (!selection) return refusal(400, "the body is no selection of letters");
  const std::lock_guard lock(mutex_);
  if (!paused_.empty()) return refusal(503, paused_);
  if (running_) return refusal(409, "a replay is under way already");
  if (thread_.joinable()) thread_.join();
  replay_ = std::make_shared<Replay>(pipeline_.replay_site(), std::move(*selection));
  // Before the thread, which ends it; after a failure to make one nothing runs.
  running_ = true;
  try {
    thread_ = std::thread([this, replay = replay_] {
      replay->run();
      running_ = false;
    });
  } catch (const std::system_error& error) {
    running_ = false;
    return refusal(500, error.what());
  }
  return json_answer(202, to_json(ReplayProgress{true, {}}));
}

HttpAnswer Control::tell_replay() {
  std::shared_ptr<Replay> replay;
  {
    const std::lock_guard lock(mutex_);
    replay = replay_;
  }
  if (replay == nullptr) return refusal(404, "nothing has been replayed since the start");
  const bool running = running_;  // before the result, which is the last one then
  return json_answer(200, to_json(ReplayProgress{running, replay->result()}));
}

}  // namespace hbagent
