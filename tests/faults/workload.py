"""What the crash tests put through an agent: sources of every kind, and how much of each was accepted.

Accepted is: of a followed file every whole line; of the numbered source all that emit returned for (it never gives that
a second time); of a generator that resumes every reading up to its stored position.
"""

import random
import re
import time

from support.agent import binary

from . import readings

GENERATOR = 'customers = 50\nrate = 1000.0\nstart = "2026-01-01T00:00:00Z"'
NUMBERED_BATCH = 100


def numbered_source(keys):
    library = binary().parents[1] / "lib/hbagent/test-plugins/numbered.so"
    return f'[[source]]\nplugin = "{library}"\n{keys}\n'


def postgres_sink(database, more=""):
    return f'[[sink]]\nplugin = "postgres"\nuri = "{database.uri}"\nretry_max = "1s"\n{more}\n'


def live(seconds):
    """How long something lives before it is killed is the subject here, not something that is waited for."""
    time.sleep(seconds)


def complaints(agent, but=None):
    """What an agent said, over all its lives, of things lost or damaged, and its errors. `but`: a part of those that
    are meant to be."""
    return [line for line in agent.log.splitlines()
            if re.search(r" error  |damaged|are lost", line) and not (but and but in line)]


class Workload:
    """Two growing files, the numbered source and a generator, about a thousand readings a second each."""

    def __init__(self, agent, folder, dice):
        self._agent = agent  # the fixture
        self._files = [readings.GrowingFile(folder / name, name.partition(".")[0], 1000, random.Random(dice.random()))
                       for name in ("csv.csv", "json.jsonl")]

    def sources(self):
        followed = "".join(f"""
[[source]]
plugin = "file"
name = "{file.series}"
path = "{file.path}"
follow = true
poll_interval = "20ms"
retry_max = "1s"
""" for file in self._files)
        numbered = numbered_source(f'batch_size = {NUMBERED_BATCH}\npause = "50ms"')
        return f'{followed}\n{numbered}\n[[source]]\nplugin = "generator"\nresume = true\n{GENERATOR}\n'

    def start(self):
        for file in self._files:
            file.start()

    def finish(self, publisher, database, timeout=120):
        """Ends the files, waits until the whole of them is stored, and stops the agent that reads them."""
        for file in self._files:
            file.finish()
        for file in self._files:
            publisher.wait_while_running(lambda: _rows(database, file.series + "-") >= file.written, timeout,
                                         f"to store all of {file.path.name}")
        assert publisher.terminate() == 0, publisher.log_tail()

    def outcome(self, publisher, database):
        """What became of everything that the agent, which has ended, had accepted; when all is stored."""
        expected = {}
        for file in self._files:
            expected |= file.content()
        # A life may have gone further than a later one that gave the last second, or the last batch, again: the series
        # is whole, up to somewhere behind what was accepted.
        numbered = _rows(database, "n-")
        accepted = _accepted(publisher)
        assert 0 < accepted <= numbered <= accepted + NUMBERED_BATCH, f"{accepted} accepted, {numbered} stored"
        expected |= readings.as_dict(readings.numbered("n", number) for number in range(numbered))
        generated = _rows(database, "cust_")
        safe = generator_position(publisher)
        assert generated >= safe, f"the generator was told that {safe} are safe, {generated} are stored"
        expected |= readings.generated(self._agent, f"{GENERATOR}\ncount = {generated}")
        return readings.outcome(database, expected)


def _rows(database, prefix):
    return database.value("SELECT count(*) FROM heartbeats WHERE starts_with(customer_id, %s)", (prefix,))


def _accepted(agent):
    return int((agent.data_folder / "state/source-numbered/accepted").read_text())


def generator_position(agent):
    """How many readings the generator has been told are safe."""
    text = (agent.data_folder / "state/source-generator/position").read_text()
    first, next_one = (int(re.search(rf"^{key} (\d+)$", text, re.MULTILINE).group(1)) for key in ("first", "next"))
    return next_one - first
