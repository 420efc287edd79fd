// How a reading is written as one line of a file.
#pragma once

#include <hbagent/host.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace hb::file {

enum class RowFormat { jsonl, csv };

// The CSV columns, with their line end.
inline constexpr std::string_view kCsvHeader = "customer_id,time,heart_rate,flags,received_at\n";
// Room for any line.
inline constexpr std::size_t kRowCapacity = 512;

// Writes the reading and a line end; returns the size. REQUIRES: hb::codec::check_storable(reading) is ok, and `out`
// has kRowCapacity bytes. CSV: times as in the wire format, flags as names joined by '|', text quoted where RFC 4180
// asks for it.
std::size_t write_row(RowFormat format, const Reading& reading, char* out);

// Whether `text`, the last line of a file and without its end, is a whole row.
bool is_whole_row(RowFormat format, std::string_view text);

}  // namespace hb::file
