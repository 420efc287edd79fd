#include "position_file.hpp"

#include <fstream>
#include <hbagent/host.hpp>
#include <hbcommon/replace_file.hpp>
#include <system_error>

namespace generator {

PositionFile::PositionFile(std::string_view folder, std::string series)
    : path_(std::string(folder) + "/position"), series_(std::move(series)) {}

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
  try {
    hb::codec::replace_file(path_, series_ + "\nfirst " + std::to_string(position.first) + "\nnext " +
                                       std::to_string(position.next) + "\nend\n");
  } catch (const std::system_error& error) {
    throw hb::Retry(error.what());
  }
}

}  // namespace generator
