"""Clients that mean no good, or do not behave: nothing leaks, nothing stops, nobody sees what is not theirs."""

import gzip
import json
import os
import pathlib
import re
import resource
import socket
import subprocess
import time

import pytest

from support.agent import binary
from support.processes import free_port
from support.waiting import wait_until

from .client import SINK, descriptors, events, exchange, get, open_stream, snapshot, sockets

LIVE = '[[source]]\nplugin = "generator"\ncustomers = 50\n'
TOKEN = "0123456789abcdef-~!"


@pytest.fixture
def served(agent):
    port = free_port()
    running = agent(LIVE + SINK.format(port=port)).start().wait_ready()
    running.page_port = port
    return running


def status_of(answer):
    return int(re.match(rb"HTTP/1\.1 (\d{3}) ", answer).group(1))


def test_only_this_hosts_names_are_answered_to(served):
    port = served.page_port
    for host in ("localhost", f"127.0.0.1:{port}", "[::1]", "LOCALHOST"):
        assert get(port, "/", {"Host": host})[0] == 200, host
    for host in ("evil.example", f"evil.example:{port}", "localhost.evil.example", "127.0.0.2", "localhost:x"):
        for path in ("/", "/api/v1/snapshot", "/api/v1/stream"):
            status, _headers, body = get(port, path, {"Host": host})
            assert status == 421 and json.loads(body)["error"], (host, path)
    assert status_of(exchange(port, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")) == 400
    assert status_of(exchange(port, b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\nConnection: close\r\n\r\n")) == 400
    assert status_of(exchange(port, b"GET http://evil/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")) == 400


def test_an_allowed_host_is_answered_to(agent):
    port = free_port()
    agent(LIVE + SINK.format(port=port) + 'allowed_hosts = ["hearts.example.org"]\n').start().wait_ready()
    assert get(port, "/", {"Host": "hearts.example.org:443"})[0] == 200
    assert get(port, "/", {"Host": "other.example.org"})[0] == 421


def test_every_answer_has_the_headers_that_keep_the_page_alone(served):
    for path in ("/", "/api/v1/snapshot", "/nothing"):
        _status, headers, _body = get(served.page_port, path)
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "*" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["Access-Control-Allow-Origin"] is None


def test_files_are_compressed_and_known_again(served):
    port = served.page_port
    status, headers, body = get(port, "/")
    assert status == 200 and b"<html" in body and headers["Cache-Control"] == "no-cache"
    status, same, nothing = get(port, "/", {"If-None-Match": headers["ETag"]})
    assert (status, nothing, same["ETag"]) == (304, b"", headers["ETag"])
    status, packed, compressed = get(port, "/", {"Accept-Encoding": "gzip"})
    if packed["Content-Encoding"] == "gzip":  # left out where it would be no smaller
        assert gzip.decompress(compressed) == body and packed["ETag"] != headers["ETag"]
    status, head, nothing = get(port, "/", method="HEAD")
    assert (status, nothing, head["Content-Length"]) == (200, b"", str(len(body)))


def test_only_get_and_head(served):
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"):
        status, headers, body = get(served.page_port, "/api/v1/snapshot", method=method, body=b"x" * 10_000)
        assert (status, headers["Allow"]) == (405, "GET, HEAD"), method
    # A body that a GET should not have is no second request.
    smuggled = b"GET /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 45\r\n\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n" + b"x" * 12
    answer = exchange(served.page_port, smuggled)
    assert status_of(answer) == 404 and answer.count(b"HTTP/1.1 ") == 1


def test_no_path_leads_out_of_the_page(served):
    for path in ("/../../etc/passwd", "/..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd",
                 "/index.html%00.js", "/....//etc/passwd", "/api/v1/../../etc/passwd", "/api/v2/snapshot"):
        assert get(served.page_port, path)[0] == 404, path
    for path in ("/%", "/%zz", "/?a=%4"):
        assert get(served.page_port, path)[0] == 400, path


def test_a_giant_header_and_what_is_no_http(served):
    port = served.page_port
    giant = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000 + b"\r\n\r\n"
    assert status_of(exchange(port, giant)) == 431
    many = b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: a\r\n" * 5000 + b"\r\n"
    assert status_of(exchange(port, many)) == 431
    fits = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX: " + b"a" * 7000 + b"\r\n\r\n"
    assert status_of(exchange(port, fits)) == 200
    for wrong in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 6 + b"x\r\n\r\n",
                  b"GET  HTTP/1.1\r\n\r\n"):
        assert status_of(exchange(port, wrong)) == 400, wrong
    assert snapshot(port)["version"] == 1


def test_requests_one_after_the_other_on_one_connection(served):
    request = b"GET /api/v1/snapshot HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = b"HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert exchange(served.page_port, request * 20 + last).count(b"HTTP/1.1 200 OK") == 21


def test_the_token_opens_the_page_and_nothing_else_does(agent):
    port = free_port()
    running = agent(LIVE + SINK.format(port=port) + f'token = "{TOKEN}"\n').start().wait_ready()
    status, headers, body = get(port, "/")
    assert status == 401 and b"token" in body and headers["Content-Type"].startswith("text/html")
    for path in ("/api/v1/snapshot", "/api/v1/stream", "/app.js", "/?token=wrong", "/?token=", "/nothing",
                 f"/api/v1/snapshot?token={TOKEN}"):
        assert get(port, path)[0] == 401, path
    assert get(port, "/", {"Authorization": "Bearer wrong"})[0] == 401
    assert get(port, "/api/v1/snapshot", {"Authorization": f"Bearer {TOKEN}"})[0] == 200
    status, headers, body = get(port, f"/?token={TOKEN}")
    assert (status, headers["Location"], headers["Cache-Control"]) == (303, "./", "no-store")
    cookie = headers["Set-Cookie"]
    assert set(cookie.split("; ")[1:]) == {"HttpOnly", "SameSite=Lax"}  # and for the path below which it was given
    value = cookie.split("; ")[0]
    assert get(port, "/", {"Cookie": f"other=1; {value}"})[0] == 200
    assert get(port, "/api/v1/snapshot", {"Cookie": value})[0] == 200
    assert get(port, "/", {"Cookie": value[:-1]})[0] == 401
    assert get(port, f"/?token={TOKEN}", {"Host": "evil.example"})[0] == 421
    assert TOKEN not in running.log


def test_a_public_address_without_a_token_is_refused_at_its_line(tmp_path):
    for listen, word in (("0.0.0.0:3030", "set a token"), ("[::]:3030", "set a token"), ("here", "address:port")):
        path = tmp_path / "agent.toml"
        path.write_text(f'[agent]\ndata_dir = "{tmp_path}"\n{LIVE}[[sink]]\nplugin = "dashboard"\nlisten = "{listen}"\n')
        checked = subprocess.run([binary(), "check", "-c", path], capture_output=True, text=True)
        assert checked.returncode == 2, checked.stderr
        assert word in checked.stderr and f"agent.toml:{len(path.read_text().splitlines())}:" in checked.stderr


def test_a_port_that_is_taken_is_told_and_had_when_it_is_free(agent):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        running = agent(LIVE + SINK.format(port=port)).start()
        running.wait_log(rf"cannot listen on 127\.0\.0\.1:{port}: .*in use; choose another")
        running.wait_not_ready()
    running.wait_ready()
    assert snapshot(port)["version"] == 1


def test_slow_senders_of_headers_hold_nobody_up_and_are_cut_off(served):
    port = served.page_port
    wait_until(lambda: snapshot(port), 5, "an answer")
    before = sockets(served.pid)
    slow = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(200)]
    began = time.monotonic()
    try:
        for connection in slow:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        for _ in range(20):
            asked = time.monotonic()
            assert snapshot(port)["version"] == 1
            assert time.monotonic() - asked < 5
            for connection in slow:  # a byte now and then buys no time
                try:
                    connection.sendall(b"X")
                except OSError:
                    continue
        for connection in slow:
            try:
                assert connection.recv(1) == b""
            except ConnectionError:
                continue
        assert 8 < time.monotonic() - began < 30
    finally:
        for connection in slow:
            connection.close()
    wait_until(lambda: sockets(served.pid) <= before, 10, "their sockets to be closed")


def test_more_connections_than_there_is_room_for_take_the_place_of_idle_ones(agent):
    port = free_port()
    running = agent(LIVE + SINK.format(port=port) + "max_viewers = 10\n").start().wait_ready()
    viewers = [open_stream(port) for _ in range(10)]
    streams = [events(viewer) for viewer in viewers]
    idle = []
    try:
        for stream in streams:
            next(stream)
        for _ in range(300):
            idle.append(socket.create_connection(("127.0.0.1", port), timeout=10))
        assert snapshot(port)["version"] == 1
        assert descriptors(running.pid) < 150
        for stream in streams:  # viewers keep their places
            number, _ = next(stream)
            assert next(stream)[0] > number
        with open_stream(port) as one_more:
            answer = one_more.recv(65536)
        assert status_of(answer) == 503 and b"\r\nRetry-After: " in answer
    finally:
        for connection in viewers + idle:
            connection.close()


def test_ten_thousand_connects_leave_nothing_behind(served):
    port = served.page_port
    snapshot(port)
    before = sockets(served.pid)

    def in_all(count):
        for number in range(count):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                kind = number % 4
                if kind == 1:
                    connection.sendall(b"GET /")
                elif kind == 2:
                    connection.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
                elif kind == 3:
                    connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    connection.recv(100)
    in_all(5000)
    memory = served.resident_bytes()
    in_all(5000)
    wait_until(lambda: sockets(served.pid) <= before, 20, "their sockets to be closed")
    assert served.resident_bytes() < memory + 4 * 1024 ** 2
    wait_until(lambda: served.metrics().sum("hbagent_plugin_viewers") == 0, 10, "the viewers to be gone")
    wait_until(lambda: snapshot(port)["totals"]["active"] == 50, 10, "every customer to be shown")


def test_a_viewer_that_does_not_read_is_dropped_and_no_other_waits(agent):
    port = free_port()
    many = '[[source]]\nplugin = "generator"\ncustomers = 500\n'
    running = agent(many + SINK.format(port=port) + 'refresh = "100ms"\n').start().wait_ready()
    with socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.connect(("127.0.0.1", port))
        lazy.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with open_stream(port) as reader:
            count = 0
            began = time.monotonic()
            for _number, one in events(reader):
                count += 1
                if running.metrics().sum("hbagent_plugin_viewers") == 1 and count > 50:
                    break
                assert time.monotonic() - began < 40, "it was not dropped"
            seconds = time.monotonic() - began
            assert seconds > 9 and count > seconds * 5
            assert one["totals"]["readings"] > 500 * 5


def test_without_descriptors_nothing_stops(agent):
    port = free_port()
    running = agent(LIVE + SINK.format(port=port)).start().wait_ready()
    resource.prlimit(running.pid, resource.RLIMIT_NOFILE, (descriptors(running.pid) + 5, 4096))
    held = []
    try:
        for _ in range(50):
            held.append(socket.create_connection(("127.0.0.1", port), timeout=10))
        assert wait_until(lambda: snapshot(port), 20, "an answer with all descriptors in use")
        began, cpu = time.monotonic(), cpu_seconds(running.pid)
        wait_until(lambda: time.monotonic() - began > 2, 5, "two seconds to pass")
        assert cpu_seconds(running.pid) - cpu < 1, "it spins"
    finally:
        for connection in held:
            connection.close()
    wait_until(lambda: get(port, "/")[0] == 200, 10, "an answer")


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
