// How fast the sink stores, beside psql's \copy of the same rows in arrival order into the same table, in turn:
//
//   bench_postgres URI [rounds] [rows] [customers] [batch size] [connections]
//
// URI: a database that may be wiped, of the server to measure on; deploy/stack.sh brings one. With SERVER_PID, the
// process id of that server, its CPU time is shown too: a steadier figure than the rate where the machine is shared.
#include <hbagent/testing.hpp>

#include "encode.hpp"
#include "partitions.hpp"
#include "postgres_sink.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

namespace {

constexpr std::int64_t kStart = 1'795'000'000'000'000;

std::vector<hb::Reading> make_rows(std::size_t count, std::size_t customers) {
  std::vector<hb::Reading> rows;
  rows.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    char id[32];
    // Scattered, as the arrival of many devices is.
    std::snprintf(id, sizeof id, "cust_%05zu", i * 7919 % customers);
    const auto time =
        kStart + static_cast<std::int64_t>(i / customers) * 1'000'000 + static_cast<std::int64_t>(i % customers) * 37;
    rows.push_back(hb::testing::make_reading(id, time, static_cast<std::int32_t>(60 + i % 60)));
  }
  return rows;
}

void run_sql(const std::string& uri, const std::string& sql) {
  PGconn* connection = PQconnectdb(uri.c_str());
  PGresult* result = PQexec(connection, sql.c_str());
  if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK) {
    std::cerr << PQerrorMessage(connection);
    std::exit(1);
  }
  PQclear(result);
  PQfinish(connection);
}

template <class Body>
double seconds(const Body& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

// CPU time of the server's ended sessions; 0 without SERVER_PID. Fields 16 and 17 of proc(5)'s stat.
double server_cpu_seconds() {
  const char* server = std::getenv("SERVER_PID");
  if (server == nullptr) return 0;
  usleep(200'000);  // the session ends after the client has left
  std::ifstream stat("/proc/" + std::string(server) + "/stat");
  std::string line;
  std::getline(stat, line);
  std::istringstream fields(line.substr(line.rfind(')') + 2));
  std::string skipped;
  for (int field = 3; field < 16; ++field) fields >> skipped;
  double user = 0, system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const auto number = [&](int index, std::size_t missing) {
    return argc > index ? std::strtoul(argv[index], nullptr, 10) : missing;
  };
  if (argc < 2) {
    std::cerr << "usage: bench_postgres URI [rounds] [rows] [customers] [batch size] [connections]\n";
    return 2;
  }
  const std::string uri = argv[1];
  const auto rounds = number(2, 5), count = number(3, 1'000'000), customers = number(4, 10'000),
             batch_size = number(5, postgres::PostgresSink::batch_size), connections = number(6, 1);
  const auto rows = make_rows(count, customers);

  char path[] = "/tmp/hbagent-bench-XXXXXX";
  ::close(mkstemp(path));
  {
    std::ofstream file(path);
    for (const auto& row : rows) {
      file << row.customer_id << ',' << postgres::timestamp_text(row.time_us) << ',' << row.heart_rate << ",0,"
           << postgres::timestamp_text(row.received_us) << '\n';
    }
  }
  const std::string copy = "psql -X -q '" + uri +
                           "' -c \"\\copy heartbeats (customer_id, time, heart_rate, flags, received_at) from '" +
                           path + "' csv\"";
  postgres::Config config;
  config.uri = uri;
  config.connections = static_cast<std::int32_t>(connections);
  config.max_future = std::chrono::hours(24 * 36'500);
  {  // Makes the tables and the partitions of the rows, so that both sides find the same.
    hb::testing::TestHost host;
    postgres::PostgresSink sink(config, host.host());
    sink.open();
    hb::testing::TestBatch batch({rows.front(), rows.back()});
    sink.write(batch.sink_batch());
  }
  std::vector<double> floor, ours, cpu, floor_server, our_server;
  for (std::size_t round = 0; round < rounds; ++round) {
    run_sql(uri, "TRUNCATE heartbeats, heartrate_data; CHECKPOINT");
    const double server_start = server_cpu_seconds();
    floor.push_back(seconds([&] {
      if (std::system(copy.c_str()) != 0) std::exit(1);
    }));
    floor_server.push_back(server_cpu_seconds() - server_start);
    run_sql(uri, "TRUNCATE heartbeats, heartrate_data; CHECKPOINT");
    const double our_server_start = server_cpu_seconds();
    hb::testing::TestHost host;
    postgres::PostgresSink sink(config, host.host());
    sink.open();
    const double before = cpu_seconds();
    ours.push_back(seconds([&] {
      for (std::size_t from = 0; from < rows.size(); from += batch_size) {
        const auto size = std::min(batch_size, rows.size() - from);
        hb_verdicts verdicts{};
        verdicts.size = sizeof verdicts;
        verdicts.set = [](void*, std::uint32_t, std::int32_t, const char*, const char*) {
          std::cerr << "a row was not plainly stored\n";
          std::exit(1);
        };
        sink.write(hb::Batch({rows.data() + from, size}, verdicts));
      }
      sink.close();  // with the latest readings shown
    }));
    cpu.push_back(cpu_seconds() - before);
    our_server.push_back(server_cpu_seconds() - our_server_start);
  }
  unlink(path);
  const auto rate = [&](const std::vector<double>& times) { return static_cast<double>(count) / median(times) / 1000; };
  const auto per_million = [&](const std::vector<double>& values) {
    return median(values) * 1e6 / static_cast<double>(count);
  };
  std::printf(
      "%zu rows, %zu customers, batch %zu, connections %zu: psql \\copy %.0f k/s, sink %.0f k/s, ratio %.2f\n"
      "  CPU s per million: sink %.3f, server %.2f for \\copy, %.2f for the sink\n",
      count, customers, batch_size, connections, rate(floor), rate(ours), rate(ours) / rate(floor), per_million(cpu),
      per_million(floor_server), per_million(our_server));
}
