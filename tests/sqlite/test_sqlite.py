"""The sqlite sink in a real agent: kills, a full disk, a read-only one, readers beside it, retention, redelivery."""

import shutil
import sqlite3
import subprocess
import time

import pytest

from faults.readings import as_dict, as_json, generated, numbered
from faults.small_disk import SmallDisk
from support.waiting import wait_until

from . import files

COUNT = 400_000


GENERATED = 'rate = 20000.0\nseed = 5'
SPAN = 'customers = 200\ncount = {}\nstart = "2026-01-01T00:00:00Z"\n'


@pytest.fixture
def disk(tmp_path):
    made = SmallDisk(tmp_path / "disk", "40m")
    yield made
    made.close()


def numbered_file(path, count):
    path.write_text("".join(as_json("s", number) + "\n" for number in range(count)))
    return as_dict(numbered("s", number) for number in range(count))


def file_source(path):
    return f'[[source]]\nplugin = "file"\npath = "{path}"\n'


@pytest.mark.parametrize("synchronous", ["full", "normal"])
def test_twenty_kills_lose_and_double_nothing(agent, tmp_path, dice, synchronous):
    """At any instant, most in the middle of a transaction: batches are small, and a checkpoint comes often."""
    path = tmp_path / "heartbeats.db"
    expected = numbered_file(tmp_path / "readings.jsonl", COUNT)
    victim = agent(file_source(tmp_path / "readings.jsonl")
                   + files.sink(path, f'synchronous = "{synchronous}"\nbatch_size = 50\nlatest_interval = "50ms"'))
    for kill in range(20):
        goal = int(COUNT * (kill + dice.random()) / 25)  # the instant is what is random
        victim.start()
        victim.wait_while_running(lambda: files.row_count(path) >= goal, 60, "to get on")
        victim.kill()
        assert files.row_count(path) < COUNT and files.value(path, "PRAGMA integrity_check") == "ok"
    victim.start()
    assert victim.wait(120) == 0, victim.log_tail()
    files.assert_holds(path, expected)
    assert not path.with_name("heartbeats.db-wal").exists()


def test_a_full_disk_loses_nothing_and_goes_on_by_itself(disk, agent):
    path = disk.folder / "heartbeats.db"
    writer = agent(files.generator(200_000, GENERATED) + files.sink(path)).start().wait_ready()
    try:
        wait_until(lambda: files.row_count(path) > 5000, 30, "the agent to write")
        disk.fill()
        writer.wait_not_ready(30)
        assert f"{path}: the disk is full" in writer.get("/readyz")[1]
        before = files.row_count(path)
        assert files.value(path, "PRAGMA integrity_check") == "ok"
        disk.make_room()
        writer.wait_while_running(lambda: files.row_count(path) > before, 30, "to go on")
        assert writer.wait(60) == 0, writer.log_tail()
        files.assert_holds(path, generated(agent, SPAN.format(200_000) + GENERATED))
    finally:
        writer.close()


def test_a_file_system_that_becomes_read_only_is_said_and_goes_on_by_itself(disk, agent):
    path = disk.folder / "heartbeats.db"

    def remount(mode):
        subprocess.run(["mount", "-o", f"remount,{mode}", disk.folder], check=True)
    first = agent(files.generator(1000, GENERATED) + files.sink(path), "first").start()
    assert first.wait(30) == 0, first.log_tail()
    remount("ro")
    writer = agent(files.generator(3000, GENERATED) + files.sink(path), "second").start()
    try:
        writer.wait_log(rf"{path}: .*read-only")
        remount("rw")
        assert writer.wait(30) == 0, writer.log_tail()
        files.assert_holds(path, generated(agent, SPAN.format(3000) + GENERATED))
    finally:
        writer.close()


def test_the_shell_reads_while_the_agent_writes(agent, tmp_path):
    path = tmp_path / "heartbeats.db"
    writer = agent(files.generator(100_000_000, GENERATED) + files.sink(path)).start().wait_ready()
    wait_until(lambda: files.row_count(path) > 0, 30, "the first readings")
    counts = []
    while len(counts) < 10:
        counts.append(int(files.shell(path, "SELECT count(*) FROM readings")))
        wait_until(lambda: files.row_count(path) > counts[-1], 30, "more readings")
    assert counts == sorted(set(counts))
    time_text, rate = files.shell(path, "SELECT time, heart_rate FROM readings ORDER BY time_us LIMIT 1").split("|")
    assert time_text == "2026-01-01T00:00:00.000000Z" and 1 <= int(rate) <= 300
    wait_until(lambda: files.shell(path, "SELECT count(*) FROM latest") == "200\n", 30, "everybody's latest reading")
    # A transaction that stays open for seconds sees one state, and holds up nobody.
    reader = sqlite3.connect(path)
    reader.execute("BEGIN")
    (seen,) = reader.execute("SELECT count(*) FROM heartbeats").fetchone()
    wait_until(lambda: files.row_count(path) > seen + 40_000, 30, "the agent to go on beside the reader")
    assert reader.execute("SELECT count(*) FROM heartbeats").fetchone() == (seen,)
    reader.close()
    assert "trying again" not in writer.log
    assert writer.terminate() == 0, writer.log_tail()


def test_another_program_that_holds_the_write_lock_is_waited_for(agent, tmp_path):
    path = tmp_path / "heartbeats.db"
    writer = agent(files.generator(100_000, GENERATED) + files.sink(path, 'timeout = "200ms"')).start().wait_ready()
    wait_until(lambda: files.row_count(path) > 0, 30, "the first readings")
    other = sqlite3.connect(path, isolation_level=None, timeout=30)
    other.execute("BEGIN IMMEDIATE")
    writer.wait_not_ready(30)
    assert f"{path}: another program holds the write lock" in writer.get("/readyz")[1]
    other.execute("ROLLBACK")
    other.close()
    assert writer.wait(60) == 0, writer.log_tail()
    files.assert_holds(path, generated(agent, SPAN.format(100_000) + GENERATED))


def test_two_agents_on_one_file_store_the_same_readings_once(agent, tmp_path):
    path = tmp_path / "heartbeats.db"
    both = [agent(files.generator(300_000, 'speed = "max"\nseed = 5') + files.sink(path, "batch_size = 500"),
                  f"agent-{number}").start() for number in range(2)]
    for each in both:
        assert each.wait(120) == 0, each.log_tail()
    files.assert_holds(path, generated(agent, SPAN.format(300_000) + "seed = 5"))


def test_what_is_redelivered_after_the_journal_was_lost_changes_nothing(agent, tmp_path):
    path = tmp_path / "heartbeats.db"
    expected = numbered_file(tmp_path / "readings.jsonl", 50_000)
    reader = agent(file_source(tmp_path / "readings.jsonl") + files.sink(path))
    for _ in range(2):
        reader.start()
        assert reader.wait(60) == 0, reader.log_tail()
        files.assert_holds(path, expected)
        shutil.rmtree(reader.data_folder)


def test_retention_keeps_the_file_from_growing(agent, tmp_path):
    """An hour of one reading a second of 200 customers, of which the retention keeps a minute, in a few seconds."""
    path = tmp_path / "heartbeats.db"
    start = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3600))
    maker = agent(files.generator(720_000, 'speed = "max"', start=start) + files.sink(path), "maker").start()
    assert maker.wait(60) == 0, maker.log_tail()
    full = path.stat().st_size
    keeper = agent(files.generator(100_000_000, "rate = 200.0", start="now") + files.sink(path, 'retention = "1m"'))
    keeper.start().wait_ready()
    wait_until(lambda: files.value(path, "SELECT min(time) FROM heartbeats") > (time.time() - 62) * 1e6, 60,
               "the old readings to go")
    assert files.row_count(path) > 0
    wait_until(lambda: path.stat().st_size < full / 4, 60, "the file to shrink")
    assert keeper.terminate() == 0, keeper.log_tail()
    assert files.value(path, "PRAGMA integrity_check") == "ok"


def test_a_damaged_file_is_said_and_recovered_as_the_message_says(agent, tmp_path):
    path = tmp_path / "heartbeats.db"
    agent_keys = files.generator(100_000, 'speed = "max"\nseed = 5') + files.sink(path)
    first = agent(agent_keys, "first").start()
    assert first.wait(30) == 0, first.log_tail()
    with open(path, "r+b") as file:
        for page in range(5, 100):
            file.seek(page * 8192)
            file.write(b"\xff" * 64)
    second = agent(agent_keys, "second").start()
    assert second.wait(30) == 1
    assert f"{path}: the database is damaged" in second.log
    subprocess.run(f"sqlite3 {path} .recover | sqlite3 {path}.new && rm -f {path}-* && mv {path}.new {path}", shell=True,
                   check=True)
    assert second.start().wait(30) == 0, second.log_tail()
    files.assert_holds(path, generated(agent, SPAN.format(100_000) + "seed = 5"))
