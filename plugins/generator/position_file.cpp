#include "position_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <hbagent/host.hpp>

namespace generator {
namespace {

class Descriptor {
 public:
  Descriptor(const std::string& path, int flags) : number_(::open(path.c_str(), flags | O_CLOEXEC, 0640)) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

[[noreturn]] void fail(const std::string& what) {
  throw hb::Retry("cannot " + what + ": " + std::strerror(errno));
}

}  // namespace

PositionFile::PositionFile(std::string_view folder, std::string series)
    : folder_(folder), path_(folder_ + "/position"), series_(std::move(series)) {}

std::optional<Position> PositionFile::load(std::string& why) const {
  why.clear();
  std::ifstream in(path_);
  if (!in) return std::nullopt;
  std::string series, first_key, next_key, end;
  Position position;
  std::getline(in, series);
  in >> first_key >> position.first >> next_key >> position.next >> end;
  if (!in || first_key != "first" || next_key != "next" || end != "end" || position.first > position.next) {
    why = path_ + " is damaged";
    return std::nullopt;
  }
  if (series != series_) {
    why = path_ + " is of another series (" + series + ")";
    return std::nullopt;
  }
  return position;
}

void PositionFile::store(const Position& position) const {
  const std::string text =
      series_ + "\nfirst " + std::to_string(position.first) + "\nnext " + std::to_string(position.next) + "\nend\n";
  const std::string temporary = path_ + ".new";
  {
    const Descriptor file(temporary, O_WRONLY | O_CREAT | O_TRUNC);
    if (file.number() < 0) fail("create " + temporary);
    if (::write(file.number(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
      fail("write " + temporary);
    }
    if (::fsync(file.number()) != 0) fail("sync " + temporary);
  }
  if (std::rename(temporary.c_str(), path_.c_str()) != 0) fail("rename " + temporary);
  const Descriptor folder(folder_, O_RDONLY | O_DIRECTORY);
  if (folder.number() < 0 || ::fsync(folder.number()) != 0) fail("sync " + folder_);
}

}  // namespace generator
