"""A child process that writes its log to a file and never outlives the tests."""

import os
import pathlib
import random
import signal
import socket
import subprocess
import threading

from .waiting import wait_until

# Everything that was started and not yet stopped, so that a failing test can show its logs.
_alive = []


def log_sections():
    """Returns (title, last lines of the log) for each child process that has not been stopped."""
    return [(f"{child.name}: {child.log_path}", child.log_tail()) for child in _alive]


def free_port():
    """Returns a TCP port on which nothing listens.

    Below the kernel's range for outgoing connections: while a server is down for a moment, no client connection may
    take its port.
    """
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def children(pid):
    """The ids of a process's children."""
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()  # the name before it may hold blanks
        except OSError:  # has just ended
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found


class ChildProcess:
    """One process at a time, started from `command`, with standard output and error appended to `log_path`.

    The kernel kills the process when the thread that started it ends (prctl(2), PR_SET_PDEATHSIG), so nothing is left
    behind when pytest itself is killed. Hence only the main thread may start one.
    """

    def __init__(self, name, log_path):
        self.name = name
        self.log_path = pathlib.Path(log_path)
        self._process = None

    @property
    def pid(self):
        return self._process.pid

    @property
    def running(self):
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self):
        """The exit code, negative for a signal; None while running."""
        return self._process.poll()

    @property
    def log(self):
        """Everything logged so far, over all starts."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_tail(self, lines=60):
        return "\n".join(self.log.splitlines()[-lines:])

    def spawn(self, command, environment=None, stdin=subprocess.DEVNULL, stdout=None):
        """Starts the process. `stdout`: a file object for its standard output, by default the log."""
        assert threading.current_thread() is threading.main_thread(), "start processes from the main thread only"
        assert not self.running, f"{self.name} is running already"
        with open(self.log_path, "ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *map(str, command)],
                stdin=stdin, stdout=stdout or log, stderr=log, start_new_session=True,
                env={**os.environ, **(environment or {})})
        if self not in _alive:
            _alive.append(self)

    def send_signal(self, number):
        self._process.send_signal(number)

    def pause(self):
        """Stops the process in its tracks (SIGSTOP): connections stay open, nothing answers."""
        self.send_signal(signal.SIGSTOP)

    def resume(self):
        self.send_signal(signal.SIGCONT)

    def wait(self, timeout=30):
        """Waits for the process to end and returns its exit code."""
        return_code = wait_until(lambda: (self._process.poll(),) if self._process.poll() is not None else None,
                                 timeout, f"{self.name} to end")[0]
        if self in _alive:
            _alive.remove(self)
        return return_code

    def kill(self):
        """kill -9, and waits for the end."""
        if self.running:
            self.send_signal(signal.SIGKILL)
        return self.wait()
