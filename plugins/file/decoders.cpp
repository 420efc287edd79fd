#include "decoders.hpp"

#include <hbcommon/customer_id.hpp>

#include <filesystem>

#include "mapped_lines.hpp"
#include "plain_lines.hpp"

namespace hb::file {
namespace {

using codec::CustomerFrom;

bool names_field(const codec::CustomerIdMapping& id) {
  return id.pointer || id.column || id.header;
}
bool names_field(const codec::HeartRateMapping& rate) {
  return rate.pointer || rate.column || rate.header || !rate.pointers.empty();
}
bool names_field(const codec::TimeMapping& time) {
  return time.pointer || time.column || time.header;
}

bool is_csv(const SourceConfig& config, const std::string& path) {
  if (config.decoder != LineFormat::automatic) return config.decoder == LineFormat::csv;
  return std::filesystem::path(path).extension() == ".csv";
}

// Nothing said about the layout, but perhaps about the customer.
bool is_plain(const SourceConfig& config) {
  const codec::TimeMapping time;
  const codec::CustomerIdMapping& id = config.customer_id;
  const bool usual_customer = id.from == CustomerFrom::field || (id.from == CustomerFrom::file_name && !id.constant);
  return usual_customer && !names_field(id) && !names_field(config.heart_rate) && !names_field(config.time) &&
         config.time.from == time.from && config.time.format == time.format && config.time.naive_zone.empty() &&
         !config.time.numeric_strings && !config.time.allow_date_only && !config.heart_rate.numeric_strings &&
         !config.each && !config.guard;
}

// The mapping, with the usual names for what it leaves out.
codec::Mapping whole_mapping(const SourceConfig& config, bool csv, bool fixed_id) {
  codec::Mapping mapping = config;
  mapping.decoder = csv ? codec::DecoderKind::csv : codec::DecoderKind::json;
  const auto use = [csv](auto& where, const char* name) {
    if (csv) {
      where.header = name;
    } else {
      where.pointer = std::string("/") + name;
    }
  };
  if (fixed_id && !mapping.customer_id.constant) {
    mapping.customer_id.from = CustomerFrom::file_name;
  } else if (!fixed_id && !names_field(mapping.customer_id)) {
    use(mapping.customer_id, "customer_id");
  }
  if (!names_field(mapping.heart_rate)) use(mapping.heart_rate, "heart_rate");
  if (!names_field(mapping.time) && mapping.time.from == codec::TimeFrom::field) use(mapping.time, "time");
  return mapping;
}

// The customer of all the file's readings; empty where each names its own.
std::string fixed_id_of(const SourceConfig& config, const FoundFile& file) {
  if (config.customer_id.constant) return *config.customer_id.constant;
  if (!file.customer_id.empty()) return file.customer_id;
  if (config.customer_id.from == CustomerFrom::file_name) return std::filesystem::path(file.path).stem().string();
  return {};
}

std::unique_ptr<LineDecoder> build(const SourceConfig& config, bool csv, const std::string& fixed_id) {
  if (is_plain(config)) {
    if (!csv) return std::make_unique<WireLines>(fixed_id);
    if (!config.header) throw Failed("header = false: say by number in which column time and heart_rate are");
    return std::make_unique<PlainCsvLines>(config.separator[0], fixed_id);
  }
  const codec::Mapping mapping = whole_mapping(config, csv, !fixed_id.empty());
  const codec::DecoderSettings settings{
      .offered = CustomerFrom::file_name, .max_payload = config.max_line.value, .separator = config.separator[0]};
  auto lines = std::make_unique<MappedLines>(mapping, settings, fixed_id, csv && config.header);
  if (csv && !config.header && lines->has_header()) {
    throw Failed("header = false: columns can be mapped by number only");
  }
  return lines;
}

}  // namespace

void check_decoding(const SourceConfig& config, const PathTemplate& path) {
  if (config.separator.size() != 1 || config.separator == "\"" || config.separator == "\n") {
    throw Failed("separator: must be one character, and neither a quote nor a line end");
  }
  if (path.captures() && (names_field(config.customer_id) || config.customer_id.constant)) {
    throw Failed("customer_id: the path has {customer_id}, so it cannot come from elsewhere");
  }
  if (path.is_stdin() && config.customer_id.from == CustomerFrom::file_name) {
    throw Failed("customer_id: standard input has no file name");
  }
  const auto& constant = config.customer_id.constant;
  if (constant && !codec::check_customer_id(*constant).ok()) throw Failed("customer_id: const is no customer id");
  const bool named = path.captures() || config.customer_id.from == CustomerFrom::file_name;
  build(config, is_csv(config, path.text()), constant ? *constant : named ? "name" : "");
}

std::unique_ptr<LineDecoder> make_decoder(const SourceConfig& config, const FoundFile& file) {
  const std::string fixed_id = fixed_id_of(config, file);
  if (!fixed_id.empty()) {
    if (const auto checked = codec::check_customer_id(fixed_id); !checked.ok()) {
      throw BadFile(std::string("its name gives no customer id: ") + checked.detail);
    }
  }
  return build(config, is_csv(config, file.path), fixed_id);
}

}  // namespace hb::file
