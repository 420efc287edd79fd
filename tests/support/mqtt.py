"""A client of MQTT 3.1.1 for tests: as fast as a broker takes messages, and exact about what it has acknowledged."""

import select
import socket
import ssl
import struct
import threading
import time

_CHUNK = 200                # messages that are written in one go
_PACKET_IDS = 65535


def _text(value):
    data = value.encode()
    return struct.pack(">H", len(data)) + data


def _packet(kind, body):
    size, length = b"", len(body)
    while True:
        length, low = divmod(length, 128)
        size += bytes([low | 0x80 if length else low])
        if not length:
            return bytes([kind]) + size + body


def connect_packet(client_id, username=None, password=None):
    """CONNECT with a clean session and no keep-alive."""
    flags = 0x02 | (0x80 if username is not None else 0) | (0x40 if password is not None else 0)
    body = _text("MQTT") + bytes([4, flags]) + struct.pack(">H", 0) + _text(client_id)
    return _packet(0x10, body + b"".join(_text(each) for each in (username, password) if each is not None))


def publish_packet(topic, payload, packet_id=None, qos=1, retain=False):
    """PUBLISH; with QoS 0 there is no packet id."""
    ident = struct.pack(">H", packet_id) if qos else b""
    return _packet(0x30 | qos << 1 | retain, _text(topic) + ident + payload)


def connack_code(port, client_id="hbagent-tests-ready", timeout=2):
    """What the broker on that port of this host says to a login without a user: 0 is yes. None: it says nothing."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout) as connection:
            connection.sendall(connect_packet(client_id))
            answer = connection.recv(4)
            return answer[3] if len(answer) == 4 and answer[0] == 0x20 else None
    except OSError:
        return None


class Publisher:
    """Publishes `make(number)`, a (topic, payload) each, at QoS 1, on a thread of its own.

    Numbers go from 0 to `count`, or on until `finish`. `acknowledged` holds those that the broker has confirmed. What a
    lost connection leaves without an answer is published again on the next one. `rate` is in messages a second; without
    it, it is as fast as the broker lets it.
    """

    def __init__(self, port, make, count=None, rate=None, window=1000, client_id="publisher", tls_ca=None,
                 login=()):
        self.acknowledged = set()
        self.connections = 0
        self._port, self._make, self._count, self._rate, self._window = port, make, count, rate, window
        self._hello = connect_packet(client_id, *login)
        self._tls = ssl.create_default_context(cafile=tls_ca) if tls_ca else None
        self._next = 0
        self._again = []      # numbers that a lost connection left unanswered
        self._in_flight = {}  # packet id: number
        self._packet_id = 0
        self._ending = threading.Event()
        self._aborted = threading.Event()
        self._rest = b""
        self.error = None
        self._thread = threading.Thread(target=self._main, daemon=True)

    def start(self):
        self._begin = time.monotonic()
        self._thread.start()
        return self

    @property
    def done(self):
        """Whether all is published and confirmed."""
        assert self.error is None, self.error
        return not self._thread.is_alive()

    def finish(self, timeout=60):
        """Publishes nothing new without a `count`, waits until all is confirmed, and says how many there were."""
        if self._count is None:
            self._ending.set()
        self._thread.join(timeout)
        assert self.done, f"{len(self._in_flight) + len(self._again)} messages are not confirmed after {timeout} s"
        assert self.acknowledged == set(range(self._next))
        return self._next

    def abort(self):
        """Ends at once."""
        self._aborted.set()
        self._thread.join()

    def _main(self):
        try:
            while not (self._aborted.is_set() or self._is_over()):
                try:
                    self._publish_on(self._connect())
                except OSError:
                    self._again = sorted(self._in_flight.values()) + self._again
                    self._in_flight.clear()
                    self._aborted.wait(0.05)
        except Exception as error:  # for the test's own thread, which is to fail with it
            self.error = error

    def _connect(self):
        connection = socket.create_connection(("localhost", self._port), 10)
        if self._tls:
            connection = self._tls.wrap_socket(connection, server_hostname="localhost")
        connection.sendall(self._hello)
        answer = connection.recv(4)
        if answer != b"\x20\x02\x00\x00":
            connection.close()
            raise OSError(f"the broker answers {answer!r} to CONNECT")
        self.connections += 1
        self._rest = b""
        return connection

    def _publish_on(self, connection):
        with connection:
            while not (self._aborted.is_set() or self._is_over()):
                numbers = self._take(min(_CHUNK, self._window - len(self._in_flight)))
                if numbers:
                    connection.sendall(b"".join(self._packet_of(number) for number in numbers))
                self._read_answers(connection, 0 if numbers else 0.02)

    def _is_over(self):
        no_more = self._ending.is_set() if self._count is None else self._next == self._count
        return no_more and not self._in_flight and not self._again

    def _take(self, most):
        numbers, self._again = self._again[:most], self._again[most:]
        if self._ending.is_set():
            return numbers
        end = self._next + most - len(numbers)
        if self._count is not None:
            end = min(end, self._count)
        if self._rate:
            end = min(end, int((time.monotonic() - self._begin) * self._rate))
        end = max(end, self._next)
        numbers += range(self._next, end)
        self._next = end
        return numbers

    def _packet_of(self, number):
        while True:
            self._packet_id = self._packet_id % _PACKET_IDS + 1
            if self._packet_id not in self._in_flight:
                break
        self._in_flight[self._packet_id] = number
        return publish_packet(*self._make(number), self._packet_id)

    def _read_answers(self, connection, wait):
        pending = connection.pending() if self._tls else 0  # what TLS holds, select does not see
        if not pending and not select.select([connection], [], [], wait)[0]:
            return
        data = connection.recv(65536)
        if not data:
            raise OSError("the broker closed the connection")
        data = self._rest + data
        whole = len(data) // 4 * 4  # nothing but PUBACKs comes
        self._rest = data[whole:]
        for kind, size, packet_id in struct.iter_unpack(">BBH", data[:whole]):
            assert (kind, size) == (0x40, 2), f"the broker sends {kind:#x}, which is no PUBACK"
            self.acknowledged.add(self._in_flight.pop(packet_id))
