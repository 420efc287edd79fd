// Fills a config struct from JSON by its option table, as the agent does from TOML.
#pragma once

#include <hbagent/options.hpp>
#include <nlohmann/json.hpp>

#include <deque>
#include <stdexcept>
#include <string>
#include <vector>

class JsonConfig {
 public:
  // Throws std::runtime_error for a key or a kind that the table does not have.
  template <class Config>
  static Config read(const nlohmann::json& json) {
    JsonConfig reader;
    Config config{};
    const std::vector<hb_option>& table = hb::option_table<Config, Config>();
    hb::assign_options<Config>(reader.table(json, table.data(), table.size()), config);
    return config;
  }

 private:
  hb_value table(const nlohmann::json& json, const hb_option* options, std::size_t count);
  hb_value value(const nlohmann::json& json, const hb_option& option);
  hb_value list(const nlohmann::json& json, const hb_option& option);
  hb_value scalar(const nlohmann::json& json, std::uint32_t kind, const hb_option& option);

  std::deque<std::string> texts_;
  std::deque<std::vector<hb_value>> items_;
};
