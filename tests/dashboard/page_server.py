"""What the page is tested against: the agent with its dashboard sink, or with HBAGENT_DASHBOARD_DEV=1 the development
server of the page, which speaks the same interface."""

import datetime
import http.client
import json
import os
import time
import urllib.parse

from support.agent import REPOSITORY, Agent
from support.processes import ChildProcess, free_port
from support.waiting import wait_until

DEV = os.environ.get("HBAGENT_DASHBOARD_DEV") == "1"
WEB = REPOSITORY / "plugins/dashboard/web"
LIMITS = (50, 120)


class PageServer:
    """Readings come from the JSON lines of `input_path`, which is followed.

    `sources` and `sinks` are TOML for more of the agent's, `options` for the dashboard sink.
    """

    def __init__(self, folder, sources="", sinks="", options="", dev_arguments=()):
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.input_path = folder / "input.jsonl"
        self.input_path.touch()
        self._dev_arguments = dev_arguments
        self._dev = ChildProcess("dev-server", folder / "dev-server.log") if DEV else None
        self.agent = None if DEV else Agent(f"""
            [[source]]
            plugin = "file"
            path = "{self.input_path}"
            follow = true
            poll_interval = "50ms"
            {sources}

            [[processor]]
            plugin = "alert"
            low = {LIMITS[0]}
            high = {LIMITS[1]}

            [[sink]]
            plugin = "dashboard"
            listen = "127.0.0.1:{self.port}"
            low = {LIMITS[0]}
            high = {LIMITS[1]}
            {options}
            {sinks}
            """, folder / "agent")

    def start(self, ready=None):
        """Starts it and waits until it is `ready()`: by default, until it gives a snapshot."""
        if DEV:
            self._dev.spawn(["node", WEB / "dev-server.mjs", "--port", self.port, "--input", self.input_path,
                             *self._dev_arguments])
        else:
            self.agent.start()
        wait_until(ready or (lambda: self.answers(200)), 20, "the page's server to answer")
        return self

    def kill(self):
        (self._dev or self.agent).kill()

    close = kill

    def _request(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def answers(self, status):
        """Whether a snapshot is answered with that status."""
        return self._request("/api/v1/snapshot")[0] == status

    def get(self, path, **parameters):
        """GETs api/v1/PATH as parsed JSON."""
        status, body = self._request(f"/api/v1/{path}?{urllib.parse.urlencode(parameters, doseq=True)}")
        assert status == 200, f"{path}: {status} {body[:200]}"
        return json.loads(body)

    def send(self, customer, heart_rate, seconds_ago=0.0):
        """One reading, measured so many seconds ago."""
        self.send_all([(customer, heart_rate, seconds_ago)])

    def send_all(self, readings):
        now = time.time()
        with open(self.input_path, "a", encoding="utf-8") as file:
            for customer, heart_rate, seconds_ago in readings:
                measured = datetime.datetime.fromtimestamp(now - seconds_ago, datetime.timezone.utc)
                file.write(json.dumps({"customer_id": customer, "heart_rate": heart_rate,
                                       "time": measured.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}) + "\n")
