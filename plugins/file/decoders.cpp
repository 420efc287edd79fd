#include "decoders.hpp"

#include <hbcommon/customer_id.hpp>

#include <filesystem>

#include "mapped_lines.hpp"
#include "plain_lines.hpp"

namespace hb::file {
namespace {

using codec::CustomerFrom;
using codec::DecoderKind;

bool names_field(const codec::CustomerIdMapping& id) {
  return id.pointer || id.column || id.header || id.senml;
}
bool names_field(const codec::HeartRateMapping& rate) {
  return rate.pointer || rate.column || rate.header || !rate.pointers.empty() || rate.name || !rate.units.empty();
}
bool names_field(const codec::TimeMapping& time) {
  return time.pointer || time.column || time.header || time.senml;
}

DecoderKind kind_of(const SourceConfig& config, const std::string& path) {
  if (config.decoder != LineFormat::automatic) return static_cast<DecoderKind>(static_cast<int>(config.decoder) - 1);
  return std::filesystem::path(path).extension() == ".csv" ? DecoderKind::csv : DecoderKind::json;
}

bool has_names(DecoderKind kind) {
  return kind == DecoderKind::csv || kind == DecoderKind::json;
}

// Nothing said about the layout, but perhaps about the customer.
bool is_plain(const SourceConfig& config) {
  codec::Mapping rest = config;
  codec::CustomerIdMapping& id = rest.customer_id;
  if (id.from == CustomerFrom::file_name && !id.constant) id.from = CustomerFrom::field;
  if (id.from == CustomerFrom::field) id.constant.reset();
  return rest == codec::Mapping{};
}

// The mapping, with the usual names for what it leaves out.
codec::Mapping whole_mapping(const SourceConfig& config, DecoderKind kind, bool fixed_id) {
  codec::Mapping mapping = config;
  mapping.decoder = kind;
  if (fixed_id && !mapping.customer_id.constant) mapping.customer_id.from = CustomerFrom::file_name;
  if (!has_names(kind)) return mapping;
  const auto use = [kind](auto& where, const char* name) {
    if (kind == DecoderKind::csv) {
      where.header = name;
    } else {
      where.pointer = std::string("/") + name;
    }
  };
  if (!fixed_id && !names_field(mapping.customer_id)) use(mapping.customer_id, "customer_id");
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

std::unique_ptr<LineDecoder> build(const SourceConfig& config, DecoderKind kind, const std::string& fixed_id) {
  const bool csv = kind == DecoderKind::csv;
  if (has_names(kind) && is_plain(config)) {
    if (!csv) return std::make_unique<WireLines>(fixed_id);
    if (!config.header) throw Failed("header = false: say by number in which column time and heart_rate are");
    return std::make_unique<PlainCsvLines>(config.separator[0], fixed_id);
  }
  const codec::Mapping mapping = whole_mapping(config, kind, !fixed_id.empty());
  const codec::DecoderSettings settings{
      .offered = CustomerFrom::file_name, .max_payload = config.max_line.value, .separator = config.separator[0]};
  if (kind == DecoderKind::gatt_hrm && config.input_encoding == codec::InputEncoding::bytes) {
    throw Failed("input_encoding: lines of a file are text; decoder = \"gatt_hrm\" reads them with \"hex\"");
  }
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
  build(config, kind_of(config, path.text()), constant ? *constant : named ? "name" : "");
}

std::unique_ptr<LineDecoder> make_decoder(const SourceConfig& config, const FoundFile& file) {
  const std::string fixed_id = fixed_id_of(config, file);
  if (!fixed_id.empty()) {
    if (const auto checked = codec::check_customer_id(fixed_id); !checked.ok()) {
      throw BadFile(std::string("its name gives no customer id: ") + checked.detail);
    }
  }
  return build(config, kind_of(config, file.path), fixed_id);
}

}  // namespace hb::file
