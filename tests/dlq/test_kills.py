"""kill -9 in the middle of a replay: what is done may be done once more, and nothing is lost or doubled."""

import json
import os
import shutil
import signal
import subprocess

import pytest

from e2e import pipeline
from support.agent import binary
from support.waiting import wait_until

from .test_replay import follow, postgres_sink, with_schema

COUNT = 30_000
KILLS = 6


def write_lines(path, rate):
    with open(path, "w") as lines:
        lines.write("customer_id,time,heart_rate\n")
        for n in range(COUNT):
            lines.write(f"c{n % 50:02},{1_700_000_000 + n},{rate}\n")


EPOCH = 'time = { header = "time", format = "epoch_s", numeric_strings = true }'


@pytest.fixture
def refused_by_sink(agent, postgres, dlq, tmp_path):
    database = postgres.new_database()
    with_schema(agent, database)
    database.execute("ALTER TABLE heartbeats ADD CONSTRAINT no_77 CHECK (heart_rate <> 77)")
    write_lines(tmp_path / "in.csv", 77)
    # A batch of which every row is bad is looked at row by row: small ones, or the first commit would take long.
    victim = agent(follow(tmp_path / "in.csv", EPOCH) + postgres_sink(database, "batch_size = 500"), "victim").start()
    letters = dlq(victim)
    wait_until(lambda: victim.status()["dead_letters"]["written"] == COUNT, 300, "all rows to be refused")
    database.execute("ALTER TABLE heartbeats DROP CONSTRAINT no_77")
    return victim, database, letters


@pytest.fixture
def refused_by_source(agent, postgres, dlq, tmp_path):
    database = postgres.new_database()
    write_lines(tmp_path / "in.csv", 77)
    victim = agent(follow(tmp_path / "in.csv") + postgres_sink(database), "victim").start()
    letters = dlq(victim)
    wait_until(lambda: victim.status()["dead_letters"]["written"] == COUNT, 120, "all lines to be refused")
    assert victim.terminate() == 0
    victim.configure(follow(tmp_path / "in.csv", EPOCH) + postgres_sink(database))
    victim.start().wait_ready()
    return victim, database, letters


def kill_while_it_moves(letters, database, kill):
    """Begins a replay, and kills when it has stored something more, if it does not end before. Whether it was killed."""
    before = pipeline.row_count(database)
    replay = subprocess.Popen(letters.command("replay"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_until(lambda: pipeline.row_count(database) > before or replay.poll() is not None, 60, "the replay to move",
               interval=0.005)
    killed = replay.poll() is None
    kill(replay)
    replay.communicate()
    return killed


def check(letters, database):
    assert pipeline.row_count(database) == COUNT
    assert database.value("SELECT count(DISTINCT time) FROM heartbeats") == COUNT
    assert letters.letters() == []


def test_a_sink_passes_nothing_that_it_refused_before_the_letter_is_durable(agent, postgres, dlq, tmp_path):
    database = postgres.new_database()
    with_schema(agent, database)
    database.execute("ALTER TABLE heartbeats ADD CONSTRAINT no_77 CHECK (heart_rate <> 77)")
    (tmp_path / "in.csv").write_text("customer_id,time,heart_rate\n"
                                     + "".join(f"c{n},{1_700_000_000 + n},{77 if n == 5 else 60}\n" for n in range(20)))
    fault = tmp_path / "fault"
    fault.write_text("EIO letters.sync")
    victim = agent(follow(tmp_path / "in.csv", EPOCH) + postgres_sink(database), "victim", program="hbagent_crash",
                   environment={"HBAGENT_FAULT_FILE": str(fault)}).start()
    victim.wait_log("sink/postgres: the dead letters cannot be made durable")
    (sink,) = victim.status()["sinks"]
    assert sink["pending"] == 20 and sink["delivered"] == sink["rejected"].get("check_violation", 0) == 0
    victim.kill()
    fault.unlink()
    victim.start()
    victim.wait_while_running(lambda: victim.status()["sinks"][0]["rejected"], 60, "to refuse it again")
    # The source may give its lines once more, as it was killed before its position was kept.
    wait_until(lambda: pipeline.row_count(database) == 19, 30, "the others to be stored")
    (sink,) = victim.status()["sinks"]
    assert set(sink["rejected"]) == {"check_violation"}
    assert {letter["reason"] for letter in dlq(victim).letters()} == {"check_violation"}
    assert victim.terminate() == 0


@pytest.mark.parametrize("case", ["refused_by_sink", "refused_by_source"])
def test_the_agent_is_killed(case, request):
    victim, database, letters = request.getfixturevalue(case)
    killed = 0
    for _ in range(KILLS):
        killed += kill_while_it_moves(letters, database, lambda _: victim.kill())
        victim.start().wait_ready()
    print(f"{killed} kills in the middle; {pipeline.row_count(database)} rows, {len(letters.letters())} letters left")
    assert killed > 0
    if letters.letters():
        letters.replay()
    wait_until(lambda: pipeline.row_count(database) == COUNT, 60, "the rest")
    check(letters, database)
    pipeline.assert_balanced(victim.status())


@pytest.mark.parametrize("case", ["refused_by_sink", "refused_by_source"])
def test_the_command_is_killed_without_an_agent(case, request):
    victim, database, letters = request.getfixturevalue(case)
    assert victim.terminate() == 0
    killed = sum(kill_while_it_moves(letters, database, lambda replay: replay.kill()) for _ in range(KILLS))
    print(f"{killed} kills in the middle; {pipeline.row_count(database)} rows, {len(letters.letters())} letters left")
    assert killed > 0
    if letters.letters():
        letters.replay()
    else:  # the last one killed had done with all letters, but perhaps not with its journal
        victim.start().wait_ready()
        wait_until(lambda: pipeline.row_count(database) == COUNT, 60, "the rest")
    check(letters, database)


# Where the command is killed: what it does with a file, and how often it passes there before. Which ids are taken is
# stored first, then come the older and the newer file.
POINTS = [(f"anew.{step}", skip) for step in ("create.before", "create.after", "write.half", "write.after", "sync.before",
                                              "sync.after", "rename.before", "rename.after") for skip in range(3)]
POINTS += [("data_dir.sync.before", skip) for skip in range(1, 4)]  # the first one is that of the start


def test_a_kill_at_any_step_of_taking_letters_out_leaves_each_file_as_before_or_as_after(agent, postgres, dlq, tmp_path):
    database = postgres.new_database()
    with_schema(agent, database)
    database.execute("ALTER TABLE heartbeats ADD CONSTRAINT no_77 CHECK (heart_rate <> 77)")
    count = 150
    with open(tmp_path / "in.csv", "w") as lines:
        lines.write("customer_id,time,heart_rate\n")
        lines.writelines(f"c{n},{1_700_000_000 + n},77\n" for n in range(count))
    victim = agent(f'[agent]\ndata_dir = "{tmp_path}/data"\ndead_letter_max_size = "64KiB"\n'
                   + follow(tmp_path / "in.csv", EPOCH) + postgres_sink(database), "victim").start()
    letters = dlq(victim)
    all_ids = {letter["id"] for letter in letters.wait(count)}
    assert victim.terminate() == 0
    database.execute("ALTER TABLE heartbeats DROP CONSTRAINT no_77")
    data, saved = tmp_path / "data", tmp_path / "saved"
    shutil.copytree(data, saved)
    newer_ids = {json.loads(line)["id"] for line in (data / "dead-letters.jsonl").read_text().splitlines()}
    assert 0 < len(newer_ids) < count, "the letters are to lie in both files"
    chosen = set(sorted(all_ids)[::2])
    states = [all_ids, all_ids - (chosen - newer_ids), all_ids - chosen]

    def replay(ids):
        return ["replay", "--id", *sorted(ids)]
    for point, skip in POINTS:
        shutil.rmtree(data)
        shutil.copytree(saved, data)
        done = subprocess.run(letters.command(*replay(chosen), program=binary().with_name("hbagent_crash")), text=True,
                              capture_output=True, timeout=60,
                              env={**os.environ, "HBAGENT_CRASH_POINT": point, "HBAGENT_CRASH_SKIP": str(skip)})
        assert done.returncode == -signal.SIGKILL, f"{point} was not reached {skip + 1} times: {done.stdout}{done.stderr}"
        left = {letter["id"] for letter in letters.letters()}
        assert left in states, f"{point} {skip}: {len(left)} letters"
        # A row is stored before its letter goes.
        assert pipeline.row_count(database) == len(chosen)
        if left & chosen:
            again = len(left & chosen)
            assert letters.replay(*replay(left & chosen)[1:])[0] == (again, again, 0, 0)
        assert {letter["id"] for letter in letters.letters()} == all_ids - chosen

    # The rest, and then ids go on.
    assert letters.replay()[0][0] == count - len(chosen)
    with open(tmp_path / "in.csv", "a") as lines:
        lines.write("c1,never,77\n")
    victim.start()
    (letter,) = letters.wait(1)
    assert letter["id"] == max(all_ids) + 1
    assert pipeline.row_count(database) == count
