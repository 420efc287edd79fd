#include "path_template.hpp"

#include <fnmatch.h>
#include <glob.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>

namespace hb::file {
namespace {

constexpr std::string_view kCustomer = "{customer_id}";

}  // namespace

PathTemplate::PathTemplate(std::string_view text) : text_(text), glob_(text) {
  const std::size_t at = glob_.find(kCustomer);
  captures_ = at != std::string::npos;
  if (captures_) {
    glob_.replace(at, kCustomer.size(), "*");
    before_ = text_.substr(0, at);
    after_ = text_.substr(at + kCustomer.size());
  }
  if (glob_.find(kCustomer) != std::string::npos) throw std::invalid_argument("path holds {customer_id} twice");
  if (const std::size_t brace = glob_.find('{'); brace != std::string::npos) {
    throw std::invalid_argument("path may hold {customer_id} and no other braces: " + text_.substr(0, 200));
  }
  pattern_ = glob_.find_first_of("*?[") != std::string::npos;
}

// The longest part of one path step with what stands before and behind it in the template around it.
std::string PathTemplate::captured(const std::string& path) const {
  for (std::size_t begin = 0; begin < path.size(); ++begin) {
    if (::fnmatch(before_.c_str(), path.substr(0, begin).c_str(), FNM_PATHNAME) != 0) continue;
    for (std::size_t end = std::min(path.find('/', begin), path.size()); end > begin; --end) {
      if (::fnmatch(after_.c_str(), path.c_str() + end, FNM_PATHNAME) == 0) return path.substr(begin, end - begin);
    }
  }
  return {};
}

std::vector<FoundFile> PathTemplate::find() const {
  glob_t raw{};
  const std::unique_ptr<glob_t, void (*)(glob_t*)> found(&raw, [](glob_t* done) { ::globfree(done); });
  const int result = ::glob(glob_.c_str(), GLOB_ERR, nullptr, found.get());
  if (result == GLOB_NOMATCH) return {};
  if (result != 0) throw std::runtime_error("cannot search " + glob_ + ": " + std::strerror(errno));
  std::vector<FoundFile> files;
  for (std::size_t i = 0; i < found->gl_pathc; ++i) {
    const std::string path = found->gl_pathv[i];
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0 || S_ISDIR(info.st_mode)) continue;
    if (pattern_ && !S_ISREG(info.st_mode)) continue;
    const std::string customer = captures_ ? captured(path) : std::string();
    if (captures_ == customer.empty()) continue;  // {customer_id} stands for at least one character
    files.push_back({path, customer});
  }
  return files;
}

}  // namespace hb::file
