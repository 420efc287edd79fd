// Errors of the server and of the way to it: each becomes the right answer, and nothing is lost.
#include "connection.hpp"
#include "support.hpp"

#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdlib>
#include <thread>

using namespace postgres_test;

namespace {

std::string admin_uri(const Database& database) {
  return Server::instance().uri(database.name, "postgres");
}

// Sessions of the sink's own role in this database, but for the test's.
void end_sessions(Sql& admin) {
  admin.run(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
      "AND application_name = 'hbagent'");
}

// While it lives, no commit of the server comes back.
class NoStandby {
 public:
  explicit NoStandby(Sql& admin) : admin_(admin) {
    admin_.run("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    admin_.run("SELECT pg_reload_conf()");
  }
  ~NoStandby() {
    admin_.run("ALTER SYSTEM RESET synchronous_standby_names");
    admin_.run("SELECT pg_reload_conf()");
  }
  NoStandby(const NoStandby&) = delete;
  NoStandby& operator=(const NoStandby&) = delete;

 private:
  Sql& admin_;
};

}  // namespace

TEST_CASE("a login that cannot work is a matter of configuration, and shows no password") {
  Database database;
  const auto attempt = [&](auto change) {
    auto config = config_for(database.name);
    change(config);
    TestSink sink(config);
    auto outcome = outcome_of([&] { sink.sink->open(); });
    CHECK(outcome.second.find("s3cret") == std::string::npos);
    return outcome;
  };
  const auto port = std::to_string(Server::instance().port());
  const auto wrong_password =
      attempt([&](auto& c) { c.uri = "postgresql://hbagent:s3cret@127.0.0.1:" + port + "/" + database.name; });
  CHECK(wrong_password.first == HB_FAILED);
  CHECK(wrong_password.second.find("28P01") != std::string::npos);
  const auto no_database = attempt([&](auto& c) { c.uri = Server::instance().uri("nowhere"); });
  CHECK(no_database.first == HB_FAILED);
  CHECK(no_database.second.find("3D000") != std::string::npos);
  // Nobody listens: it may come later.
  CHECK(attempt([](auto& c) { c.uri = "postgresql://hbagent:s3cret@127.0.0.1:1/x"; }).first == HB_REOPEN);
  CHECK(attempt([](auto& c) { c.uri = "postgresql://hbagent:s3cret@no-such-host.invalid/x"; }).first == HB_REOPEN);
}

TEST_CASE("TLS is used as configured, and a server that cannot prove its name is refused") {
  Server& server = Server::instance();
  Database database;
  Sql admin(admin_uri(database));
  const std::string folder = server.folder() + "/tls";
  mkdir(folder.c_str(), 0755);
  const auto make_certificate = [&](const std::string& name, const std::string& subject) {
    const std::string command =
        "cd " + folder + " && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test " +
        "-addext subjectAltName=" + subject + " -keyout " + name + ".key -out " + name +
        ".crt 2>openssl.log && { [ $(id -u) != 0 ] || chown postgres " + name + ".key; } && chmod 600 " + name + ".key";
    if (std::system(command.c_str()) != 0) FAIL("openssl");
  };
  make_certificate("right", "IP:127.0.0.1");
  make_certificate("other", "DNS:elsewhere");
  const auto serve = [&](const std::string& name) {
    admin.run("ALTER SYSTEM SET ssl_cert_file = '" + folder + "/" + name + ".crt'");
    admin.run("ALTER SYSTEM SET ssl_key_file = '" + folder + "/" + name + ".key'");
    admin.run("ALTER SYSTEM SET ssl = on");
    admin.run("SELECT pg_reload_conf()");
    wait_until("the certificate", [&] {
      Sql look(admin_uri(database));
      return look.value("SHOW ssl_cert_file") == folder + "/" + name + ".crt" && look.value("SHOW ssl") == "on";
    });
  };
  serve("right");
  postgres::Config config;
  config.host = "127.0.0.1";
  config.port = server.port();
  config.dbname = database.name;
  config.user = config.password = "hbagent";
  config.sslmode = "verify-full";
  config.sslrootcert = folder + "/right.crt";
  {
    TestSink sink(config);
    sink.sink->open();
    sink.write(make_series(10, 2));
    CHECK(admin.value("SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE "
                      "application_name = 'hbagent' AND datname = current_database()") == "t");
  }
  config.sslrootcert = folder + "/other.crt";
  CHECK(outcome_of([&] { TestSink(config).sink->open(); }).second.find("certificate verify failed") !=
        std::string::npos);
  serve("other");
  CHECK(outcome_of([&] { TestSink(config).sink->open(); }).second.find("does not match host name") !=
        std::string::npos);
  admin.run("ALTER SYSTEM RESET ALL");
  admin.run("SELECT pg_reload_conf()");
  CHECK(database.count() == "10");
}

TEST_CASE("too many connections is a lack of resources that may pass") {
  Database database;
  Sql admin(admin_uri(database));
  admin.run("CREATE ROLE one_only LOGIN PASSWORD 'one_only' CONNECTION LIMIT 0");
  TestSink sink(config_for(database.name, "one_only"));
  const auto [status, text] = outcome_of([&] { sink.sink->open(); });
  CHECK(status == HB_RETRY);
  CHECK(text.find("53300") != std::string::npos);
}

TEST_CASE("a server that was stopped, or killed, costs a reopen and no reading") {
  Database database;
  TestSink sink(config_for(database.name));
  sink.sink->open();
  const auto readings = make_series(2000, 10);
  const std::vector<hb::Reading> first(readings.begin(), readings.begin() + 1000);
  const std::vector<hb::Reading> second(readings.begin() + 1000, readings.end());
  sink.write(first);
  for (const bool kill : {false, true}) {
    if (kill) {
      Server::instance().crash();
    } else {
      Server::instance().stop();
    }
    // A session may outlive its postmaster for a moment; writing again changes nothing.
    wait_until("a write to meet the end", [&] { return outcome_of([&] { sink.write(second); }).first == HB_REOPEN; });
    sink.sink->close();
    const auto [status, text] = outcome_of([&] { sink.sink->open(); });
    CHECK(status == HB_REOPEN);
    CHECK(text.find("refused") != std::string::npos);
    Server::instance().start();
    sink.sink->open();
  }
  sink.write(readings);
  sink.sink->close();
  Database* same = &database;
  same->sql = Sql(Server::instance().uri(database.name));
  CHECK(same->count() == "2000");
  CHECK(same->shown().size() == 10);
}

TEST_CASE("sessions that are ended between and during writes cost a reopen and no reading") {
  Database database;
  Sql admin(admin_uri(database));
  auto config = config_for(database.name);
  config.connections = 2;
  TestSink sink(config);
  sink.sink->open();
  const auto readings = make_series(60'000, 100);
  int reopened = 0;
  std::atomic<bool> done = false;
  std::jthread killer([&] {
    Sql other(admin_uri(database));
    for (int times = 0; times < 40 && !done; ++times) {
      end_sessions(other);
      std::this_thread::sleep_for(std::chrono::milliseconds(120));
    }
  });
  for (std::size_t from = 0; from < readings.size(); from += 5000) {
    const std::vector<hb::Reading> batch(readings.begin() + static_cast<std::ptrdiff_t>(from),
                                         readings.begin() + static_cast<std::ptrdiff_t>(from + 5000));
    // Until it is taken, in the end in peace.
    for (bool taken = false; !taken;) {
      TestBatch sent(batch);
      taken = outcome_of([&] { sink.sink->write(sent.sink_batch()); }).first == HB_OK;
      if (!taken) ++reopened;
      while (!taken && outcome_of([&] { sink.sink->open(); }).first != HB_OK) {
      }
    }
  }
  done = true;
  killer.join();
  CHECK(reopened > 0);
  CHECK(database.count() == "60000");
  // What was shown may be behind where a session ended in the commit; opening makes it good.
  sink.sink->close();
  wait_until("heartrate_data to be complete", [&] {
    sink.sink->open();
    return database.sql.value(
               "SELECT count(*) FROM heartrate_data h JOIN (SELECT customer_id, max(time) AS time FROM "
               "heartbeats GROUP BY 1) m ON m.customer_id = h.customer_id AND "
               "h.time = m.time AT TIME ZONE 'UTC'") == "100";
  });
}

TEST_CASE("a commit in doubt is resent, and met as duplicates") {
  Database database;
  Sql admin(admin_uri(database));
  TestSink sink(config_for(database.name));
  sink.sink->open();
  sink.write(make_series(10, 10, kNow - 100 * kSecond));
  const auto readings = make_series(500, 10);
  const auto waiting = [&](const std::string& query) {
    return admin.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query LIKE '" + query +
                       "' AND datname = current_database()") == "1";
  };
  std::pair<std::int32_t, std::string> outcome;
  Sql probe(Server::instance().uri(database.name));
  probe.run("CREATE TABLE probe (value int)");
  {
    // A commit is done here, and then waits for a standby that never comes.
    const NoStandby no_standby(admin);
    wait_until("commits to wait", [&] {
      if (probe.idle()) probe.send("INSERT INTO probe VALUES (1)");
      return waiting("INSERT INTO probe%");
    });
    std::jthread writing([&] { outcome = outcome_of([&] { sink.write(readings); }); });
    wait_until("the sink's commit to wait", [&] { return waiting("%COMMIT%"); });
    end_sessions(admin);
  }
  probe.finish();
  CHECK(outcome.first == HB_REOPEN);
  CHECK(database.count() == "510");
  sink.sink->close();
  sink.sink->open();
  for (const auto& verdict : sink.write(readings)) CHECK(verdict.verdict == HB_VERDICT_DUPLICATE);
  CHECK(database.count() == "510");
  sink.sink->close();
  CHECK(database.shown()[0] ==
        "c0 " + std::to_string(readings[490].time_us) + " " + std::to_string(readings[490].heart_rate));
}

TEST_CASE("a lock that somebody holds ends in a retry within the timeout") {
  Database database;
  auto config = config_for(database.name);
  config.timeout = std::chrono::milliseconds(400);
  TestSink sink(config);
  sink.sink->open();
  Sql blocker(Server::instance().uri(database.name));
  blocker.run("BEGIN; LOCK TABLE heartbeats IN EXCLUSIVE MODE");
  const auto [status, text] = outcome_of([&] { sink.write(make_series(10, 2)); });
  CHECK(status == HB_RETRY);
  CHECK(text.find("55P03") != std::string::npos);
  blocker.run("ROLLBACK");
  sink.write(make_series(10, 2));
  CHECK(database.count() == "10");
}

TEST_CASE("a statement that takes longer than the timeout is retried on the same connection") {
  Database database;
  auto config = config_for(database.name);
  config.timeout = std::chrono::milliseconds(300);
  TestSink sink(config);
  sink.sink->open();
  database.sql.run(
      "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS "
      "$$ BEGIN PERFORM pg_sleep(5); RETURN NEW; END $$; CREATE TRIGGER dawdle BEFORE INSERT ON heartbeats "
      "FOR EACH ROW EXECUTE FUNCTION dawdle()");
  const auto [status, text] = outcome_of([&] { sink.write(make_series(10, 2)); });
  CHECK(status == HB_RETRY);
  CHECK(text.find("57014") != std::string::npos);
  database.sql.run("DROP TRIGGER dawdle ON heartbeats");
  sink.write(make_series(10, 2));
  CHECK(database.count() == "10");
}

TEST_CASE("the loser of a deadlock retries") {
  Database database;
  TestSink sink(config_for(database.name));
  sink.sink->open();
  const auto insert = [](const std::string& id) {
    return "INSERT INTO heartbeats VALUES ('" + id + "', to_timestamp(" + std::to_string(kNow / kSecond) + "), 99)";
  };
  Sql other(Server::instance().uri(database.name));
  other.run("BEGIN; " + insert("b"));
  std::pair<std::int32_t, std::string> outcome;
  const std::vector<hb::Reading> readings{make_reading("a", kNow, 60), make_reading("b", kNow, 61)};
  std::jthread writing([&] { outcome = outcome_of([&] { sink.write(readings); }); });
  wait_until("the sink to wait for b", [&] {
    return database.sql.value(
               "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND "
               "application_name = 'hbagent' AND datname = current_database()") == "1";
  });
  other.send(insert("a"));
  writing.join();
  const auto others_error = other.finish();
  if (others_error.empty()) {
    CHECK(outcome.first == HB_RETRY);
    CHECK(outcome.second.find("40P01") != std::string::npos);
  } else {  // the server chose the other one
    CHECK(others_error.find("deadlock") != std::string::npos);
    CHECK(outcome.first == HB_OK);
  }
  other.run("ROLLBACK");
  sink.write(readings);
  CHECK(database.count() == "2");
}

TEST_CASE("a primary that became read-only is left for the primary") {
  Database database;
  TestSink sink(config_for(database.name));
  sink.sink->open();
  Sql admin(admin_uri(database));
  // As after a failover: the session stays, but takes no writes. (A role's default reaches new sessions only.)
  admin.run("ALTER DATABASE " + database.name + " SET default_transaction_read_only = on");
  end_sessions(admin);
  CHECK(outcome_of([&] { sink.write(make_series(10, 2)); }).first == HB_REOPEN);
  sink.sink->close();
  const auto [status, text] = outcome_of([&] { sink.sink->open(); });
  CHECK(status == HB_REOPEN);
  CHECK(text.find("read-only") != std::string::npos);
}

TEST_CASE("a table that disappeared stops the sink and keeps the readings") {
  Database database;
  TestSink sink(config_for(database.name));
  sink.sink->open();
  database.sql.run("DROP TABLE heartbeats CASCADE");
  const auto [status, text] = outcome_of([&] { sink.write(make_series(10, 2)); });
  CHECK(status == HB_FAILED);
  CHECK(text.find("42P01") != std::string::npos);
}

TEST_CASE("a full disk is a retry that says so") {
  const std::string folder = Server::instance().folder() + "/small";
  mkdir(folder.c_str(), 0755);
  // Not every place that runs tests may mount.
  if (mount("tmpfs", folder.c_str(), "tmpfs", 0, "size=1m,mode=0777") != 0) {
    WARN("no tmpfs can be mounted here: the full disk was not tried");
    return;
  }
  const struct Unmount {
    const std::string& folder;
    ~Unmount() { umount2(folder.c_str(), MNT_DETACH); }
  } unmount{folder};
  mkdir((folder + "/space").c_str(), 0777);
  if (std::system(("chown postgres " + folder + "/space").c_str()) != 0) FAIL("chown");
  Database database;
  Sql admin(admin_uri(database));
  admin.run("CREATE TABLESPACE small LOCATION '" + folder + "/space'");
  admin.run("GRANT CREATE ON TABLESPACE small TO hbagent");
  TestSink sink(config_for(database.name));
  sink.sink->open();
  database.sql.run("ALTER TABLE heartbeats_p20261120 SET TABLESPACE small");
  const auto readings = make_series(20'000, 100);
  const auto [status, text] = outcome_of([&] { sink.write(readings); });
  CHECK(status == HB_RETRY);
  CHECK(text.find("53100") != std::string::npos);
  database.sql.run("ALTER TABLE heartbeats_p20261120 SET TABLESPACE pg_default");
  sink.write(readings);
  CHECK(database.count() == "20000");
  sink.sink->close();
  admin.run("DROP TABLESPACE small");
}

TEST_CASE("a server that answers no more is noticed within the timeout, and does not hold up the end") {
  Database database;
  Sql admin(admin_uri(database));
  const bool stopping = GENERATE(false, true);
  auto config = config_for(database.name);
  config.timeout = stopping ? std::chrono::seconds(60) : std::chrono::seconds(2);
  TestSink sink(config);
  sink.sink->open();
  sink.write(make_series(10, 2));
  std::vector<pid_t> frozen;
  for (const auto& row : admin.rows("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND "
                                    "application_name = 'hbagent'")) {
    frozen.push_back(std::stoi(row[0]));
    kill(frozen.back(), SIGSTOP);
  }
  REQUIRE(!frozen.empty());
  std::jthread stopper;
  if (stopping) {
    stopper = std::jthread([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(200));  // somewhere within the write
      sink.host.stop();
    });
  }
  const auto start = std::chrono::steady_clock::now();
  CHECK(outcome_of([&] { sink.write(make_series(10, 2, kNow + 100)); }).first == HB_REOPEN);
  sink.sink->close();
  const auto took = std::chrono::steady_clock::now() - start;
  for (const auto pid : frozen) kill(pid, SIGCONT);
  CHECK(took >= (stopping ? std::chrono::milliseconds(200) : std::chrono::milliseconds(2000)));
  CHECK(took < std::chrono::seconds(8));
}

TEST_CASE("what a libpqxx session waits for ends when the agent stops") {
  Database database;
  { TestSink(config_for(database.name)).sink->open(); }
  auto config = config_for(database.name);
  config.timeout = std::chrono::seconds(60);
  Sql blocker(Server::instance().uri(database.name));
  blocker.run("BEGIN; LOCK TABLE heartbeat_schema IN ACCESS EXCLUSIVE MODE");
  TestSink sink(config);
  std::jthread stopper([&] {
    wait_until("the sink to wait", [&] {
      return database.sql.value(
                 "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND "
                 "application_name = 'hbagent' AND datname = current_database()") == "1";
    });
    sink.host.stop();
  });
  const auto start = std::chrono::steady_clock::now();
  const auto [status, text] = outcome_of([&] { sink.sink->open(); });
  CHECK(status == HB_RETRY);
  CHECK(text.find("57014") != std::string::npos);  // cancelled: nothing of it is left on the server
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));
}

TEST_CASE("heartrate_data that cannot be written does not hold up the readings, and is made good") {
  Database database;
  auto config = config_for(database.name);
  config.timeout = std::chrono::milliseconds(300);
  config.latest_interval = std::chrono::milliseconds(10);
  TestSink sink(config);
  sink.sink->open();
  Sql blocker(Server::instance().uri(database.name));
  blocker.run("BEGIN; LOCK TABLE heartrate_data IN EXCLUSIVE MODE");
  sink.write(make_series(10, 2));
  wait_until("a warning", [&] {
    for (const auto& [level, text] : sink.host.logs()) {
      if (level == HB_LOG_WARNING && text.find("heartrate_data is not up to date") != std::string::npos) return true;
    }
    return false;
  });
  sink.write(make_series(20, 2, kNow + 10 * kSecond));
  CHECK(database.count() == "30");
  blocker.run("ROLLBACK");
  wait_until("heartrate_data", [&] { return database.shown().size() == 2; });
}
