// The page's files, compiled in: everything in web/dist. embed.cmake writes the table.
#pragma once

#include <span>
#include <string_view>

namespace hb::dashboard {

struct Asset {
  std::string_view path;  // "/app.js"; index.html is "/"
  std::string_view content_type;
  std::string_view etag;  // of the content, with its quotes; that of the compressed one ends in -gz
  std::string_view gzip_etag;
  std::string_view content;
  std::string_view gzip;
};

std::span<const Asset> assets();
// Exactly that path; nullptr: there is none.
const Asset* find_asset(std::string_view path);

}  // namespace hb::dashboard
