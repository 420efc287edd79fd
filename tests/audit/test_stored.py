"""`hbagent audit --postgres URI --generator` against a real PostgreSQL: each kind of fault is named exactly."""

import datetime
import json
import re
import subprocess
import time

import pytest

from e2e import pipeline
from support.agent import binary
from support.waiting import wait_until

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
CUSTOMERS = 100
COUNT = 100_000
SLOTS = COUNT // CUSTOMERS


def postgres_sink(database, more=""):
    return f'[[sink]]\nplugin = "postgres"\nuri = "{database.uri}"\nretry_max = "1s"\n{more}\n'


def generator(count=COUNT, more='speed = "max"'):
    return f"""
[[source]]
plugin = "generator"
customers = {CUSTOMERS}
count = {count}
start = "2026-01-01T00:00:00Z"
{more}
"""


def when(customer, slot):
    """The exact time of a reading, as the generator's README promises it."""
    return START + datetime.timedelta(seconds=slot, microseconds=customer * 1_000_000 // CUSTOMERS)


def text(time_of_reading):
    return time_of_reading.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Audit:
    def __init__(self, agent, database):
        self.agent, self.database = agent, database

    def run(self, *arguments, code=0, wait="0s"):
        done = subprocess.run([binary(), "audit", "-c", self.agent.config_path, "--postgres", self.database.uri,
                               "--generator", "--wait", wait, *arguments], text=True, capture_output=True, timeout=300)
        assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}{done.stderr}"
        assert self.database.uri not in done.stderr
        return done.stdout + done.stderr


def kept_figures(run):
    return json.loads((run.data_folder / "last-run.json").read_text())


def numbers(told):
    line = told.strip().splitlines()[-1]
    match = re.fullmatch(r"expected ([\d,]+) stored ([\d,]+) missing ([\d,]+) doubled ([\d,]+) changed ([\d,]+) "
                         r"foreign ([\d,]+)", line)
    assert match, told
    return tuple(int(each.replace(",", "")) for each in match.groups())


@pytest.fixture
def stored(agent, postgres):
    """100,000 readings in a database, from an agent that has finished."""
    database = postgres.new_database()
    run = agent(generator() + postgres_sink(database)).start()
    assert run.wait(120) == 0, run.log_tail()
    return Audit(run, database)


def where(customer, slot, slots=1):
    return (f"customer_id = 'cust_{customer:05}' AND time >= '{text(when(customer, slot))}' "
            f"AND time < '{text(when(customer, slot + slots))}'")


def test_each_kind_of_fault_is_named_exactly_and_nothing_else(stored):
    database = stored.database
    told = stored.run()
    assert numbers(told) == (COUNT, COUNT, 0, 0, 0, 0)
    assert told.splitlines()[0] == (f"source generator: readings from {text(START)} to before "
                                    f"{text(when(0, SLOTS))}")

    database.execute(f"DELETE FROM heartbeats WHERE {where(7, 0)}")  # the first
    database.execute(f"DELETE FROM heartbeats WHERE {where(3, 20, 5)}")
    database.execute(f"DELETE FROM heartbeats WHERE {where(99, SLOTS - 1)}")  # the last
    told = stored.run(code=1)
    assert numbers(told) == (COUNT, COUNT - 7, 7, 0, 0, 0)
    assert told.splitlines()[1:4] == [
        f"missing cust_00007 {text(when(7, 0))}: 1 reading",
        f"missing cust_00003 {text(when(3, 20))} to {text(when(3, 24))}: 5 in a row",
        f"missing cust_00099 {text(when(99, SLOTS - 1))}: 1 reading"]

    before = database.value(f"SELECT heart_rate FROM heartbeats WHERE {where(50, 500)}")
    database.execute(f"UPDATE heartbeats SET heart_rate = heart_rate + 1 WHERE {where(50, 500)}")
    told = stored.run(code=1)
    assert numbers(told) == (COUNT, COUNT - 7, 7, 0, 1, 0)
    assert f"changed cust_00050 {text(when(50, 500))}: expected {before}, found {before + 1}\n" in told

    off_grid = when(8, 8) + datetime.timedelta(microseconds=1)
    for customer, at in (("cust_00008", off_grid), ("somebody", off_grid), ("cust_00008", when(8, SLOTS + 9))):
        database.execute("INSERT INTO heartbeats (customer_id, time, heart_rate) VALUES (%s, %s, 61)", (customer, at))
    told = stored.run(code=1)
    assert numbers(told) == (COUNT, COUNT - 7, 7, 0, 1, 1)
    assert f"foreign cust_00008 {text(off_grid)}: 61\n" in told and "somebody" not in told


def test_a_table_without_a_key_shows_doubles_and_how_often(stored):
    database = stored.database
    database.execute("CREATE TABLE loose AS SELECT customer_id, time, heart_rate FROM heartbeats")
    assert numbers(stored.run("--table", "loose")) == (COUNT, COUNT, 0, 0, 0, 0)
    for _ in range(2):
        database.execute(f"INSERT INTO loose SELECT customer_id, time, heart_rate FROM heartbeats WHERE {where(1, 2)}")
    database.execute(f"INSERT INTO loose SELECT customer_id, time, 299 FROM heartbeats WHERE {where(4, 5)}")
    told = stored.run("--table", "public.loose", code=1)
    assert numbers(told) == (COUNT, COUNT, 0, 2, 1, 0)
    assert f"doubled cust_00001 {text(when(1, 2))}: stored 3 times\n" in told
    assert f"doubled cust_00004 {text(when(4, 5))}: stored 2 times\n" in told
    assert re.search(rf"changed cust_00004 {text(when(4, 5))}: expected \d+, found 299\n", told)


def test_twenty_of_a_kind_are_named_or_all(stored):
    stored.database.execute("DELETE FROM heartbeats WHERE extract(epoch FROM time)::bigint % 40 = 0 "
                            "AND customer_id = 'cust_00000'")
    told = stored.run(code=1)
    assert numbers(told)[2] == 25 and told.count("missing cust_00000 ") == 20
    assert "and 5 more gaps; --all names them\n" in told
    told = stored.run("--all", code=1)
    assert told.count("missing cust_00000 ") == 25 and "more" not in told


def test_since_and_until_narrow_the_window(stored):
    stored.database.execute(f"DELETE FROM heartbeats WHERE {where(3, 20)}")
    after = numbers(stored.run("--since", text(when(0, 21))))
    assert after == (COUNT - 21 * CUSTOMERS,) * 2 + (0,) * 4
    span = ["--since", "2026-01-01T01:00:20+01:00", "--until", text(when(0, 21))]
    assert numbers(stored.run(*span, code=1)) == (100, 99, 1, 0, 0, 0)
    (stored.agent.data_folder / "last-run.json").unlink()
    assert numbers(stored.run(*span, code=1)) == (100, 99, 1, 0, 0, 0)
    assert "nothing to audit" in stored.run("--since", "2026-01-01T01:00:20Z", code=1)
    assert "is no time such as" in stored.run("--since", "yesterday", code=2)
    assert "is no duration" in stored.run(wait="soon", code=2)


def test_what_processors_remove_is_not_expected(agent, postgres):
    database = postgres.new_database()
    run = agent(generator(more='speed = "max"\n[source.outliers]\nsensor_dropout = 60.0\n')
                + '[[processor]]\nplugin = "validate"\n' + postgres_sink(database)).start()
    assert run.wait(120) == 0, run.log_tail()
    removed = kept_figures(run)["sources"][0]["removed"]["zero_bpm"]
    assert removed > 1000
    told = Audit(run, database).run()
    assert f"not expected, removed by a processor: {removed:,} (zero_bpm {removed:,})\n" in told
    assert numbers(told) == (COUNT - removed, COUNT - removed, 0, 0, 0, 0)


def test_what_lies_in_the_dead_letters_is_accounted_for(agent, postgres):
    database = postgres.new_database()
    maker = agent(generator(1) + postgres_sink(database), "schema").start()
    assert maker.wait(60) == 0
    database.execute("TRUNCATE heartbeats")
    database.execute(f"ALTER TABLE heartbeats ADD CONSTRAINT no CHECK (NOT ({where(5, 10, 30)}))")
    run = agent(generator() + postgres_sink(database)).start()
    assert run.wait(120) == 0, run.log_tail()
    told = Audit(run, database).run()
    assert "not stored, in the dead letters: 30 (check_violation 30)\n" in told
    assert numbers(told) == (COUNT - 30, COUNT - 30, 0, 0, 0, 0)
    (run.data_folder / "dead-letters.jsonl").write_text("")
    told = Audit(run, database).run(code=1)
    assert f"missing cust_00005 {text(when(5, 10))} to {text(when(5, 39))}: 30 in a row\n" in told


def test_a_running_agent_is_exact_at_any_moment(agent, postgres):
    database = postgres.new_database()
    run = agent(generator(0, 'speed = "60"') + postgres_sink(database)).start().wait_ready()
    run.wait_while_running(lambda: run.status()["sinks"][0]["delivered"] > 1000, 60, "to deliver")
    audit = Audit(run, database)
    last = 0
    for _ in range(5):
        found = numbers(audit.run(wait="20s"))
        assert found[0] == found[1] > last and found[2:] == (0, 0, 0, 0)
        last = found[0]
    earlier = kept_figures(run)["sinks"][0]["delivered"]
    kept = wait_until(lambda: (now := kept_figures(run))["sinks"][0]["delivered"] > earlier and now, 20,
                      "figures to be kept")
    # What was on its way to the sink when they were written is not in the table yet.
    received = kept["sources"][0]["received"]
    run.wait_while_running(lambda: run.status()["sinks"][0]["delivered"] >= received, 20, "to deliver it")
    run.kill()
    told = audit.run()  # what it had said last
    assert numbers(told)[0] >= 1000
    run.start()
    run.wait_while_running(lambda: run.status()["sinks"][0]["delivered"] > 0, 60, "to deliver")
    assert run.terminate() == 0
    # Begins at its start again: what it stored before is met once more, and the rest of the first run lies beyond.
    assert numbers(audit.run())[2:] == (0, 0, 0, 0)


def test_a_series_that_resumes_is_one_from_its_first_reading_on(agent, postgres):
    database = postgres.new_database()
    run = agent(generator(0, 'speed = "60"\nresume = true') + postgres_sink(database)).start().wait_ready()
    audit = Audit(run, database)
    for _ in range(3):
        run.wait_while_running(lambda: run.status()["sinks"][0]["delivered"] > 1000, 60, "to deliver")
        run.kill()
        run.start().wait_ready()
    # The journal's readings and up to a second of older ones come first; then new ones.
    audit.run(wait="20s")
    before = pipeline.row_count(database)
    run.wait_while_running(lambda: numbers(audit.run(wait="20s"))[0] > before, 60, "to come further than before")
    assert run.terminate() == 0
    found = numbers(audit.run())
    assert found[0] == found[1] and found[2:] == (0, 0, 0, 0)
    assert found[0] == pipeline.row_count(database)


def test_kafka_between_two_agents_is_audited_with_the_first_ones_configuration(agent, kafka, postgres):
    database, topic = postgres.new_database(), kafka.new_topic()
    second = agent(pipeline.consumer(kafka, topic, database), "second").start().wait_ready()
    first = agent(generator() + pipeline.kafka_sink(kafka, topic), "first").start()
    assert first.wait(120) == 0, first.log_tail()
    audit = Audit(first, database)
    assert numbers(audit.run(wait="120s")) == (COUNT, COUNT, 0, 0, 0, 0)
    database.execute(f"DELETE FROM heartbeats WHERE {where(0, 0, 3)}")
    begun = time.monotonic()
    told = audit.run(wait="120s", code=1)
    assert time.monotonic() - begun < 60, "it waited although nobody was at work"
    assert f"missing cust_00000 {text(when(0, 0))} to {text(when(0, 2))}: 3 in a row\n" in told
    assert second.terminate() == 0


def test_a_database_that_cannot_be_read_is_an_error_without_its_password(stored):
    stored.database.execute("ALTER TABLE heartbeats RENAME TO elsewhere")
    told = stored.run(code=1)
    assert "heartbeats" in told and "expected" not in told
    stored.run("--table", "elsewhere")
    done = subprocess.run([binary(), "audit", "-c", stored.agent.config_path, "--generator", "--postgres",
                           "postgresql://nobody:verysecret@127.0.0.1:1/none"], text=True, capture_output=True)
    assert done.returncode == 1 and "127.0.0.1" in done.stderr and "verysecret" not in done.stderr


def test_a_configuration_without_a_generator_is_refused(agent, postgres, tmp_path):
    run = agent(f'[[source]]\nplugin = "file"\npath = "{tmp_path}/in"\n[[sink]]\nplugin = "null"\n')
    database = postgres.new_database()
    assert 'no source with the plugin "generator"' in Audit(run, database).run(code=2)
    done = subprocess.run([binary(), "audit", "-c", run.config_path, "--generator"], text=True, capture_output=True)
    assert done.returncode == 2 and "--postgres" in done.stderr
