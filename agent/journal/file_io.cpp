#include "journal/file_io.hpp"

namespace hbagent {

std::unique_ptr<FileIo> make_file_io() {
  return make_posix_file_io();
}

}  // namespace hbagent
