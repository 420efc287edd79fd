#include "metrics.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "text.hpp"
#include "version.hpp"

namespace hbagent {
namespace {

// Label values escape backslash, quote and newline (Prometheus exposition format).
std::string label(std::string_view name, std::string_view value) {
  std::string out = fmt::format("{}=\"", name);
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return out + '"';
}

class Exposition {
 public:
  void family(const std::string& name, const char* type, const char* help) {
    name_ = name;
    out_ += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, type);
  }
  void sample(const std::string& labels, double value) {
    out_ += labels.empty() ? fmt::format("{} {}\n", name_, value) : fmt::format("{}{{{}}} {}\n", name_, labels, value);
  }
  void sample(const std::string& labels, std::uint64_t value) {
    out_ += labels.empty() ? fmt::format("{} {}\n", name_, value) : fmt::format("{}{{{}}} {}\n", name_, labels, value);
  }
  // One sample a reason. A family without a reason yet has no sample, as Prometheus wants it.
  void by_reason(const std::string& labels, const CountByReason& counts) {
    for (const auto& [reason, count] : counts) sample(labels + "," + label("reason", reason), count);
  }
  std::string take() { return std::move(out_); }

 private:
  std::string name_, out_;
};

template <class Views, class Write>
void for_each(const Views& views, const char* kind, const Write& write) {
  for (const auto& view : views) write(label(kind, view.name), view);
}

void write_sources(Exposition& out, const Pipeline::View& view) {
  const auto each = [&](const auto& write) { for_each(view.sources, "source", write); };
  out.family("hbagent_source_received_total", "counter", "Inputs: readings emitted, dead letters and discards.");
  each([&](const std::string& labels, const auto& source) { out.sample(labels, source.terms.received); });
  out.family("hbagent_source_added_total", "counter", "Readings that processors made.");
  each([&](const std::string& labels, const auto& source) { out.sample(labels, source.terms.added); });
  out.family("hbagent_source_journaled_total", "counter", "Readings handed to the journal.");
  each([&](const std::string& labels, const auto& source) { out.sample(labels, source.terms.journaled); });
  out.family("hbagent_source_discarded_total", "counter", "Inputs that hold no reading at all, by reason.");
  each([&](const std::string& labels, const auto& source) { out.by_reason(labels, source.terms.discarded); });
  out.family("hbagent_source_dead_lettered_total", "counter", "Malformed or unstorable inputs, by reason.");
  each([&](const std::string& labels, const auto& source) { out.by_reason(labels, source.terms.dead_lettered); });
  out.family("hbagent_source_removed_total", "counter", "Readings removed by processors, by reason.");
  each([&](const std::string& labels, const auto& source) { out.by_reason(labels, source.terms.removed); });
}

void write_sinks(Exposition& out, const Pipeline::View& view) {
  const auto each = [&](const auto& write) { for_each(view.sinks, "sink", write); };
  out.family("hbagent_sink_journaled_total", "counter",
             "Readings that lay before this sink at the start, and all that came since.");
  each([&](const std::string& labels, const auto& sink) { out.sample(labels, sink.terms.journaled); });
  out.family("hbagent_sink_delivered_total", "counter", "Readings delivered, duplicates included.");
  each([&](const std::string& labels, const auto& sink) { out.sample(labels, sink.terms.delivered); });
  out.family("hbagent_sink_duplicate_total", "counter", "Readings delivered that were stored before.");
  each([&](const std::string& labels, const auto& sink) { out.sample(labels, sink.terms.duplicate); });
  out.family("hbagent_sink_filtered_total", "counter", "Readings that from and where leave out.");
  each([&](const std::string& labels, const auto& sink) { out.sample(labels, sink.terms.filtered); });
  out.family("hbagent_sink_rejected_total", "counter", "Readings that went to the dead letters, by reason.");
  each([&](const std::string& labels, const auto& sink) { out.by_reason(labels, sink.terms.rejected); });
  out.family("hbagent_sink_dropped_total", "counter",
             "Readings lost to when_full = drop_oldest or to a damaged journal.");
  each([&](const std::string& labels, const auto& sink) { out.sample(labels, sink.terms.dropped); });
  out.family("hbagent_sink_pending_readings", "gauge", "Readings in the journal that this sink is not done with.");
  each([&](const std::string& labels, const auto& sink) { out.sample(labels, sink.terms.pending); });
  out.family("hbagent_sink_writes_total", "counter", "Calls of the sink's write.");
  each([&](const std::string& labels, const auto& sink) { out.sample(labels, sink.progress.writes); });
  out.family("hbagent_sink_write_seconds_total", "counter", "Time spent in the sink's write.");
  each([&](const std::string& labels, const auto& sink) { out.sample(labels, sink.progress.write_seconds); });
  out.family("hbagent_sink_delay_seconds", "gauge", "From receipt to delivery, newest reading of the last batch.");
  each([&](const std::string& labels, const auto& sink) { out.sample(labels, sink.progress.last_delay_seconds); });
}

template <class Write>
void for_each_instance(const Pipeline::View& view, const Write& write) {
  const auto labels = [](const char* kind, const std::string& name) {
    return label("kind", kind) + "," + label("name", name);
  };
  for (const auto& source : view.sources) write(labels("source", source.name), source);
  for (const auto& sink : view.sinks) write(labels("sink", sink.name), sink);
}

void write_instances(Exposition& out, const Pipeline::View& view) {
  const auto each = [&](const auto& write) { for_each_instance(view, write); };
  out.family("hbagent_instance_up", "gauge", "1 while the instance is connected or finished, else 0.");
  each([&](const std::string& labels, const Pipeline::InstanceView& instance) {
    const auto state = instance.status.state;
    const bool up = state == Instance::State::up || state == Instance::State::finished;
    out.sample(labels, std::uint64_t{up ? 1U : 0U});
  });
  out.family("hbagent_instance_retries_total", "counter", "Failures that were tried again.");
  each([&](const std::string& labels, const Pipeline::InstanceView& instance) {
    out.sample(labels, instance.status.retries);
  });
  // The plugins' own gauges: one family for each name, over all instances that have it.
  std::map<std::string, std::vector<std::pair<std::string, double>>> gauges;
  each([&](const std::string& labels, const Pipeline::InstanceView& instance) {
    for (const auto& [name, value] : instance.status.gauges) gauges[name].emplace_back(labels, value);
  });
  for (const auto& [name, samples] : gauges) {
    out.family("hbagent_plugin_" + name, "gauge", "Gauge of the plugin's own; see its README.");
    for (const auto& [labels, value] : samples) out.sample(labels, value);
  }
}

void write_journal(Exposition& out, const Journal::Snapshot& journal) {
  out.family("hbagent_journal_used_bytes", "gauge", "Bytes of the journal in use.");
  out.sample("", journal.used_bytes);
  out.family("hbagent_journal_max_bytes", "gauge", "Bound of the journal.");
  out.sample("", journal.max_bytes);
  out.family("hbagent_journal_accepting", "gauge", "0 while the journal cannot be written and sources wait, else 1.");
  out.sample("", std::uint64_t{journal.failure.empty() ? 1U : 0U});
  out.family("hbagent_journal_unsynced_readings", "gauge", "Readings that power loss would take at this moment.");
  out.sample("", journal.unsynced);
  out.family("hbagent_journal_damaged_frames_total", "counter", "Damaged places in the journal that were passed.");
  out.sample("", journal.damaged_frames);
  out.family("hbagent_journal_damaged_readings_total", "counter", "Readings lost with them.");
  out.sample("", journal.damaged_readings);
  out.family("hbagent_journal_kept_readings", "gauge", "Readings kept for sinks that the configuration does not have.");
  for (const auto& [sink, readings] : journal.kept_for) out.sample(label("sink", sink), readings);
}

void put_terms(nlohmann::ordered_json& json, const SourceTerms& terms) {
  json["received"] = terms.received;
  json["added"] = terms.added;
  json["journaled"] = terms.journaled;
  json["discarded"] = terms.discarded;
  json["dead_lettered"] = terms.dead_lettered;
  json["refused_again"] = terms.refused_again;
  json["removed"] = terms.removed;
  json["balanced"] = terms.balanced();
}

nlohmann::ordered_json journal_json(const JournalSection& section, const Journal::Snapshot& journal) {
  nlohmann::ordered_json json;
  json["mode"] = section.mode == JournalSection::Mode::disk ? "disk" : "memory";
  json["appended"] = journal.appended;
  json["used_bytes"] = journal.used_bytes;
  json["max_bytes"] = journal.max_bytes;
  json["unsynced_readings"] = journal.unsynced;
  json["damaged_frames"] = journal.damaged_frames;
  json["damaged_readings"] = journal.damaged_readings;
  json["failure"] = journal.failure;
  json["kept_for"] = nlohmann::ordered_json::object();
  for (const auto& [sink, readings] : journal.kept_for) json["kept_for"][sink] = readings;
  return json;
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

nlohmann::ordered_json instance_json(const Pipeline::InstanceView& view) {
  nlohmann::ordered_json json;
  json["name"] = view.name;
  json["plugin"] = view.plugin;
  json["state"] = state_word(view.status.state);
  json["retries"] = view.status.retries;
  if (!view.status.last_error.empty()) {
    json["last_error"] = view.status.last_error;
    json["last_error_time"] = iso_time(view.status.last_error_time);
  }
  if (!view.status.gauges.empty()) json["gauges"] = view.status.gauges;
  return json;
}

}  // namespace

std::uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t total = 0, resident = 0;
  if (!(statm >> total >> resident)) return 0;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

std::string prometheus_text(const Pipeline& pipeline) {
  const Pipeline::View view = pipeline.view();
  Exposition out;
  out.family("hbagent_build_info", "gauge", "Version of the agent and of its plugin ABI; always 1.");
  out.sample(label("version", kVersion) + "," + label("abi", kAbiVersion) + "," + label("agent", view.config->agent.id),
             std::uint64_t{1});
  out.family("hbagent_ready", "gauge", "1 while every source and sink is connected and data moves, else 0.");
  out.sample("", std::uint64_t{pipeline.not_ready().empty() ? 1U : 0U});
  write_sources(out, view);
  write_sinks(out, view);
  write_instances(out, view);
  write_journal(out, view.journal);
  out.family("hbagent_reloads_total", "counter", "Configurations gone over to since the start.");
  out.sample("", view.reloads);
  out.family("hbagent_dead_letters_written_total", "counter", "Dead letters written since the start.");
  out.sample("", view.dead_letters.written);
  out.family("hbagent_dead_letters_evicted_total", "counter", "Dead letters that the file's bound pushed out.");
  out.sample("", view.dead_letters.evicted);
  out.family("hbagent_dead_letters_replayed_total", "counter", "Dead letters that a replay has taken out.");
  out.sample("", view.dead_letters.taken_out);
  out.family("hbagent_dead_letters_bytes", "gauge", "Size of the dead-letter files.");
  out.sample("", view.dead_letters.bytes);
  out.family("process_resident_memory_bytes", "gauge", "Resident memory size in bytes.");
  out.sample("", resident_bytes());
  out.family("process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds.");
  out.sample("", cpu_seconds());
  return out.take();
}

std::string status_json(const Pipeline& pipeline) {
  const Pipeline::View view = pipeline.view();
  const std::vector<std::string> not_ready = pipeline.not_ready();
  nlohmann::ordered_json json;
  json["agent"] = view.config->agent.id;
  json["version"] = kVersion;
  json["ready"] = not_ready.empty();
  json["not_ready"] = not_ready;
  json["started_at"] = iso_time(view.started_us);
  json["reloads"] = view.reloads;
  json["sources"] = nlohmann::ordered_json::array();
  for (const auto& source : view.sources) {
    auto each = instance_json(source);
    put_terms(each, source.terms);
    each["processors"] = nlohmann::ordered_json::array();
    for (const auto& processor : source.processors) each["processors"].push_back(instance_json(processor));
    json["sources"].push_back(std::move(each));
  }
  json["sinks"] = nlohmann::ordered_json::array();
  for (const auto& sink : view.sinks) {
    auto each = instance_json(sink);
    each["lay_before"] = sink.terms.lay_before;
    each["began_at"] = sink.terms.began_at;
    each["journaled"] = sink.terms.journaled;
    each["delivered"] = sink.terms.delivered;
    each["duplicate"] = sink.terms.duplicate;
    each["filtered"] = sink.terms.filtered;
    each["rejected"] = sink.terms.rejected;
    each["dropped"] = sink.terms.dropped;
    each["pending"] = sink.terms.pending;
    each["balanced"] = sink.terms.balanced();
    each["writes"] = sink.progress.writes;
    each["write_seconds"] = sink.progress.write_seconds;
    each["delay_seconds"] = sink.progress.last_delay_seconds;
    json["sinks"].push_back(std::move(each));
  }
  // What a reload has taken out: with it, the terms of all sources together stay what they are.
  put_terms(json["ended_sources"], view.ended_sources);
  json["ended_sinks"] = {{"delivered", view.ended_sinks.delivered}, {"rejected", view.ended_sinks.rejected}};
  json["journal"] = journal_json(view.config->journal, view.journal);
  json["dead_letters"] = {{"written", view.dead_letters.written},
                          {"evicted", view.dead_letters.evicted},
                          {"replayed", view.dead_letters.taken_out},
                          {"bytes", view.dead_letters.bytes},
                          {"failing", view.dead_letters.failing}};
  json["resident_bytes"] = resident_bytes();
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace hbagent
