"""A network between a client and a server on the loopback interface, which can be cut."""

import contextlib
import socket
import threading

from support import processes


class Proxy:
    """Forwards connections on `port` to `target_port`. While it is cut, nothing goes through and nothing is closed:
    what was sent waits, and new connections are neither refused nor answered."""

    def __init__(self, target_port, port=None):
        self.port = port or processes.free_port()
        self._target_port = target_port
        self._whole = threading.Event()
        self._whole.set()
        self._closing = False
        self._sockets = []
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        self._whole.clear()

    def heal(self):
        self._whole.set()

    def close(self):
        self._closing = True
        self._whole.set()
        for each in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):  # not connected any more
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self):
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                client, _ = self._listener.accept()
                self._whole.wait()
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client):
        try:
            server = socket.create_connection(("127.0.0.1", self._target_port))
        except OSError:  # the server is away
            client.close()
            return
        self._sockets += [client, server]
        for pair in ((client, server), (server, client)):
            threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source, target):
        with contextlib.suppress(OSError):  # either end has closed
            while data := source.recv(65536):
                self._whole.wait()
                if self._closing:
                    break
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
