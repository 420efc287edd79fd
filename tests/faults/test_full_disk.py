"""A disk that is full already when the agent starts."""

import re

import pytest

from e2e import pipeline
from support.waiting import wait_until

from .small_disk import SmallDisk

COUNT = 20_000


@pytest.fixture
def disk(tmp_path):
    made = SmallDisk(tmp_path / "disk", "20m")
    yield made
    made.close()


def test_a_start_says_that_the_disk_is_full_until_there_is_room(disk, agent, postgres):
    """Room comes a few blocks at a time: the start fails at each file that it has to make."""
    database = postgres.new_database()
    started = agent(f'[agent]\ndata_dir = "{disk.folder}/data"\n[journal]\nmax_size = "16MiB"\n'
                    + pipeline.generator(COUNT, 'speed = "max"\nresume = true')
                    + f'[[sink]]\nplugin = "postgres"\nuri = "{database.uri}"\nretry_max = "1s"\n')
    disk.fill()
    failed_at = []
    while True:
        started.start()
        wait_until(lambda: not started.running or "runs as" in started.log, 30, "the start to be decided")
        if started.running:
            break
        assert started.wait() == 1
        said = re.search(rf'data_dir "{disk.folder}/data": the disk is full: (.*); free some of it and start again',
                         started.log.splitlines()[-1])
        assert said, started.log_tail()
        failed_at.append(said.group(1))
        disk.make_room((1 << 20) - 64 * 1024 if len(failed_at) == 1 else 32 * 1024)
    assert any(".segment: No space left" in each for each in failed_at), failed_at
    assert any(".cursor: No space left" in each for each in failed_at), failed_at
    started.wait_while_running(lambda: "No space left" in started.get("/readyz")[1], 30, "to say that it is not ready")
    disk.make_room()
    pipeline.ended(started, 60)
    assert pipeline.row_count(database) == COUNT
