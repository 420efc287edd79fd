// What the commands share: how they tell what is wrong, and the exit code of it.
#pragma once

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

#include "commands.hpp"
#include "config.hpp"

namespace hbagent {

// Standard output does not take what a command has to say.
class OutputFailed : public std::runtime_error {
 public:
  // `error` is an errno.
  explicit OutputFailed(int error)
      : std::runtime_error(std::string("cannot write to standard output: ") + std::strerror(error)) {}
};

// To standard output. Throws OutputFailed, at the latest in flush_output().
template <class... Args>
void print_output(fmt::format_string<Args...> format, Args&&... args) {
  const std::string text = fmt::format(format, std::forward<Args>(args)...);
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) throw OutputFailed(errno);
}
inline void flush_output() {
  if (std::fflush(stdout) != 0) throw OutputFailed(errno);
  if (std::ferror(stdout) != 0) throw OutputFailed(EIO);  // what help is written with tells no reason
}

// To standard error. Where that takes nothing there is nobody left to tell.
template <class... Args>
void print_error(fmt::format_string<Args...> format, Args&&... args) {
  const std::string text = fmt::format(format, std::forward<Args>(args)...);
  std::fwrite(text.data(), 1, text.size(), stderr);
}

inline void print_problems(const Problems& problems) {
  for (const std::string& line : problems.lines()) print_error("{}\n", line);
}

// Runs `body`, and turns what it throws into a message and an exit code.
template <class Body>
int guarded_command(const Body& body) {
  try {
    return body();
  } catch (const OutputFailed&) {
    throw;  // told in main(), as for every command
  } catch (const std::exception& error) {
    print_error("hbagent: {}\n", error.what());
    return kExitFailed;
  }
}

// Runs `body` with [agent]; the rest of the configuration may be wrong.
template <class Body>
int with_agent_section(const RunOptions& options, const Body& body) {
  Problems problems(options.config.string());
  const auto agent = load_agent_section(options.config, problems);
  if (!agent) {
    print_problems(problems);
    return kExitUsage;
  }
  return guarded_command([&] { return body(*agent); });
}

}  // namespace hbagent
