// The control socket, its client, and HTTP over a Unix domain socket.
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "control.hpp"
#include "control_client.hpp"
#include "http.hpp"
#include "local_socket.hpp"
#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

using namespace hbagent;  // NOLINT(google-build-using-namespace)

namespace {

HttpAnswer echo(const HttpRequest& request) {
  return {200, "text/plain", (request.post ? "POST " : "GET ") + request.path + ' ' + request.body};
}

}  // namespace

TEST_CASE("a client reaches the server whatever the length of the folder's path, and its body arrives") {
  const TemporaryFolder folder;
  for (const std::size_t length : {1U, 60U, 107U, 108U, 200U}) {
    const auto path = folder.path() / std::string(length, 'x');
    std::filesystem::create_directory(path);
    const HttpServer server(listen_locally(path, kControlSocket), echo);
    const ControlClient client(path);
    const std::string body(100'000, 'b');
    const auto posted = client.post("/replay?x=1", body);
    REQUIRE(posted);
    CHECK(posted->status == 200);
    CHECK(posted->body == "POST /replay " + body);
    CHECK(client.get("/metrics")->body == "GET /metrics ");
  }
}

TEST_CASE("no agent is no error, and what has gone wrong otherwise is one") {
  const TemporaryFolder folder;
  CHECK_FALSE(ControlClient(folder.path() / "not there").get("/"));
  CHECK_FALSE(ControlClient(folder.path()).get("/"));
  { const UniqueFd dead = listen_locally(folder.path(), kControlSocket); }
  CHECK(std::filesystem::exists(folder.path() / kControlSocket));  // as a kill leaves it
  CHECK_FALSE(ControlClient(folder.path()).get("/"));
}

TEST_CASE("a dead process's socket is replaced, and anything else in its place is not") {
  const TemporaryFolder folder;
  const auto path = folder.path() / kControlSocket;
  { const UniqueFd dead = listen_locally(folder.path(), kControlSocket); }
  {
    const HttpServer server(listen_locally(folder.path(), kControlSocket), echo);
    CHECK(ControlClient(folder.path()).get("/again")->body == "GET /again ");
  }
  std::filesystem::remove(path);
  std::ofstream(path) << "precious";
  CHECK_THROWS_WITH(listen_locally(folder.path(), kControlSocket), contains_text("is no socket"));
  CHECK(std::filesystem::file_size(path) == 8);
}

TEST_CASE("nobody but its user may connect to the socket, whatever the umask") {
  const TemporaryFolder folder;
  const mode_t before = umask(0);
  const UniqueFd fd = listen_locally(folder.path(), kControlSocket);
  umask(before);
  struct stat info {};
  REQUIRE(stat((folder.path() / kControlSocket).c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0600);
}

TEST_CASE("a body that is too long ends its own connection only") {
  const TemporaryFolder folder;
  const HttpServer server(listen_locally(folder.path(), kControlSocket), echo);
  const ControlClient client(folder.path());
  CHECK_THROWS_WITH(client.post("/", std::string(HttpServer::kMaxBody + 1, 'x')), contains_text("broke off"));
  CHECK(client.get("/again")->body == "GET /again ");
}
