// The command line.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <exception>
#include <map>
#include <optional>

#include "command_support.hpp"
#include "text.hpp"

namespace {

// One folder each time it is given: the word behind it may be a plugin's name.
void add_plugin_dir(CLI::App& app, hbagent::RunOptions& options) {
  app.add_option("--plugin-dir", options.plugin_dirs, "Folder searched for plugins first; may be given more than once")
      ->allow_extra_args(false);
}

void add_common(CLI::App& app, hbagent::RunOptions& options, bool config_required) {
  auto* config = app.add_option("-c,--config", options.config, "Configuration file (TOML)");
  if (config_required) config->required();
  add_plugin_dir(app, options);
}

void add_logging(CLI::App& app, hbagent::RunOptions& options) {
  using hbagent::LogFormat;
  using hbagent::LogLevel;
  static const std::map<std::string, LogFormat> kFormats = {{"text", LogFormat::text}, {"json", LogFormat::json}};
  static const std::map<std::string, LogLevel> kLevels = {
      {"debug", LogLevel::debug}, {"info", LogLevel::info}, {"warning", LogLevel::warning}, {"error", LogLevel::error}};
  app.add_option_function<std::string>(
         "--log-format", [&](const std::string& name) { options.log_format = kFormats.at(name); },
         "How log lines on stderr look: text or json")
      ->check(CLI::IsMember(std::vector<std::string>{"text", "json"}).description(""))
      ->type_name("FORMAT");
  app.add_option_function<std::string>(
         "--log-level", [&](const std::string& name) { options.log_level = kLevels.at(name); },
         "Least severe level that is logged: debug, info, warning or error")
      ->check(CLI::IsMember(std::vector<std::string>{"debug", "info", "warning", "error"}).description(""))
      ->type_name("LEVEL");
}

// `audit` of what is stored; returns the option that asks for it.
CLI::Option* add_stored_audit(CLI::App& audit, hbagent::StoredAudit& asked) {
  auto* postgres = audit.add_option("--postgres", asked.postgres,
                                    "Compare this database with the generator's readings: name what is missing, "
                                    "doubled, changed or foreign");
  postgres->type_name("URI");
  auto* generator =
      audit.add_flag("--generator", asked.generator, "The readings are those of the configuration's generators");
  postgres->needs(generator);
  generator->needs(postgres);
  audit.add_option("--table", asked.table, "Table with customer_id, time and heart_rate instead of heartbeats")
      ->needs(postgres);
  asked.wait = std::chrono::seconds(10);
  const auto wait = [&](const std::string& text) {
    const auto parsed = hbagent::parse_wait(text);
    if (!parsed) throw CLI::ValidationError("--wait", text + " is no duration such as 10s");
    asked.wait = *parsed;
  };
  audit.add_option_function<std::string>("--wait", wait, "How long to wait for what is still on its way; 10s")
      ->type_name("DURATION")
      ->needs(postgres);
  const auto add_time = [&](const char* name, std::optional<std::int64_t>& to, const char* help) {
    const auto take = [name, &to](const std::string& text) {
      to = hbagent::parse_rfc3339(text);
      if (!to) throw CLI::ValidationError(name, text + " is no time such as 2026-01-01T00:00:00Z");
    };
    audit.add_option_function<std::string>(name, take, help)->type_name("TIME")->needs(postgres);
  };
  add_time("--since", asked.since, "Only readings from this time on, instead of the first of the run");
  add_time("--until", asked.until, "Only readings before this time, instead of all that were made");
  audit.add_flag("--all", asked.all, "Name every finding, not only the first 20 of each kind")->needs(postgres);
  return postgres;
}

CLI::App* add_decode(CLI::App& app, hbagent::RunOptions& options, hbagent::DecodeRequest& asked) {
  CLI::App* decode = app.add_subcommand(
      "decode", "Show what a payload becomes in a source's decoding and the processors; connects nowhere");
  decode->add_option("SOURCE", asked.source, "Name of the source; may be left out where there is only one");
  decode->add_option("FILE", asked.file, "File that holds the payload; standard input where absent or -");
  auto* batch = decode->add_option("--batch", asked.batch, "File with many cases, or -; see below");
  batch->type_name("FILE");
  auto* topic = decode->add_option("--topic", asked.topic, "Topic or file that it is to be taken to come from");
  auto* hex = decode->add_flag("--hex", asked.hex, "The payload is given as hex text");
  auto* retain = decode->add_flag("--retain", asked.retain, "It is an old value that a broker kept");
  const auto take_time = [&](const std::string& text) {
    asked.received_us = hbagent::parse_rfc3339(text);
    if (!asked.received_us) {
      throw CLI::ValidationError("--received-at", text + " is no time such as 2026-01-01T00:00:00Z");
    }
  };
  auto* received = decode->add_option_function<std::string>("--received-at", take_time, "When it was received; now");
  received->type_name("TIME");
  auto* key = decode->add_option("--key", asked.key, "Key of the record that holds it");
  for (CLI::Option* each : {topic, hex, retain, received, key}) batch->excludes(each);
  decode->footer(R"(Prints a JSON object a line, in message order: for a reading
  {"customer_id":..,"time":..,"heart_rate":..,"flags":[..]}
and for what gives none, or is removed by a processor,
  {"reject":"reason","detail":..}

With --batch each line of the file is a case, of which only the payload must be there:
  {"topic":..,"encoding":"utf8" or "hex","payload":..,"retain":..,"received_at":..,"key":..}
and is answered by an array in a line. Each is decoded as if it were the only one, but a processor
that remembers readings remembers those of the cases before. A line that is no case, or that the
source cannot decode at all, ends it, and is named.)");
  add_common(*decode, options, true);
  return decode;
}

int run(int argc, char** argv) {
  hbagent::RunOptions options;
  CLI::App app(
      "hbagent: a lightweight, plugin-based edge agent for heart-rate streams.\n"
      "hbagent -c FILE runs the configuration until SIGTERM or SIGINT.",
      "hbagent");
  app.set_help_flag("-h,--help", "Print this help");
  bool version = false;
  app.add_flag("--version", version, "Print the version, the plugin ABI and the plugin folders");
  add_common(app, options, false);
  add_logging(app, options);
  app.require_subcommand(0, 1);

  bool connect = false;
  CLI::App* check = app.add_subcommand("check", "Check a configuration; connects nowhere unless asked to");
  add_common(*check, options, true);
  check->add_flag("--connect", connect,
                  "Open every source, processor and sink as well; a sink may create its topic or schema then");

  std::string plugin_name;
  bool markdown = false;
  CLI::App* plugins = app.add_subcommand("plugins", "List the plugins, or document one");
  plugins->add_option("NAME", plugin_name, "Plugin to document; source:NAME or sink:NAME for one kind of it");
  plugins->add_flag("--markdown", markdown, "As Markdown, for the plugin's README");
  add_plugin_dir(*plugins, options);

  std::vector<std::string> init_plugins;
  CLI::App* init = app.add_subcommand("init", "Print a commented configuration for some plugins");
  init->add_option("PLUGIN", init_plugins, "Plugins, in order; source:NAME or sink:NAME where a name is both")
      ->required();
  add_plugin_dir(*init, options);

  hbagent::DecodeRequest payload;
  CLI::App* decode = add_decode(app, options, payload);

  CLI::App* journal = app.add_subcommand("journal", "Look into the journal on disk, or mend it");
  journal->require_subcommand(1);
  CLI::App* journal_info = journal->add_subcommand("info", "Show what the journal holds, and how far each sink is");
  CLI::App* journal_verify =
      journal->add_subcommand("verify", "Read all of it and name every damage; exit code 1 if any");
  CLI::App* journal_forget =
      journal->add_subcommand("forget", "Let go of what is kept for a sink that the configuration does not have");
  std::string journal_sink;
  journal_forget->add_option("SINK", journal_sink, "Name of the sink")->required();
  CLI::App* journal_repair =
      journal->add_subcommand("repair", "Go on without segment files that are gone; their readings count as lost");
  for (CLI::App* each : {journal_info, journal_verify, journal_forget, journal_repair}) {
    add_common(*each, options, true);
  }

  CLI::App* dlq = app.add_subcommand("dlq", "Look at the dead letters, or replay them");
  dlq->require_subcommand(1);
  hbagent::LetterSelection letters;
  std::uint64_t letter_id = 0;
  bool letters_as_json = false;
  CLI::App* dlq_list = dlq->add_subcommand("list", "List the dead letters, oldest first");
  dlq_list->add_flag("--json", letters_as_json, "As JSON, a line each, with their payloads");
  CLI::App* dlq_show = dlq->add_subcommand("show", "Show one dead letter with its payload");
  dlq_show->add_option("ID", letter_id, "Its number in the list")->required();
  CLI::App* dlq_replay =
      dlq->add_subcommand("replay", "Send dead letters through the pipeline again; what is safe then is taken out");
  dlq_replay->add_option("--id", letters.ids, "Only the letters of these numbers");
  for (CLI::App* each : {dlq_list, dlq_replay}) {
    each->add_option("--reason", letters.reason, "Only those refused for this reason");
    each->add_option("--source", letters.source, "Only those that came through this source");
  }
  for (CLI::App* each : {dlq_list, dlq_show, dlq_replay}) add_common(*each, options, true);

  CLI::App* audit = app.add_subcommand("audit", "Reconcile the accounts of a running agent, or of its last run");
  bool audit_as_json = false;
  auto* as_json = audit->add_flag("--json", audit_as_json, "As JSON");
  hbagent::StoredAudit stored;
  add_stored_audit(*audit, stored)->excludes(as_json);
  add_common(*audit, options, true);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? hbagent::kExitDone : hbagent::kExitUsage;
  }
  if (version) return hbagent::show_version(options.plugin_dirs);
  if (check->parsed()) return hbagent::check_config(options, connect);
  if (plugins->parsed()) return hbagent::show_plugins(options.plugin_dirs, plugin_name, markdown);
  if (decode->parsed()) return hbagent::decode(options, payload);
  if (journal_info->parsed()) return hbagent::journal_info(options);
  if (journal_verify->parsed()) return hbagent::journal_verify(options);
  if (journal_forget->parsed()) return hbagent::journal_forget(options, journal_sink);
  if (journal_repair->parsed()) return hbagent::journal_repair(options);
  if (dlq_list->parsed()) return hbagent::list_letters(options, letters, letters_as_json);
  if (dlq_show->parsed()) return hbagent::show_letter(options, letter_id);
  if (dlq_replay->parsed()) return hbagent::replay_letters(options, letters);
  if (audit->parsed() && !stored.postgres.empty()) return hbagent::audit_stored(options, stored);
  if (audit->parsed()) return hbagent::audit(options, audit_as_json);
  if (init->parsed()) return hbagent::init_config(options.plugin_dirs, init_plugins);
  if (options.config.empty()) {
    std::fprintf(stderr, "hbagent: give a configuration with -c FILE, or see hbagent --help\n");
    return hbagent::kExitUsage;
  }
  return hbagent::run_agent(options);
}

// A file must never get a closed standard stream's number: what is written there would end up in it. Closed they stay:
// reading ends at once, and writing fails.
bool open_standard_streams() {
  for (;;) {
    const int fd = open("/dev/null", O_RDONLY);
    if (fd < 0) return false;
    if (fd > STDERR_FILENO) return close(fd) == 0;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (!open_standard_streams()) return hbagent::kExitFailed;
  try {
    const int code = run(argc, argv);
    hbagent::flush_output();
    return code;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "hbagent: %s\n", error.what());
    return hbagent::kExitFailed;
  }
}
