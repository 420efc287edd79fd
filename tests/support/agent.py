"""The agent under test: the built binary with a configuration, and what it says about itself."""

import json
import os
import pathlib
import re
import signal
import urllib.error
import urllib.request

from . import processes
from .metrics import Metrics
from .waiting import wait_until

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def binary():
    """The agent's program: HBAGENT_BIN, or the release build."""
    path = pathlib.Path(os.environ.get("HBAGENT_BIN") or REPOSITORY / "build/release/bin/hbagent")
    assert path.exists(), f"{path} does not exist: build it, or set HBAGENT_BIN"
    return path


def plugin_folders():
    """The folders under plugins/ that hold a plugin; their libraries have the same name."""
    folders = [path.parent for path in (REPOSITORY / "plugins").glob("*/CMakeLists.txt")]
    return sorted(folder for folder in folders if f"hbagent_add_plugin({folder.name}" in
                  (folder / "CMakeLists.txt").read_text())


class Agent(processes.ChildProcess):
    """One agent with its own folder, which outlives kill and start (so its journal and dead letters do too).

    `config` is TOML. The tables [agent] (with `data_dir`) and [http] (on a free port) are added where it has none.
    `program` is the file name of another program beside the agent's that takes the same arguments.
    """

    def __init__(self, config, folder, arguments=(), environment=None, program=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        super().__init__(self.folder.name, self.folder / "agent.log")
        self.data_folder = self.folder / "data"
        self.output_path = self.folder / "stdout"
        self.config_path = self.folder / "agent.toml"
        self.http_port = None
        self._arguments = list(arguments)
        self.environment = environment or {}  # read at each start
        self._program = binary() if program is None else binary().with_name(program)
        self.configure(config)

    def configure(self, config):
        """Writes the configuration; a running agent takes it on `reload`."""
        if not re.search(r"^\s*\[http\]", config, re.MULTILINE):
            self.http_port = self.http_port or processes.free_port()
            config += f'\n[http]\nlisten = "127.0.0.1:{self.http_port}"\n'
        if not re.search(r"^\s*\[agent\]", config, re.MULTILINE):
            config += f'\n[agent]\nid = "{self.name}"\ndata_dir = "{self.data_folder}"\n'
        self.config_path.write_text(config)

    def start(self):
        """Starts the agent; does not wait. Standard output goes to `output_path`, standard error to `log_path`."""
        with open(self.output_path, "ab") as output:
            self.spawn([self._program, "-c", self.config_path, *self._arguments], environment=self.environment,
                       stdout=output)
        return self

    @property
    def output(self):
        """What the agent has written to standard output."""
        return self.output_path.read_text()

    def get(self, path, timeout=5):
        """GETs a path of the agent's HTTP endpoint: (status, text)."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=timeout) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def is_ready(self):
        return self.get("/readyz")[0] == 200

    def wait_ready(self, timeout=30):
        """Waits until /readyz answers 200; fails at once when the agent has ended."""
        self.wait_while_running(self.is_ready, timeout, "to be ready")
        return self

    def wait_not_ready(self, timeout=30):
        self.wait_while_running(lambda: not self.is_ready(), timeout, "to say that it is not ready")

    def wait_while_running(self, condition, timeout, what):
        """Waits for a condition that only a running agent can bring about."""
        def met_or_dead():
            assert self.running, f"{self.name} ended with code {self.exit_code}:\n{self.log_tail()}"
            return condition()
        return wait_until(met_or_dead, timeout, f"{self.name} {what}")

    def status(self):
        """/api/v1/status as parsed JSON."""
        code, text = self.get("/api/v1/status")
        assert code == 200, f"/api/v1/status: {code} {text}"
        return json.loads(text)

    def metrics(self):
        code, text = self.get("/metrics")
        assert code == 200, f"/metrics: {code} {text}"
        return Metrics(text)

    def wait_log(self, pattern, timeout=30):
        """Waits for a line that matches the regular expression; returns the match."""
        return wait_until(lambda: re.search(pattern, self.log), timeout, f"{self.name} to log /{pattern}/")

    def reload(self):
        self.send_signal(signal.SIGHUP)

    def terminate(self, timeout=30):
        """SIGTERM, and waits for the drain: returns the exit code."""
        self.send_signal(signal.SIGTERM)
        return self.wait(timeout)

    def stop_at_once(self):
        """SIGTERM twice: what is not drained stays. Does not wait for the end."""
        self.send_signal(signal.SIGTERM)
        self.wait_log("SIGTERM: stopping")

        def told_again():  # two signals within 200 ms are one request, so it may take a few
            self.send_signal(signal.SIGTERM)
            return "SIGTERM again: stopping at once" in self.log
        wait_until(told_again, 20, "the second signal to count")

    def resident_bytes(self):
        """Resident memory now (VmRSS)."""
        return self._memory("VmRSS")

    def peak_resident_bytes(self):
        """The largest resident memory so far (VmHWM)."""
        return self._memory("VmHWM")

    def _memory(self, field):
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE).group(1)) * 1024

    def close(self):
        """Ends the agent if it still runs."""
        if self.running:
            self.kill()
