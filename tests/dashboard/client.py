"""A plain HTTP client for the page's server: raw sockets where bytes matter, http.client elsewhere."""

import http.client
import json
import os
import pathlib
import socket

SINK = '\n[[sink]]\nplugin = "dashboard"\nlisten = "127.0.0.1:{port}"\nbatch_timeout = "50ms"\n'


def get(port, path, headers=None, method="GET", body=None, timeout=10):
    """(status, headers, body) of one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def get_json(port, path, headers=None):
    status, _headers, body = get(port, path, headers)
    assert status == 200, body
    return json.loads(body)


def snapshot(port):
    return get_json(port, "/api/v1/snapshot")


def exchange(port, data, timeout=15):
    """Sends bytes as they are and returns all that comes until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        connection.sendall(data)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def open_stream(port, headers=""):
    """A connection that has asked for the stream."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=15)
    connection.sendall(f"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode())
    return connection


def events(connection):
    """The snapshots of a stream, one after the other: (id, object)."""
    with connection.makefile("rb") as lines:
        fields = {}
        for line in lines:
            text = line.decode().rstrip("\n")
            if text:
                name, _, value = text.partition(": ")
                fields[name] = value
            elif "data" in fields:
                assert fields["event"] == "snapshot"
                yield int(fields["id"]), json.loads(fields["data"])
                fields = {}


def descriptors(pid):
    """How many files and sockets a process has open."""
    return len(os.listdir(pathlib.Path(f"/proc/{pid}/fd")))


def sockets(pid):
    """How many of them are sockets: the journal opens files of its own meanwhile."""
    count = 0
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            count += os.readlink(link).startswith("socket:")
        except FileNotFoundError:  # has just been closed
            continue
    return count
