// What a logger says on stderr, read from a file that stands in for it.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

#include "log.hpp"
#include "support/temporary_folder.hpp"

// Lines that `speak` makes on stderr with the logger that it is given, from level info on.
template <class Speak>
std::vector<std::string> stderr_of(hbagent::LogFormat format, const Speak& speak) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "stderr";
  const int saved = dup(STDERR_FILENO);
  const int target = open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  dup2(target, STDERR_FILENO);
  {
    hbagent::Logger logger(format, hbagent::LogLevel::info);
    speak(logger);
  }
  dup2(saved, STDERR_FILENO);
  close(saved);
  close(target);
  std::vector<std::string> lines;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}
