"""hbagent decode: what a payload becomes, without an agent and beside one."""

import json
import os
import pathlib
import re
import select
import socket
import subprocess

import pytest

from support.agent import binary
from support.waiting import wait_until

RECEIVED = "2026-01-15T12:00:00Z"
VALIDATE = '[[processor]]\nplugin = "validate"\n'
KAFKA = '[journal]\nmode = "memory"\n[[source]]\nplugin = "kafka"\nbrokers = "127.0.0.1:{port}"\n'
# A message of many readings: an array of them.
ARRAYS = ('[[source]]\nplugin = "file"\nname = "arrays"\npath = "{folder}/arrays.jsonl"\neach = "/data"\n'
          'customer_id = {{ pointer = "/id" }}\ntime = {{ pointer = "/t" }}\nheart_rate = {{ pointer = "/hr" }}\n')
WARDS = '[[source]]\nplugin = "file"\nname = "wards"\npath = "{folder}/ward-*.csv"\n'
MQTT = ('[[source]]\nplugin = "mqtt"\nserver = "tcp://127.0.0.1:{port}"\nclient_id = "edge"\n[[source.subscription]]\n'
        'topic = "wearables/{{customer_id}}/hr"\ndecoder = "json"\nheart_rate = {{ pointer = "/hr" }}\n'
        'time = "receive"\n')
PROBE = '[[source]]\nplugin = "probe"\n'
PROBE_FOLDER = binary().resolve().parents[1] / "tests/plugins"


@pytest.fixture
def config(tmp_path):
    """Writes a configuration and returns its path."""
    def write(text, port=1):
        path = tmp_path / "agent.toml"
        path.write_text(f'[agent]\ndata_dir = "{tmp_path}/data"\n' + text.format(folder=tmp_path, port=port)
                        + '[[sink]]\nplugin = "null"\n')
        return path
    return write


def hbagent_decode(path, *arguments, payload=""):
    return subprocess.run([binary(), "decode", "-c", path, *map(str, arguments)], capture_output=True, timeout=120,
                          input=payload if isinstance(payload, bytes) else payload.encode())


def decode(path, *arguments, payload=""):
    """The objects that it prints; fails unless it ends with 0 and says nothing else."""
    done = hbagent_decode(path, *arguments, payload=payload)
    assert done.returncode == 0 and done.stderr == b"", done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def refused(path, *arguments, payload="", code=2):
    """What it says on standard error, where it ends with `code`."""
    done = hbagent_decode(path, *arguments, payload=payload)
    assert done.returncode == code, done.stdout.decode() + done.stderr.decode()
    return done.stderr.decode()


def line_of(path, beginning, nth=1):
    """The number of the n-th line that begins so."""
    return [number for number, line in enumerate(path.read_text().splitlines(), 1) if line.startswith(beginning)][nth - 1]


def wire(customer, heart_rate, time="2026-01-01T00:00:00Z"):
    return json.dumps({"customer_id": customer, "time": time, "heart_rate": heart_rate})


def reading(customer, heart_rate, time="2026-01-01T00:00:00.000000Z", flags=()):
    return {"customer_id": customer, "time": time, "heart_rate": heart_rate, "flags": list(flags)}


def short(answers):
    """Customers of readings, reasons of rejects."""
    return [answer.get("customer_id") or answer["reject"] for answer in answers]


def test_a_payload_comes_from_a_file_or_from_standard_input(config, tmp_path):
    path = config(KAFKA + VALIDATE)
    file = tmp_path / "payload"
    file.write_text(wire("anna", 72.5))
    expected = [reading("anna", 72)]
    assert decode(path, file) == decode(path, "kafka", file) == expected
    assert decode(path, payload=file.read_bytes()) == decode(path, "-", payload=file.read_bytes()) == expected
    assert decode(path, "kafka", payload=file.read_bytes()) == expected
    assert decode(path, "kafka", "-", payload=file.read_bytes()) == expected


def test_the_lines_are_of_the_documented_form(config):
    done = hbagent_decode(config(KAFKA), payload=wire("\u00e4", 60))
    assert done.stdout.decode() == ('{"customer_id":"\u00e4","time":"2026-01-01T00:00:00.000000Z","heart_rate":60,'
                                    '"flags":[]}\n')
    done = hbagent_decode(config(KAFKA), payload="7")
    assert re.fullmatch(rb'\{"reject":"not_an_object","detail":"[^"]+"\}\n', done.stdout)


def test_a_line_of_csv_is_read_by_the_header_of_the_file_that_it_is_taken_to_come_from(config, tmp_path):
    path = config(KAFKA + WARDS + VALIDATE)
    (tmp_path / "ward-1.csv").write_text("customer_id,time,heart_rate\n")
    (tmp_path / "ward-2.csv").write_text("heart_rate,customer_id,time\n")
    time = "2026-01-01T00:00:00Z"
    first = decode(path, "wards", "--topic", tmp_path / "ward-1.csv", payload=f"anna,{time},61\r\nbert,{time},0\n")
    assert first == [reading("anna", 61), {"reject": "zero_bpm", "detail": first[1]["detail"]}]
    assert decode(path, "wards", "--topic", tmp_path / "ward-2.csv", payload=f"61,anna,{time}") == first[:1]


def test_readings_and_rejects_keep_the_order_of_the_message(config):
    data = [{"id": "a", "t": "2026-01-01T00:00:00Z", "hr": 60}, {"id": "b", "hr": 60},
            {"id": "c", "t": "2026-01-01T00:00:00Z", "hr": 0}, {"id": "d", "t": "2026-01-01T00:00:00Z", "hr": 301},
            {"id": "e", "t": "2026-01-01T00:00:00Z", "hr": 61}, {"id": "", "t": "2026-01-01T00:00:00Z", "hr": 61},
            {"id": "g", "t": "2036-01-01T00:00:00Z", "hr": 61}, {"id": "h", "t": "2026-01-01T00:00:00Z", "hr": 62}]
    answers = decode(config(ARRAYS + VALIDATE), "--received-at", RECEIVED, payload=json.dumps({"data": data}))
    assert short(answers) == ["a", "missing_time", "zero_bpm", "out_of_range", "e", "missing_customer_id",
                              "time_future", "h"]
    assert answers[3] == {"reject": "out_of_range", "detail": "above max_heart_rate"}


def test_processors_change_and_flag_what_is_printed(config):
    path = config(KAFKA + '[[processor]]\nplugin = "validate"\nclock = "receive"\n')
    answers = decode(path, "--received-at", "2026-01-15T13:00:00.25+01:00", payload=wire("anna", 60, "1970-01-01T00:00:00Z"))
    assert answers == [reading("anna", 60, "2026-01-15T12:00:00.250000Z", ["clock"])]


def test_without_a_time_of_receipt_it_is_received_now(config):
    path = config(KAFKA + '[[processor]]\nplugin = "validate"\nmax_future = "1h"\n')
    before = subprocess.run(["date", "-u", "+%Y-%m-%dT%H:%M:%SZ"], capture_output=True, text=True, check=True).stdout
    assert short(decode(path, payload=wire("anna", 60, before.strip()))) == ["anna"]
    assert short(decode(path, payload=wire("anna", 60, before.strip().replace("20", "21", 1)))) == ["time_future"]


def test_hex_text_is_the_payloads_bytes(config):
    path = config(KAFKA)
    assert decode(path, "--hex", payload=wire("anna", 60).encode().hex(" ").upper() + "\n") == [reading("anna", 60)]
    assert short(decode(path, "--hex", payload="80 81")) == short(decode(path, payload=b"\x80\x81"))


def test_key_topic_and_retain_reach_the_source(config):
    keyed = config(KAFKA + "key_as_customer_id = true\n")
    without = '{"time": "2026-01-01T00:00:00Z", "heart_rate": 60}'
    assert decode(keyed, "--key", "anna", payload=without) == [reading("anna", 60)]
    assert short(decode(keyed, payload=without)) == ["missing_customer_id"]
    probe = config(PROBE)
    told = decode(probe, "--plugin-dir", PROBE_FOLDER, "--topic", "a/b", "--retain", "--received-at",
                  "1970-01-01T00:00:07Z", payload="what")
    assert told == [{"reject": "told", "detail": "a/b at 7000000, retained"}]
    assert decode(probe, "--plugin-dir", PROBE_FOLDER, "--received-at", "1970-01-01T00:00:07Z", payload="what") == [
        {"reject": "told", "detail": " at 7000000"}]


def test_a_topic_says_which_subscription_and_customer(config):
    path = config(MQTT + VALIDATE)
    asked = ["--received-at", RECEIVED, "--topic"]
    anna = reading("anna", 60, "2026-01-15T12:00:00.000000Z")
    assert decode(path, *asked, "wearables/anna/hr", payload='{"hr": 60}') == [anna]
    assert short(decode(path, *asked, "wearables/anna/battery", payload='{"hr": 60}')) == ["topic_not_mapped"]
    assert short(decode(path, *asked, "wearables/anna/hr", "--retain", payload='{"hr": 60}')) == ["retained_without_time"]
    batch = "".join(json.dumps({"topic": f"wearables/{name}/hr", "payload": '{"hr": 60}', "retain": name == "bert",
                                "received_at": RECEIVED}) + "\n" for name in ("anna", "bert"))
    answers = decode(path, "--batch", "-", payload=batch)
    assert [short(each) for each in answers] == [["anna"], ["retained_without_time"]]


def test_a_batch_is_answered_line_by_line_in_its_order(config, tmp_path):
    path = config(KAFKA + VALIDATE)
    cases, expected = [], []
    for i in range(2000):
        rate = i % 307
        payload = wire(f"c{i}", rate)
        case = {"topic": "t", "encoding": "utf8", "payload": payload, "retain": False, "received_at": RECEIVED}
        if i % 3 == 0:
            case.update(encoding="hex", payload=payload.encode().hex())
        if i % 5 == 0:
            case.update(payload="{", encoding="utf8")
        cases.append(json.dumps(case) + "\n")
        expected.append(["bad_json" if i % 5 == 0 else "zero_bpm" if rate == 0 else "out_of_range" if rate > 300
                         else f"c{i}"])
    file = tmp_path / "cases.jsonl"
    file.write_text("".join(cases))
    answers = decode(path, "kafka", "--batch", file)
    assert [short(each) for each in answers] == expected
    assert {"bad_json", "zero_bpm", "out_of_range", "c1"} <= {short(each)[0] for each in answers}
    assert decode(path, "--batch", "-", payload="".join(cases).rstrip("\n")) == answers


def test_a_case_is_decoded_as_if_it_were_alone(config, tmp_path):
    path = config(WARDS + ARRAYS + VALIDATE)
    (tmp_path / "ward-1.csv").write_text("customer_id,time,heart_rate\n")
    (tmp_path / "ward-2.csv").write_text("heart_rate,time,customer_id\n")
    lines = [("ward-1.csv", "anna,2026-01-01T00:00:00Z,61"), ("ward-2.csv", "62,2026-01-01T00:00:00Z,bert"),
             ("ward-1.csv", "62,2026-01-01T00:00:00Z,bert"), ("ward-1.csv", "\n"),
             ("ward-1.csv", "a,2026-01-01T00:00:00Z,61\nb,2026-01-01T00:00:00Z,62\n")]
    batch = "".join(json.dumps({"topic": str(tmp_path / name), "payload": line}) + "\n" for name, line in lines)
    answers = decode(path, "wards", "--batch", "-", payload=batch)
    assert answers == [decode(path, "wards", "--topic", tmp_path / name, payload=line) for name, line in lines]
    assert [short(each) for each in answers] == [["anna"], ["bert"], ["not_a_number"], [], ["a", "b"]]


def test_each_line_of_a_pipe_is_answered_at_once(config):
    with subprocess.Popen([binary(), "decode", "-c", config(KAFKA), "--batch", "-"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, bufsize=0) as process:
        for name in ("anna", "bert"):
            process.stdin.write((json.dumps({"payload": wire(name, 60)}) + "\n").encode())
            answered, _, _ = select.select([process.stdout], [], [], 30)
            if not answered:
                process.kill()
            assert answered
            assert json.loads(process.stdout.readline()) == [reading(name, 60)]
        process.stdin.close()
        assert process.wait(60) == 0


@pytest.mark.parametrize(("line", "message"), [
    ("", "there is nothing on it"),
    ("{", "no JSON: wrong at byte 2"),
    ("[]", "must be a JSON object"),
    ('{"topic": "t"}', '"payload" is missing'),
    ('{"payload": "", "encoding": "generator"}', '"encoding" must be "utf8" or "hex"; found "generator"'),
    ('{"payload": "1", "encoding": "hex"}', '"payload" must be hex text, two digits a byte; found "1"'),
    ('{"payload": "", "received_at": "soon"}', '"received_at" must be a time such as "2026-01-01T00:00:00Z"'),
    ('{"payload": "", "recieved_at": 1}', '"recieved_at" is no member of a case; did you mean "received_at"?'),
], ids=range(8))
def test_a_line_that_is_no_case_is_named_and_what_came_before_is_answered(line, message, config, tmp_path):
    file = tmp_path / "cases.jsonl"
    file.write_text(json.dumps({"payload": wire("anna", 60)}) + f"\n{line}\n")
    done = hbagent_decode(config(KAFKA), "--batch", file)
    assert done.returncode == 2
    assert json.loads(done.stdout) == [reading("anna", 60)]
    assert done.stderr.decode().startswith(f"hbagent: {file}:2: {message}"), done.stderr


def test_a_source_is_asked_for_by_name_where_there_are_several(config, tmp_path):
    path = config(KAFKA + WARDS)
    payload = tmp_path / "payload"
    payload.write_text(wire("anna", 60))
    for arguments in ([], ["--batch", "-"]):
        assert refused(path, *arguments) == "hbagent: say which source the payload is for: kafka, wards\n"
    for arguments in (["ward"], ["ward", payload], ["ward", "--batch", "-"]):
        assert refused(path, *arguments) == (
            'hbagent: there is no source "ward"; did you mean "wards"? sources: kafka, wards\n')
    assert f'there is no source "{payload}"; sources: kafka, wards' in refused(path, payload)
    one = config(KAFKA)
    assert refused(one, "kafak") == ('hbagent: there is no source "kafak"; did you mean "kafka"? sources: kafka; and '
                                     "there is no such file\n")
    assert 'did you mean "kafka"? sources: kafka\n' in refused(one, "kafak", payload)


def test_a_source_that_cannot_decode_says_so_by_name(config):
    path = config(KAFKA + '[[source]]\nplugin = "generator"\nname = "made-up"\n')
    assert refused(path, "made-up") == (f'{path}:{line_of(path, "[[source]]", 2)}:1: source/made-up: the plugin "generator" cannot decode a payload that '
                                        "does not come from its far side\n")


@pytest.mark.parametrize(("arguments", "message"), [
    (["--received-at", "today"], "--received-at: today is no time such as 2026-01-01T00:00:00Z"),
    (["--hex"], "standard input holds no hex text, two digits a byte"),
    (["--batch", "-", "--hex"], "--batch excludes --hex"),
    (["--batch", "-", "--topic", "t"], "--batch excludes --topic"),
    (["--batch", "-", "kafka", "more"], '--batch says where the payloads are: there is no place for "more"'),
    (["kafka", "one", "two"], "two"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else None)
def test_wrong_usage_ends_with_2(arguments, message, config):
    assert message in refused(config(KAFKA), *arguments, payload="{}x")


def test_a_configuration_that_is_wrong_ends_with_2(config, tmp_path):
    assert "--config is required" in subprocess.run([binary(), "decode"], capture_output=True, text=True).stderr
    path = config(KAFKA + "topic = 5\n")
    assert re.match(rf'{re.escape(str(path))}:\d+:\d+: .*"topic".*did you mean "topics"', refused(path))
    path = config(KAFKA + VALIDATE + "min_heart_rate = 200\nmax_heart_rate = 100\n")
    assert refused(path) == (f"{path}:{line_of(path, 'min_heart_rate')}:18: processor/validate: min_heart_rate is larger than "
                             "max_heart_rate: no reading could pass\n")
    path = config(f'[[source]]\nplugin = "file"\npath = "{tmp_path}"\n')
    assert f"{path}:{line_of(path, 'path =')}:8: source/file: path = " in refused(path)


def test_what_cannot_be_read_or_run_ends_with_1(config, tmp_path):
    path = config(KAFKA)
    assert refused(path, "kafka", "none", code=1) == "hbagent: cannot open none: No such file or directory\n"
    assert refused(path, tmp_path, code=1) == f"hbagent: cannot read {tmp_path}: Is a directory\n"
    assert refused(path, "--batch", "none", code=1) == "hbagent: cannot open none: No such file or directory\n"
    assert "is longer than 64 MiB" in refused(path, "/dev/zero", code=1)
    with open("/dev/full", "wb") as full:
        done = subprocess.run([binary(), "decode", "-c", path], input=b"{}", stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1 and b"cannot write to standard output: No space left" in done.stderr


def test_what_a_source_cannot_decode_at_all_ends_with_1_and_names_it(config, tmp_path):
    path = config(WARDS)
    assert refused(path, code=1) == ("hbagent: source/wards: path finds many files: say which one the line is to be "
                                     "taken to come from\n")
    there = tmp_path / "ward-1.csv"
    assert refused(path, "--topic", there, code=1) == (
        f"hbagent: source/wards: cannot read the header of {there}: No such file or directory\n")
    there.write_text("customer_id,time,heart_rate\n")
    cases = [json.dumps({"topic": str(topic), "payload": ""}) + "\n" for topic in (there, "/elsewhere.csv")]
    assert refused(path, "--batch", "-", payload="".join(cases), code=1) == (
        "hbagent: standard input:2: source/wards: cannot read the header of /elsewhere.csv: No such file or directory\n")


def test_it_connects_nowhere_and_leaves_nothing_behind(config, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        path = config(KAFKA + VALIDATE, port=listener.getsockname()[1])
        before = sorted(tmp_path.iterdir())
        assert short(decode(path, payload=wire("anna", 60))) == ["anna"]
        assert short(decode(path, payload=wire("anna", 999))) == ["out_of_range"]
        assert sorted(tmp_path.iterdir()) == before
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_beside_a_running_agent_it_changes_nothing(agent, tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text(wire("anna", 60) + "\n" + wire("bert", 999) + "\n")
    running = agent(f'[[source]]\nplugin = "file"\npath = "{source}"\nfollow = true\npoll_interval = "10ms"\n{VALIDATE}'
                    '[[sink]]\nplugin = "file"\npath = "-"\n').start().wait_ready()
    wait_until(lambda: len(running.output.splitlines()) == 1, 30, "the agent's reading")

    def content():
        return {path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes())
                for path in running.data_folder.rglob("*") if not path.is_socket()}
    batch = "".join(json.dumps({"payload": wire(f"c{i}", 999 if i % 2 else 60)}) + "\n" for i in range(100))
    running.pause()  # what changes now is not its doing, and nobody asks it
    stat = pathlib.Path(f"/proc/{running.pid}/stat")
    wait_until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", 30, "the agent to stand still")
    before = content()
    assert running.data_folder / "lock" in before and running.data_folder / "dead-letters.jsonl" in before
    answers = decode(running.config_path, "--batch", "-", payload=batch)
    assert [short(each) for each in answers] == [["out_of_range" if i % 2 else f"c{i}"] for i in range(100)]
    assert content() == before
    running.resume()
    assert decode(running.config_path, "--batch", "-", payload=batch) == answers
    with open(source, "a") as file:
        file.write(wire("carl", 61) + "\n")
    wait_until(lambda: len(running.output.splitlines()) == 2, 30, "the agent to go on")
    assert running.status()["sources"][0]["received"] == 3
    assert running.terminate() == 0


def test_no_secret_is_shown(config, tmp_path):
    secret = "correct-horse-7731"
    path = config(KAFKA + 'username = "edge"\npassword = "${{HB_TEST_SECRET}}"\n[source.rdkafka]\n'
                          '"security.protocol" = "${{HB_TEST_SECRET}}"\n')
    for arguments in ([], ["nobody"]):
        done = subprocess.run([binary(), "decode", "-c", path, *arguments], input="{}", text=True, capture_output=True,
                              env={**os.environ, "HB_TEST_SECRET": secret})
        assert done.returncode == 2 and done.stderr != ""
        assert secret not in done.stdout + done.stderr
