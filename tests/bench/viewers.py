"""Looks at a live page from many connections, from one process: viewers.py PORT VIEWERS SECONDS.

Waits until each viewer has had its first snapshot, says so with a line, counts from then on, and ends with a line of
JSON: updates a second of the viewer that got fewest and most, bytes a second, and what it cost itself.
"""

import json
import resource
import selectors
import socket
import sys
import time

REQUEST = b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n"
END = b"\n\n"  # of an event; JSON on one line has none


class Viewer:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.sendall(REQUEST)
        self.socket.setblocking(False)
        self.updates = -1  # the head of the stream ends like an event
        self.last = b""

    def take(self):
        """Counts what has come; returns its size."""
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionError("the server has closed a viewer's connection")
        # An end may lie across two pieces.
        self.updates += data.count(END) + (self.last == b"\n" and data[:1] == b"\n")
        self.last = data[-1:] if data[-2:] != END else b""
        return len(data)


def look(viewers, until):
    """Takes what comes until `until()`; returns how many bytes that were."""
    taken = 0
    with selectors.EpollSelector() as selector:
        for viewer in viewers:
            selector.register(viewer.socket, selectors.EVENT_READ, viewer)
        while not until():
            for key, _events in selector.select(0.1):
                taken += key.data.take()
    return taken


def main():
    port, count, seconds = map(int, sys.argv[1:])
    viewers = [Viewer(port) for _ in range(count)]
    give_up = time.monotonic() + 30
    look(viewers, lambda: min(viewer.updates for viewer in viewers) > 0 or time.monotonic() > give_up)
    assert min(viewer.updates for viewer in viewers) > 0, "not every viewer got a snapshot within 30 s"
    print("looking", flush=True)
    before = [viewer.updates for viewer in viewers]
    begin = time.monotonic()
    taken = look(viewers, lambda: time.monotonic() - begin >= seconds)
    span = time.monotonic() - begin
    rates = [(viewer.updates - first) / span for viewer, first in zip(viewers, before)]
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"least": min(rates), "most": max(rates), "bytes_per_s": taken / span,
                      "cpu_seconds": usage.ru_utime + usage.ru_stime}))


if __name__ == "__main__":
    main()
