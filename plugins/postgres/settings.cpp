#include "settings.hpp"

#include <libpq-fe.h>

#include <algorithm>
#include <memory>

namespace postgres {
namespace {

struct FreeOptions {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using Options = std::unique_ptr<PQconninfoOption, FreeOptions>;

using Parameters = std::vector<std::pair<std::string, std::string>>;

Parameters parse_uri(const std::string& uri) {
  char* raw_error = nullptr;
  const Options parsed(PQconninfoParse(uri.c_str(), &raw_error));
  const std::unique_ptr<char, decltype(&PQfreemem)> error(raw_error, PQfreemem);
  if (!parsed) {
    // libpq quotes the piece that it does not like, which may be the password: keep only what comes before it.
    std::string text = error ? error.get() : "out of memory";
    text = text.substr(0, text.find_first_of("\"\n"));
    while (!text.empty() && (text.back() == ' ' || text.back() == ':')) text.pop_back();
    throw hb::Failed("uri: " + text);
  }
  Parameters parameters;
  for (const auto* option = parsed.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) parameters.emplace_back(option->keyword, option->val);
  }
  return parameters;
}

const std::string* find(const Parameters& parameters, std::string_view key) {
  for (const auto& [keyword, value] : parameters) {
    if (keyword == key) return &value;
  }
  return nullptr;
}

std::string describe_target(const Parameters& parameters) {
  const auto text = [&](const char* key, const char* missing) {
    const std::string* value = find(parameters, key);
    return value == nullptr ? std::string(missing) : *value;
  };
  std::string host = text("host", "");
  if (host.empty()) host = text("hostaddr", "local");
  const std::string port = text("port", "");
  return host + (port.empty() ? "" : ':' + port) + '/' + text("dbname", "");
}

void add_parts(const Config& config, Parameters& parameters) {
  const auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) parameters.emplace_back(key, value);
  };
  add("host", config.host);
  add("port", config.port ? std::to_string(*config.port) : "");
  add("dbname", config.dbname.empty() ? "heartbeat_db" : config.dbname);
  add("user", config.user);
  add("password", config.password);
  add("sslmode", config.sslmode);
  add("sslrootcert", config.sslrootcert);
  add("sslcert", config.sslcert);
  add("sslkey", config.sslkey);
}

}  // namespace

Settings make_settings(const Config& config) {
  Settings settings;
  settings.schema = config.schema;
  settings.timeout = config.timeout;
  if (config.uri.empty()) {
    add_parts(config, settings.parameters);
  } else {
    if (!config.host.empty() || config.port || !config.dbname.empty() || !config.user.empty() ||
        !config.password.empty() || !config.sslmode.empty() || !config.sslrootcert.empty() || !config.sslcert.empty() ||
        !config.sslkey.empty()) {
      throw hb::Failed("give either uri or host, port, dbname, user, password and the ssl options, not both");
    }
    settings.parameters = parse_uri(config.uri);
  }
  settings.target = describe_target(settings.parameters);

  const auto otherwise = [&](const char* key, const std::string& value) {
    if (find(settings.parameters, key) == nullptr) settings.parameters.emplace_back(key, value);
  };
  const auto seconds = std::max<std::int64_t>(1, config.timeout.count() / 1000);
  otherwise("application_name", config.application_name);
  otherwise("connect_timeout", std::to_string(std::max<std::int64_t>(2, seconds)));
  // A dead peer is noticed within the timeout, idle or sending.
  otherwise("keepalives_idle", std::to_string(std::max<std::int64_t>(1, seconds / 2)));
  otherwise("keepalives_interval", std::to_string(std::max<std::int64_t>(1, seconds / 6)));
  otherwise("keepalives_count", "3");
  otherwise("tcp_user_timeout", std::to_string(config.timeout.count()));
  otherwise("target_session_attrs", "read-write");  // of several hosts, the primary
  std::erase_if(settings.parameters, [](const auto& parameter) { return parameter.first == "client_encoding"; });
  settings.parameters.emplace_back("client_encoding", "UTF8");
  return settings;
}

std::string Settings::connection_string() const {
  std::string text;
  for (const auto& [key, value] : parameters) {
    text += (text.empty() ? "" : " ") + key + "='";
    for (const char c : value) {
      if (c == '\'' || c == '\\') text += '\\';
      text += c;
    }
    text += '\'';
  }
  return text;
}

std::string Settings::session_sql() const {
  const std::string ms = std::to_string(timeout.count());
  // Half of it, so that a statement which only waits for a lock says so.
  const std::string lock_ms = std::to_string(std::max<std::int64_t>(1, timeout.count() / 2));
  return "SET timezone = 'UTC'; SET datestyle = 'ISO'; SET search_path = " + quote_identifier(schema) +
         "; SET statement_timeout = " + ms + "; SET lock_timeout = " + lock_ms +
         "; SET idle_in_transaction_session_timeout = " + ms;
}

std::string Settings::clean(std::string_view message) const {
  std::string line;
  for (const char c : message) {
    if (c != '\n') {
      line += c;
    } else if (!line.empty() && !line.ends_with("; ")) {
      line += "; ";
    }
  }
  while (line.ends_with(' ') || line.ends_with(';')) line.pop_back();
  for (const char* key : {"password", "sslpassword"}) {
    const std::string* secret = find(parameters, key);
    if (secret == nullptr || secret->empty()) continue;
    for (auto at = line.find(*secret); at != std::string::npos; at = line.find(*secret, at + 3)) {
      line.replace(at, secret->size(), "***");
    }
  }
  return line;
}

std::string quote_identifier(std::string_view name) {
  std::string quoted = "\"";
  for (const char c : name) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace postgres
