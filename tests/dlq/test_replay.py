"""Dead letters that are replayed: what was wrong is mended, the rows are there, the letters are gone, others stay."""

import json

import pytest

from e2e import pipeline
from support.waiting import wait_until

MODES = pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])


def wire(customer, second, rate):
    return json.dumps({"customer_id": customer, "time": f"2026-01-01T00:{second // 60:02}:{second % 60:02}Z",
                       "heart_rate": rate})


def follow(path, more=""):
    return f'[[source]]\nplugin = "file"\nname = "ward"\npath = "{path}"\nfollow = true\n{more}\n'


def postgres_sink(database, more=""):
    return f'[[sink]]\nplugin = "postgres"\nuri = "{database.uri}"\nretry_max = "1s"\n{more}\n'


def file_sink(path):
    return f'[[sink]]\nplugin = "file"\npath = "{path}"\n'


def with_schema(agent, database):
    """Lets the sink make its schema, so that a rule can be added to it."""
    maker = agent(follow("/dev/null") + postgres_sink(database), "schema").start().wait_ready()
    wait_until(lambda: pipeline.row_count(database) == 0, 30, "the schema")
    assert maker.terminate() == 0


def lines_of(path):
    return path.read_text().splitlines()


@pytest.fixture
def poisoned(agent, postgres, dlq, tmp_path):
    """A running agent with 3 rows that break a rule of the database, 2 lines that are no JSON, and 20 good ones."""
    database = postgres.new_database()
    with_schema(agent, database)
    database.execute("ALTER TABLE heartbeats ADD CONSTRAINT no_299 CHECK (heart_rate <> 299)")
    source = tmp_path / "in.jsonl"
    rates = [299 if n in (3, 4, 17) else 60 + n for n in range(23)]
    source.write_text("\n".join(wire("anna", n, rate) for n, rate in enumerate(rates)) + "\n{not json\n[\n")
    running = agent(follow(source) + postgres_sink(database) + file_sink(tmp_path / "all.jsonl"), "poisoned").start()
    letters = dlq(running)
    letters.wait(5)
    wait_until(lambda: pipeline.row_count(database) == 20, 30, "the good rows")
    return running, database, letters


@MODES
def test_rows_that_broke_a_rule_are_stored_once_it_is_gone(poisoned, tmp_path, running):
    agent, database, letters = poisoned
    refused = letters.letters("--reason", "check_violation")
    assert [letter["sqlstate"] for letter in refused] == ["23514"] * 3
    assert {letter["instance"] for letter in refused} == {"sink/postgres"}
    database.execute("ALTER TABLE heartbeats DROP CONSTRAINT no_299")
    if not running:
        assert agent.terminate() == 0
    outcome, _ = letters.replay("--reason", "check_violation")
    assert outcome == (3, 3, 0, 0)
    stored = {time.second: rate for _, time, rate in pipeline.rows(database)}
    assert len(stored) == 23 and stored[3] == stored[4] == stored[17] == 299
    # What the sink writes as its time of receipt is the first one, not that of the replay.
    received = {letter["received_at"] for letter in refused}
    assert len(received) == 3
    for letter in refused:
        assert database.value("SELECT count(*) FROM heartbeats WHERE received_at = %s", (letter["received_at"],)) == 1
    # The other sink had them all along, and has them once.
    assert len(lines_of(tmp_path / "all.jsonl")) == 23
    left = letters.letters()
    assert sorted(letter["reason"] for letter in left) == ["bad_json", "bad_json"]
    if running:
        status = pipeline.assert_balanced(agent.status())
        assert status["dead_letters"]["replayed"] == 3
        assert agent.metrics().value("hbagent_dead_letters_replayed_total") == 3


@MODES
def test_what_is_refused_again_stays_with_its_id_and_the_new_reason(poisoned, running):
    agent, database, letters = poisoned
    before = letters.letters("--reason", "check_violation")
    # Another rule now, which one of the three keeps.
    database.execute("ALTER TABLE heartbeats DROP CONSTRAINT no_299")
    database.execute("ALTER TABLE heartbeats ADD CONSTRAINT early CHECK (time < '2026-01-01T00:00:10Z' OR "
                     "heart_rate <> 299 OR received_at IS NULL)")
    if not running:
        assert agent.terminate() == 0
    outcome, text = letters.replay("--source", "ward", code=1)
    assert outcome == (2, 5, 3, 0)
    assert "refused again: 1 check_violation by sink/postgres" in text
    assert "refused again: 2 bad_json by source/ward" in text
    kept = {letter["id"]: letter for letter in letters.letters()}
    (again,) = [letter for letter in kept.values() if letter["reason"] == "check_violation"]
    (was,) = [letter for letter in before if letter["id"] == again["id"]]
    assert "early" in again["detail"] and "no_299" in was["detail"]
    assert again["time"] == was["time"] < again["refused_again_at"]
    assert again["payload"] == was["payload"]
    assert pipeline.row_count(database) == 22


@MODES
def test_single_letters_are_replayed_by_id_and_a_wrong_id_is_named(poisoned, running):
    agent, database, letters = poisoned
    ids = [letter["id"] for letter in letters.letters("--reason", "check_violation")]
    database.execute("ALTER TABLE heartbeats DROP CONSTRAINT no_299")
    if not running:
        assert agent.terminate() == 0
    outcome, text = letters.replay("--id", ids[1], 4711, code=1)
    assert outcome == (1, 1, 0, 0) and "no letter 4711" in text
    assert pipeline.row_count(database) == 21
    assert [letter["id"] for letter in letters.letters("--reason", "check_violation")] == [ids[0], ids[2]]


@MODES
def test_lines_of_a_file_are_decoded_once_the_mapping_is_right(agent, postgres, dlq, tmp_path, running):
    database = postgres.new_database()
    series = tmp_path / "series"
    series.mkdir()
    for customer, first in (("anna", 0), ("bert", 100)):
        rows = [f"{1_700_000_000 + n},{60 + n % 50}" for n in range(first, first + 100)]
        (series / f"{customer}.csv").write_text("\n".join(["when,bpm", *rows]) + "\n")

    def config(time):
        return (follow(f"{series}/{{customer_id}}.csv", f'time = {{ header = "when"{time} }}\n'
                       'heart_rate = { header = "bpm" }') + '[[processor]]\nplugin = "validate"\n'
                + postgres_sink(database))
    running_agent = agent(config("")).start()
    letters = dlq(running_agent)
    assert {letter["reason"] for letter in letters.wait(200)} == {"bad_time"}
    # Nothing is mended: all of it stays, with the same ids.
    ids = [letter["id"] for letter in letters.letters()]
    outcome, _ = letters.replay(code=1)
    assert outcome == (0, 200, 200, 0)
    assert [letter["id"] for letter in letters.letters()] == ids

    assert running_agent.terminate() == 0
    running_agent.configure(config(', format = "epoch_s", numeric_strings = true'))
    if running:
        running_agent.start().wait_ready()
    outcome, _ = letters.replay()
    assert outcome == (200, 200, 0, 0)
    assert letters.letters() == []
    if running:
        wait_until(lambda: pipeline.row_count(database) == 200, 30, "the rows")
        pipeline.assert_balanced(running_agent.status())
    rows = pipeline.rows(database)
    assert len(rows) == 200
    assert {(customer, rate) for customer, _, rate in rows} == {
        (customer, 60 + n % 50) for customer, first in (("anna", 0), ("bert", 100)) for n in range(first, first + 100)}


@MODES
def test_records_without_a_customer_take_their_key_once_told_so(agent, kafka, postgres, dlq, running):
    topic = kafka.new_topic(partitions=1)
    database = postgres.new_database()
    nameless = [("cust_7", json.dumps({"time": f"2026-01-01T00:00:{n:02}Z", "heart_rate": 70})) for n in range(10)]
    topic.produce([("k", wire("anna", 1, 60)), *nameless, ("k", b"{")])
    consumer = agent(pipeline.consumer(kafka, topic, database)).start()
    letters = dlq(consumer)
    assert [letter["key"] for letter in letters.wait(11)][:10] == ["cust_7"] * 10
    assert letters.letters()[0]["origin"] == f"{topic}[0]@1"
    wait_until(lambda: topic.lag(f"group-{topic}") == 0, 60, "the group to pass them")

    assert consumer.terminate() == 0
    consumer.configure(pipeline.consumer(kafka, topic, database, source="key_as_customer_id = true"))
    if running:
        consumer.start().wait_ready()
    outcome, text = letters.replay(code=1)
    assert outcome == (10, 11, 1, 0) and "1 bad_json by source/kafka" in text
    wait_until(lambda: pipeline.row_count(database) == 11, 30, "the rows")
    assert database.value("SELECT count(*) FROM heartbeats WHERE customer_id = 'cust_7'") == 10
    assert [letter["reason"] for letter in letters.letters()] == ["bad_json"]


@MODES
def test_what_a_processor_refused_goes_to_every_sink_once_it_is_let_through(agent, postgres, dlq, tmp_path, running):
    database = postgres.new_database()
    source = tmp_path / "in.jsonl"
    source.write_text("\n".join(wire("anna", n, 60 + 10 * n) for n in range(20)) + "\n")

    def config(limit):
        return (follow(source) + f'[[processor]]\nplugin = "validate"\nmax_heart_rate = {limit}\n'
                + postgres_sink(database) + file_sink(tmp_path / "all.jsonl"))
    running_agent = agent(config(199)).start()
    letters = dlq(running_agent)
    letters.wait(6)
    assert running_agent.terminate() == 0
    running_agent.configure(config(230))
    if running:
        running_agent.start().wait_ready()
    outcome, text = letters.replay(code=1)
    assert outcome == (4, 6, 2, 0) and "2 out_of_range by processor/validate" in text
    wait_until(lambda: pipeline.row_count(database) == 18, 30, "the rows")
    wait_until(lambda: len(lines_of(tmp_path / "all.jsonl")) == 18, 30, "the lines")
    assert len(letters.letters()) == 2


def test_a_row_that_came_from_a_mended_line_and_is_refused_by_the_sink_counts_as_refused(agent, postgres, dlq, tmp_path):
    database = postgres.new_database()
    with_schema(agent, database)
    database.execute("ALTER TABLE heartbeats ADD CONSTRAINT no_299 CHECK (heart_rate <> 299)")
    source = tmp_path / "in.csv"
    source.write_text("customer_id,time,heart_rate\nanna,1700000000,60\nanna,1700000001,299\n")
    running_agent = agent(follow(source) + postgres_sink(database)).start()
    letters = dlq(running_agent)
    old = letters.wait(2)
    assert running_agent.terminate() == 0
    mended = 'time = { header = "time", format = "epoch_s", numeric_strings = true }'
    running_agent.configure(follow(source, mended) + postgres_sink(database))
    running_agent.start().wait_ready()
    outcome, text = letters.replay(code=1)
    assert outcome == (1, 2, 1, 0) and "1 check_violation by sink/postgres" in text
    (letter,) = letters.letters()
    assert letter["instance"] == "sink/postgres" and letter["id"] > old[-1]["id"]
    assert pipeline.row_count(database) == 1


def test_a_sink_that_is_away_keeps_its_letters(poisoned):
    agent, database, letters = poisoned
    database.execute("ALTER TABLE heartbeats DROP CONSTRAINT no_299")
    assert agent.terminate() == 0
    config = agent.config_path.read_text()
    agent.config_path.write_text(config.replace(database.uri, "postgresql://hbagent:hbagent@127.0.0.1:1/none"))
    before = letters.letters()
    outcome, text = letters.replay("--reason", "check_violation", code=1)
    assert outcome == (0, 3, 0, 3) and "sink/postgres does not take it: " in text and "Connection refused" in text
    assert letters.letters() == before
    agent.config_path.write_text(config)
    outcome, _ = letters.replay("--reason", "check_violation")
    assert outcome == (3, 3, 0, 0)


def test_what_cannot_be_replayed_is_named_with_the_reason(agent, dlq, tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text("x" * 30_000 + "\n{\n")

    def config(name, more=""):
        return (f'[agent]\ndata_dir = "{tmp_path}/data"\ndead_letter_max_size = "64KiB"\n[[source]]\nplugin = "file"\n'
                f'name = "{name}"\npath = "{source}"\n{more}[[sink]]\nplugin = "null"\n')
    reader = agent(config("ward"))
    reader.start()
    pipeline.ended(reader, 30)
    letters = dlq(reader)
    cut, _ = letters.wait(2)
    assert cut["truncated"] and cut["payload_size"] == 30_000 and len(cut["payload"]) == 8192
    reader.configure(config("another"))
    outcome, text = letters.replay(code=1)
    assert outcome == (0, 2, 0, 2)
    assert "letter 1: only the beginning of its payload was kept" in text
    assert 'letter 2: the configuration has no source "ward", whose bytes it holds' in text
    assert len(letters.letters()) == 2
