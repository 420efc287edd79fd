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

// What is at `path`, links followed; 0: nothing.
mode_t mode_of(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_mode : 0;
}

const char* kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISBLK(mode)) return "a block device";
  return S_ISCHR(mode) ? "a character device" : "a file";
}

// As a stream of lines: serial lines are character devices.
bool is_readable(mode_t mode) {
  return S_ISREG(mode) || S_ISFIFO(mode) || S_ISCHR(mode);
}

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

std::vector<std::string> PathTemplate::matches() const {
  glob_t raw{};
  const std::unique_ptr<glob_t, void (*)(glob_t*)> found(&raw, [](glob_t* done) { ::globfree(done); });
  const int result = ::glob(glob_.c_str(), GLOB_ERR, nullptr, found.get());
  if (result == GLOB_NOMATCH) return {};
  if (result != 0) throw std::runtime_error("cannot search " + glob_ + ": " + std::strerror(errno));
  return {found->gl_pathv, found->gl_pathv + found->gl_pathc};
}

std::vector<FoundFile> PathTemplate::find() const {
  std::vector<FoundFile> files;
  for (const std::string& path : matches()) {
    const mode_t mode = mode_of(path);
    if (pattern_ ? !S_ISREG(mode) : !is_readable(mode)) continue;
    const std::string customer = captures_ ? captured(path) : std::string();
    if (captures_ == customer.empty()) continue;  // {customer_id} stands for at least one character
    files.push_back({path, customer});
  }
  return files;
}

std::optional<FoundFile> PathTemplate::at(const std::string& path) const {
  if (!captures_) return FoundFile{path, {}};
  std::string customer = captured(path);
  if (customer.empty()) return std::nullopt;
  return FoundFile{path, std::move(customer)};
}

std::string PathTemplate::obstacle() const {
  const mode_t mode = pattern_ || is_stdin() ? 0 : mode_of(text_);
  if (mode == 0 || is_readable(mode)) return {};
  const std::string what = "path = \"" + text_ + "\" is " + kind_of(mode);
  if (S_ISDIR(mode)) {
    const std::string folder = text_.substr(0, text_.find_last_not_of('/') + 1);
    return what + ": name a file in it, or all of them by a pattern such as \"" + folder + "/*.csv\"";
  }
  return what + ", which cannot be read as a file: name a file or a FIFO, or let a program that " +
         (S_ISSOCK(mode) ? "connects to it" : "reads it") + " write to standard input (\"-\")";
}

std::string PathTemplate::why_nothing() const {
  if (const std::string what = obstacle(); !what.empty()) return what;
  const std::string none = "no file matches " + text_;
  for (const std::string& path : matches()) {
    const mode_t mode = mode_of(path);
    if (mode != 0 && !S_ISREG(mode)) return none + ", only " + path + ", which is " + kind_of(mode);
  }
  return none;
}

}  // namespace hb::file
