#include "sqlstate.hpp"

#include <hbagent/sdk.hpp>

#include <cctype>

namespace postgres {
namespace {

bool is_sqlstate(std::string_view text) {
  if (text.size() != 5) return false;
  for (const char c : text) {
    if (!(c >= '0' && c <= '9') && !(c >= 'A' && c <= 'Z')) return false;
  }
  return true;
}

}  // namespace

Remedy remedy_for(std::string_view sqlstate) {
  if (sqlstate.size() != 5) return Remedy::Reconnect;
  struct Rule {
    std::string_view prefix;
    Remedy remedy;
  };
  // The first match counts.
  static constexpr Rule kRules[] = {
      {"08P01", Remedy::Bug},         // protocol_violation
      {"08", Remedy::Reconnect},      // connection exception
      {"22P03", Remedy::Bug},         // invalid_binary_representation
      {"22P04", Remedy::Bug},         // bad_copy_file_format
      {"22", Remedy::RejectRow},      // data exception
      {"23505", Remedy::Redo},        // unique_violation
      {"23", Remedy::RejectRow},      // integrity constraint violation
      {"25006", Remedy::Reconnect},   // read_only_sql_transaction: no longer the primary
      {"25P03", Remedy::Reconnect},   // idle_in_transaction_session_timeout
      {"28", Remedy::Configuration},  // invalid authorization
      {"3D", Remedy::Configuration},  // invalid catalog name: no such database
      {"3F", Remedy::Configuration},  // invalid schema name
      {"40", Remedy::Retry},          // serialization failure, deadlock
      {"42", Remedy::Configuration},  // access rule violation, undefined or foreign objects
      {"0A", Remedy::Configuration},  // feature not supported
      {"53", Remedy::Resources},      // disk full, out of memory, too many connections
      {"55", Remedy::Retry},          // lock not available, object in use
      {"57014", Remedy::Retry},       // query_canceled: also statement_timeout
      {"57", Remedy::Reconnect},      // shutdown, crash, cannot connect now, idle session
      {"58", Remedy::Resources},      // system error, I/O
      {"P0", Remedy::RejectRow},      // raised by a trigger of the database's owner
      {"XX", Remedy::Resources},      // internal error, corruption
  };
  for (const Rule& rule : kRules) {
    if (sqlstate.starts_with(rule.prefix)) return rule.remedy;
  }
  return Remedy::Retry;
}

std::string ServerError::detail() const {
  return "SQLSTATE " + (sqlstate.empty() ? std::string("none") : sqlstate) + ": " + what();
}

std::optional<std::size_t> copy_line(std::string_view context, std::string_view table) {
  const std::string start = "COPY " + std::string(table);
  auto at = context.find(start);
  if (at == std::string_view::npos) return std::nullopt;
  at += start.size();
  // Between the name and the number: ", line " or its translation. A column's value comes after.
  const auto digit = context.find_first_of("0123456789\n", at);
  if (digit == std::string_view::npos || context[digit] == '\n') return std::nullopt;
  std::size_t line = 0;
  for (auto i = digit; i < context.size() && std::isdigit(static_cast<unsigned char>(context[i])) != 0; ++i) {
    if (line > 1'000'000'000) return std::nullopt;
    line = line * 10 + static_cast<std::size_t>(context[i] - '0');
  }
  return line;
}

std::string sqlstate_of_login(std::string_view text) {
  std::string found;
  // One line an attempt: "connection to server at ..., port 5432 failed: FATAL:  28P01: password ..."
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (line.find("failed: ") == std::string_view::npos) continue;
    found.clear();
    for (auto at = line.find(":  "); at != std::string_view::npos; at = line.find(":  ", at + 1)) {
      const auto rest = line.substr(at + 3);
      if (rest.size() > 6 && rest[5] == ':' && is_sqlstate(rest.substr(0, 5))) found = rest.substr(0, 5);
    }
  }
  return found;
}

void raise(const ServerError& error, const std::string& doing) {
  std::string text = doing + ": " + error.what();
  if (!error.sqlstate.empty()) text += " (SQLSTATE " + error.sqlstate + ")";
  switch (error.remedy()) {
    case Remedy::Reconnect:
      throw hb::Reopen(text);
    case Remedy::Configuration:
      throw hb::Failed(text);
    case Remedy::Bug:
      throw hb::Failed(text + "; this is a fault of the plugin, please report it");
    case Remedy::Resources:
      throw hb::Retry(text + "; the server lacks resources, somebody must look");
    case Remedy::Retry:
    case Remedy::Redo:
    case Remedy::RejectRow:
      break;
  }
  throw hb::Retry(text);
}

}  // namespace postgres
