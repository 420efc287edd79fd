"""Chromium for the tests of the live page, driven through browser/driver.mjs (playwright-core and axe-core)."""

import json
import os
import pathlib
import queue
import shutil
import subprocess
import threading

import pytest

FOLDER = pathlib.Path(__file__).parent / "browser"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ANSWER_TIMEOUT = 90


def require():
    """Skips where this machine has no browser; elsewhere sees to it that the locked packages are there."""
    for program in ("node", "npm", CHROMIUM):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: apt-get install nodejs npm chromium")
    install(FOLDER)


def install(folder):
    """npm ci of a folder with a lock file, unless that has been done for this lock file already."""
    lock, marker = folder / "package-lock.json", folder / "node_modules/.built-from"
    if marker.exists() and marker.read_bytes() == lock.read_bytes():
        return
    done = subprocess.run(["npm", "ci", "--no-progress"], cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"npm ci in {folder}:\n{done.stderr}"
    marker.write_bytes(lock.read_bytes())


class Browser:
    """One browser with one page at a time. A refused action raises AssertionError with the browser's words."""

    def __init__(self, log_path):
        with open(log_path, "ab") as log:
            self._process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", "node", "driver.mjs"], cwd=FOLDER,
                                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        self._log_path = pathlib.Path(log_path)
        self._answers = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self._process.stdout:
            self._answers.put(json.loads(line))
        self._answers.put({"error": "the driver has ended"})

    def act(self, what, **parameters):
        """One of the driver's actions; returns its value."""
        self._process.stdin.write(json.dumps({"do": what, **parameters}) + "\n")
        self._process.stdin.flush()
        answer = self._answers.get(timeout=ANSWER_TIMEOUT)
        assert "error" not in answer, f"{what} {parameters}: {answer['error']}\n{self._log_path.read_text()}"
        return answer["value"]

    def open(self, url, **parameters):
        self.act("open", url=url, **parameters)

    def evaluate(self, expression):
        return self.act("evaluate", expression=expression)

    def wait(self, expression, timeout=10):
        """Waits until the JavaScript expression is true in the page."""
        self.act("wait", expression=expression, timeout=timeout)

    def text(self, selector):
        """The text of the first element, with white space as one blank."""
        return " ".join(self.evaluate(f"document.querySelector({json.dumps(selector)}).textContent").split())

    def wait_text(self, selector, text, timeout=10):
        """Waits until the first element's text contains `text`."""
        self.wait(f"document.querySelector({json.dumps(selector)})?.textContent.includes({json.dumps(text)})", timeout)

    def close(self):
        self._process.stdin.close()
        self._process.wait(20)
