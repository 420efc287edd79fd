"""The crash oracle: what was accepted is in PostgreSQL, each reading once and as it was, whenever the agent was killed.

HBAGENT_FAULT_KILLS sets the number of random kills (default 100). Some agents live and die side by side, each with its
own sources and database.
"""

import math
import os
import random
import re
import signal
import time

from e2e import pipeline

from . import readings
from .stories import run_together
from .workload import Workload, complaints, numbered_source, postgres_sink

KILLS = int(os.environ.get("HBAGENT_FAULT_KILLS", "100"))
VICTIMS = 4


def lives(victim, kills, dice):
    for _ in range(kills):
        victim.start()
        # Many lives end while the sink still connects; the generator's position is stored once a second.
        yield dice.uniform(0.1, 1) if dice.random() < 0.8 else dice.uniform(1, 2.5)
        assert victim.kill() == -signal.SIGKILL, victim.log_tail()


def test_random_kills_of_the_agent_lose_and_double_nothing(agent, postgres, tmp_path, dice):
    databases = [postgres.new_database() for _ in range(VICTIMS)]
    workloads, victims = [], []
    for number, database in enumerate(databases):
        folder = tmp_path / f"files-{number}"
        folder.mkdir()
        workloads.append(Workload(agent, folder, dice))
        victims.append(agent('[journal]\nmax_size = "4MiB"\n' + workloads[-1].sources() + postgres_sink(database)))
    begin = time.monotonic()
    for workload in workloads:
        workload.start()
    kills = math.ceil(KILLS / VICTIMS)
    run_together(lives(victim, kills, random.Random(dice.random())) for victim in victims)
    took = time.monotonic() - begin
    for number, (victim, workload, database) in enumerate(zip(victims, workloads, databases)):
        before = pipeline.row_count(database)
        victim.start()
        workload.finish(victim, database)
        result = workload.outcome(victim, database)
        torn = len(re.findall("bytes behind the last whole frame were cut off", victim.log))
        print(f"agent {number}: {before} rows before the last start; {torn} torn frames; {result}")
        assert result.exact and before > 0, result
        assert complaints(victim) == []
    print(f"{kills * VICTIMS} kills in {took:.0f} s")


# Where the agent's journal is killed: what it does with a file, and when; and how often it passes there before, one
# life after the other. crash_file_io.cpp knows them all.
POINTS = [
    {   # segments begun
        "segment.create.before": (0, 0), "segment.create.after": (0, 0, 1), "segment.allocate.after": (0, 0, 1),
        "header.write.half": (0, 0, 1), "header.write.after": (0, 0, 1, 2),
        "spare.rename.before": (0, 0), "spare.rename.after": (0,)},
    {   # frames written
        "segment.write.before": (0, 0, 5), "segment.write.half": (0, 0, 1, 10, 20), "segment.write.after": (0, 0, 5)},
    {   # synced
        "segment.sync.before": (0, 0, 1, 2), "segment.sync.after": (0, 0, 1, 2),
        "folder.sync.before": (0, 0, 1, 2), "folder.sync.after": (0, 0, 1, 2)},
    {   # cursors stored
        "cursor.write.before": (0, 1, 3, 7), "cursor.write.half": (0, 0, 1, 2, 3, 5, 8),
        "cursor.write.after": (0, 1, 3, 7), "cursor.sync.before": (0, 1, 2), "cursor.sync.after": (0, 1, 2)},
    {   # segments let go
        "segment.rename.before": (0, 0, 1), "segment.rename.after": (0, 0, 1),
        "segment.remove.before": (0, 0), "segment.remove.after": (0, 0),
        "spare.remove.before": (0, 0), "spare.remove.after": (0,)},
    {   # written again after a failed sync
        "rewrite.create.after": (0, 0, 1, 2), "rewrite.write.half": (0, 3, 4), "rewrite.write.after": (0, 3, 4),
        "rewrite.sync.after": (0, 1), "rewrite.rename.before": (0, 0, 1, 2), "rewrite.rename.after": (0, 0, 1, 2)},
]
READINGS_A_LIFE = 50_000  # some segments


class PointVictim:
    """An agent that takes more numbered readings in each life, and ends by itself when they are stored."""

    def __init__(self, agent, database, folder):
        self.database = database
        folder.mkdir()
        self._fault = folder / "fault"
        self._fault.write_text("EIO segment.sync\n")
        self.count = 0
        self.agent = agent(self._config(), program="hbagent_crash")

    def _config(self):
        # Syncs are rare enough for more than a segment to wait for one.
        return ('[journal]\nmax_size = "16MiB"\nsync_interval = "100ms"\n'
                + numbered_source(f"count = {self.count}\nbatch_size = 3000") + postgres_sink(self.database))

    def _live(self, **environment):
        self.count += READINGS_A_LIFE
        self.agent.configure(self._config())
        self.agent.environment = environment
        self.agent.start()
        yield lambda: not self.agent.running

    def _die_at(self, point, skip):
        # The first sync comes at once, with few readings to make durable.
        fault = {"HBAGENT_FAULT_FILE": str(self._fault), "HBAGENT_FAULT_SKIP": "1"} if "rewrite" in point else {}
        yield from self._live(HBAGENT_CRASH_POINT=point, HBAGENT_CRASH_SKIP=str(skip), **fault)
        code = self.agent.wait()
        assert code == -signal.SIGKILL, f"{point} was not reached {skip + 1} times: {code}\n{self.agent.log_tail()}"

    def lives(self, points):
        """After some deaths at a point comes a whole life, in which everything ever accepted must be stored."""
        for point, skips in points.items():
            begin = time.monotonic()
            for skip in skips:
                yield from self._die_at(point, skip)
            yield from self._live()
            assert self.agent.wait() == 0, self.agent.log_tail()
            stored = pipeline.row_count(self.database)
            print(f"{point}: killed {len(skips)} times in {time.monotonic() - begin:.1f} s")
            assert stored == self.count, f"{point}: {stored} of {self.count} stored\n{self.agent.log_tail()}"


def test_kills_at_named_points_lose_and_double_nothing(agent, postgres, tmp_path):
    """The source never gives anything twice that was accepted, so nothing but the journal can bring it back."""
    victims = [PointVictim(agent, postgres.new_database(), tmp_path / f"fault-{i}") for i in range(len(POINTS))]
    run_together(victim.lives(points) for victim, points in zip(victims, POINTS))
    for victim, points in zip(victims, POINTS):
        assert readings.are_exactly_numbered(victim.database, "n", victim.count)
        assert complaints(victim.agent, but="cannot sync" if "rewrite.sync.after" in points else None) == []
