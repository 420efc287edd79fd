// The options that say where a reading lies in a payload. A plugin's config struct derives from Mapping and appends
// mapping_options, so that the very same keys serve every source:
//
//   struct Subscription : hb::codec::Mapping {
//     std::string topic;
//     static constexpr auto options = std::tuple_cat(
//         hb::options(hb::option("topic", &Subscription::topic, "...").required()),
//         hb::codec::mapping_options<Subscription>());
//   };
//
//   decoder = "json"
//   customer_id = "topic"                               # or { pointer = "/id" }, { const = "strap-7" }, ...
//   time = { pointer = "/time", format = "iso8601" }    # or "receive"
//   heart_rate = { pointer = "/heart_rate" }
#pragma once

#include <hbagent/options.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace hb::codec {

enum class DecoderKind : std::uint8_t { json, csv, scalar, gatt_hrm, senml };

// How the bytes of decoder "gatt_hrm" come.
enum class InputEncoding : std::uint8_t { bytes, hex };

// Where an id comes from when it is not a field of the payload. A plugin offers the one it knows.
enum class CustomerFrom : std::uint8_t { field, topic, key, file_name };
enum class Scope : std::uint8_t { element, root };
// Of a SenML record: the base name, or the whole name, which is the base name with the record's own behind it.
enum class SenmlName : std::uint8_t { bn, name };

struct CustomerIdMapping {
  CustomerFrom from = CustomerFrom::field;
  std::optional<std::string> pointer{}, constant{}, header{};
  std::optional<std::int64_t> column{};
  Scope scope = Scope::element;
  std::optional<SenmlName> senml{};
  std::string strip_suffix{};

  bool operator==(const CustomerIdMapping&) const = default;

  static constexpr auto options = hb::options(
      hb::option("from", &CustomerIdMapping::from,
                 "\"field\": one of the keys below says where; else the topic, the record's key or the file's name.")
          .choices("field", "topic", "key", "file_name"),
      hb::option("pointer", &CustomerIdMapping::pointer, "JSON pointer to a text or an integer.")
          .example("\"/customer_id\""),
      hb::option("scope", &CustomerIdMapping::scope, "Whether the pointer starts at the element of `each` or outside.")
          .choices("element", "root"),
      hb::option("const", &CustomerIdMapping::constant, "The same id for every reading.").example("\"strap-7\""),
      hb::option("column", &CustomerIdMapping::column, "CSV column by number, from 0.").range(0, 999),
      hb::option("header", &CustomerIdMapping::header, "CSV column by its name in the first line."),
      hb::option("senml", &CustomerIdMapping::senml, "SenML: the base name, or the whole name of the record.")
          .choices("bn", "name"),
      hb::option("strip_suffix", &CustomerIdMapping::strip_suffix, "SenML: cut off where the name ends in it.")
          .example("\":\""));
};

struct HeartRateMapping {
  std::optional<std::string> pointer{}, header{};
  std::vector<std::string> pointers{};
  std::optional<std::int64_t> column{};
  bool numeric_strings = false;
  std::optional<std::string> name{};
  std::vector<std::string> units{};

  bool operator==(const HeartRateMapping&) const = default;

  static constexpr auto options = hb::options(
      hb::option("pointer", &HeartRateMapping::pointer, "JSON pointer to a number.").example("\"/heart_rate\""),
      hb::option("pointers", &HeartRateMapping::pointers,
                 "Several JSON pointers; the first that leads to a value counts.")
          .example("[\"/bpm\", \"/hr\"]"),
      hb::option("column", &HeartRateMapping::column, "CSV column by number, from 0.").range(0, 999),
      hb::option("header", &HeartRateMapping::header, "CSV column by its name in the first line."),
      hb::option("numeric_strings", &HeartRateMapping::numeric_strings, "Take \"72\" for 72."),
      hb::option("name", &HeartRateMapping::name,
                 "SenML: the records of this name, as they write it or with the base name before it.")
          .example("\"hr\""),
      hb::option("units", &HeartRateMapping::units, "SenML: the records with one of these units.")
          .example("[\"beat/min\"]"));
};

enum class TimeFrom : std::uint8_t { field, receive };
enum class TimeFormat : std::uint8_t { iso8601, epoch_s, epoch_ms, epoch_us, epoch_ns, strftime };

struct TimeMapping {
  TimeFrom from = TimeFrom::field;
  std::optional<std::string> pointer{}, header{};
  std::optional<std::int64_t> column{};
  TimeFormat format = TimeFormat::iso8601;
  std::string pattern{};
  std::string naive_zone{};
  bool numeric_strings = false;
  bool allow_date_only = false;
  bool senml = false;

  bool operator==(const TimeMapping&) const = default;

  static constexpr auto options = hb::options(
      hb::option("from", &TimeMapping::from,
                 "\"field\": one of the keys below says where; \"receive\": when this agent received it.")
          .choices("field", "receive"),
      hb::option("pointer", &TimeMapping::pointer, "JSON pointer to the time.").example("\"/time\""),
      hb::option("column", &TimeMapping::column, "CSV column by number, from 0.").range(0, 999),
      hb::option("header", &TimeMapping::header, "CSV column by its name in the first line."),
      hb::option("format", &TimeMapping::format, "How it is written. The unit of a number is never guessed.")
          .choices("iso8601", "epoch_s", "epoch_ms", "epoch_us", "epoch_ns", "strftime"),
      hb::option("pattern", &TimeMapping::pattern, "With format \"strftime\".").example("\"%Y-%m-%d %H:%M:%S %z\""),
      hb::option("naive_zone", &TimeMapping::naive_zone,
                 "Zone of times that name none, such as \"UTC\" or \"Europe/Berlin\". Without it they are rejected.")
          .example("\"UTC\""),
      hb::option("numeric_strings", &TimeMapping::numeric_strings, "Take \"1700000000\" for the number."),
      hb::option("allow_date_only", &TimeMapping::allow_date_only, "Take a date alone for its midnight."),
      hb::option("senml", &TimeMapping::senml,
                 "SenML: base time and time; below 2^28 s they are relative to when this agent received it."));
};

struct GuardMapping {
  std::string pointer;
  std::optional<std::string> equals;
  std::optional<double> min;

  bool operator==(const GuardMapping&) const = default;

  static constexpr auto options = hb::options(
      hb::option("pointer", &GuardMapping::pointer, "JSON pointer to the value to look at.").required(),
      hb::option("equals", &GuardMapping::equals, "Only readings where it is this text or number.")
          .example("\"8867-4\""),
      hb::option("min", &GuardMapping::min, "Only readings where it is at least this number.").example("50.0"));
};

struct Mapping {
  DecoderKind decoder = DecoderKind::json;
  InputEncoding input_encoding = InputEncoding::bytes;
  CustomerIdMapping customer_id;
  HeartRateMapping heart_rate;
  TimeMapping time;
  std::optional<std::string> each;
  std::optional<GuardMapping> guard;

  bool operator==(const Mapping&) const = default;
};

namespace detail {
template <class Config, class Member>
constexpr Member Config::*as_member_of(Member Mapping::*member) {
  return member;
}
}  // namespace detail

// The options of Mapping but `decoder`, for a source that has other choices there.
template <class Config>
constexpr auto mapping_options_without_decoder() {
  return hb::options(
      hb::option("input_encoding", detail::as_member_of<Config>(&Mapping::input_encoding),
                 "With decoder \"gatt_hrm\": the bytes themselves, or text in hexadecimal.")
          .choices("bytes", "hex"),
      hb::option("customer_id", detail::as_member_of<Config>(&Mapping::customer_id), "Whose reading it is.")
          .shorthand("from"),
      hb::option("heart_rate", detail::as_member_of<Config>(&Mapping::heart_rate),
                 "Beats per minute; a decimal's half rounds to even."),
      hb::option("time", detail::as_member_of<Config>(&Mapping::time), "When it was measured.").shorthand("from"),
      hb::option("each", detail::as_member_of<Config>(&Mapping::each),
                 "JSON pointer to an array of readings; the other pointers then start at its elements. \"\" is the "
                 "document itself; a step *[name=heart_rate] takes the elements with that member.")
          .example("\"/readings\""),
      hb::option("guard", detail::as_member_of<Config>(&Mapping::guard),
                 "What else must hold, or it is no reading and is discarded."));
}

// The options of Mapping for a config struct derived from it.
template <class Config>
constexpr auto mapping_options() {
  return std::tuple_cat(
      hb::options(hb::option("decoder", detail::as_member_of<Config>(&Mapping::decoder), "How the payload is written.")
                      .choices("json", "csv", "scalar", "gatt_hrm", "senml")),
      mapping_options_without_decoder<Config>());
}

}  // namespace hb::codec
