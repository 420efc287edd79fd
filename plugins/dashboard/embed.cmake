# cmake -DFOLDER=web/dist -DOUTPUT=assets_data.cpp -P embed.cmake
#
# Writes a C++ file with every file of the folder, as it is and compressed, its content type and an ETag of its content.
find_program(GZIP gzip REQUIRED)

set(type_html "text/html; charset=utf-8")
set(type_js "text/javascript; charset=utf-8")
set(type_css "text/css; charset=utf-8")
set(type_svg "image/svg+xml")
set(type_png "image/png")
set(type_ico "image/x-icon")
set(type_json "application/json")
set(type_webmanifest "application/manifest+json")
set(type_woff2 "font/woff2")
set(type_txt "text/plain; charset=utf-8")

# Sets `out` to the bytes of a file as the elements of a C array.
function(bytes_of path out)
  file(READ ${path} hexadecimal HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hexadecimal}")
  set(${out} "${bytes}" PARENT_SCOPE)
endfunction()

file(GLOB files RELATIVE ${FOLDER} ${FOLDER}/*)
list(SORT files)
set(arrays "")
set(table "")
set(number 0)
foreach(file IN LISTS files)
  get_filename_component(extension ${file} LAST_EXT)
  string(SUBSTRING "${extension}" 1 -1 extension)
  if(NOT DEFINED type_${extension})
    message(FATAL_ERROR "${FOLDER}/${file}: embed.cmake knows no content type of it")
  endif()
  execute_process(COMMAND ${GZIP} -9nc ${FOLDER}/${file} OUTPUT_FILE ${OUTPUT}.gz COMMAND_ERROR_IS_FATAL ANY)
  bytes_of(${FOLDER}/${file} plain)
  bytes_of(${OUTPUT}.gz compressed)
  file(SHA256 ${FOLDER}/${file} hash)
  string(SUBSTRING ${hash} 0 20 hash)
  string(REGEX REPLACE "^index\\.html$" "" path ${file})
  string(APPEND arrays "constexpr unsigned char kPlain${number}[] = {${plain}};\n"
                       "constexpr unsigned char kGzip${number}[] = {${compressed}};\n")
  string(APPEND table "    {\"/${path}\", \"${type_${extension}}\", \"\\\"${hash}\\\"\", \"\\\"${hash}-gz\\\"\",\n"
                      "     text(kPlain${number}), text(kGzip${number})},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(REMOVE ${OUTPUT}.gz)
if(number EQUAL 0)
  message(FATAL_ERROR "${FOLDER} is empty")
endif()

file(WRITE ${OUTPUT} "// Written by embed.cmake.
#include \"assets.hpp\"

namespace hb::dashboard {
namespace {

${arrays}
template <std::size_t size>
std::string_view text(const unsigned char (&bytes)[size]) {
  return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

std::span<const Asset> assets() {
  static const Asset all[] = {
${table}  };
  return all;
}

}  // namespace hb::dashboard
")
