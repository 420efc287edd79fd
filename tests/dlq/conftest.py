"""Agents with dead letters, and the command that looks after them."""

import json
import re
import subprocess

import pytest

from support.agent import binary
from support.waiting import wait_until


class DeadLetters:
    """`hbagent dlq` on one agent's configuration."""

    def __init__(self, agent):
        self._agent = agent

    def command(self, *arguments, program=None):
        return [program or binary(), "dlq", *map(str, arguments), "-c", self._agent.config_path]

    def run(self, *arguments, code=0, timeout=120):
        """Runs it to its end; fails unless it ends with `code`. Returns what it printed."""
        done = subprocess.run(self.command(*arguments), text=True, capture_output=True, timeout=timeout)
        assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def letters(self, *filters):
        return [json.loads(line) for line in self.run("list", "--json", *filters).split("\n")[:-1]]

    def wait(self, count, timeout=60):
        return wait_until(lambda: len(letters := self.letters()) == count and letters, timeout, f"{count} dead letters")

    def replay(self, *filters, code=0, timeout=120):
        """(replayed, selected, refused again, not replayed), and all that it said."""
        text = self.run("replay", *filters, code=code, timeout=timeout)
        numbers = re.match(r"([\d,]+) of ([\d,]+) letters replayed, ([\d,]+) refused again, ([\d,]+) not", text)
        assert numbers, text
        return tuple(int(number.replace(",", "")) for number in numbers.groups()), text


@pytest.fixture
def dlq():
    return DeadLetters
