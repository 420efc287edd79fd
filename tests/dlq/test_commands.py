"""What `hbagent dlq list` and `show` print, and the control socket."""

import http.client
import json
import re
import socket
import stat

import pytest

from support.agent import REPOSITORY
from support.waiting import wait_until

from .test_replay import follow, lines_of, wire


@pytest.fixture
def refusing(agent, dlq, tmp_path):
    """An agent whose source refused a text and some bytes, and whose processor a reading."""
    source = tmp_path / "in.jsonl"
    source.write_bytes(b'{"heart_rate": 1\n' + bytes(range(0x80, 0xc0)) + b"\n" + wire("anna", 1, 999).encode() + b"\n"
                       + wire("anna", 2, 60).encode() + b"\n")
    running = agent(follow(source) + '[[processor]]\nplugin = "validate"\n[[sink]]\nplugin = "null"\n').start()
    letters = dlq(running)
    letters.wait(3)
    return running, letters


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_the_list_fits_a_terminal_and_ends_with_a_summary(refusing, running):
    agent, letters = refusing
    if not running:
        assert agent.terminate() == 0
    text = letters.run("list")
    lines = text.splitlines()
    assert re.match(r"id +time \(UTC\) +source +refused by +reason +origin +size", lines[0])
    assert all(len(line) <= 80 for line in lines), text
    assert re.match(r" *1 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d ward +source +bad_json +\u2026\S*in.jsonl:1 +16 B$", lines[1])
    assert re.match(r" *3 .* ward +processor/validate +out_of_range", lines[3])
    assert re.match(r"3 letters: 2 bad_json, 1 out_of_range; [\d.]+ (B|KiB) of at most 64 MiB$", lines[-1])
    one = letters.run("list", "--reason", "out_of_range", "--source", "ward")
    assert "1 letter: 1 out_of_range" in one and "bad_json" not in one
    assert letters.run("list", "--source", "nobody") == "no dead letters\n"


def test_one_letter_is_shown_in_full_as_text_or_as_a_hex_dump(refusing):
    _, letters = refusing
    text = letters.run("show", 1)
    assert re.search(r"^refused by +source/ward$", text, re.MULTILINE)
    assert re.search(r"^origin +\S+/in.jsonl:1$", text, re.MULTILINE)
    assert text.endswith('\n\n{"heart_rate": 1\n')
    dump = letters.run("show", 2)
    assert "00000030  b0 b1 b2 b3 b4 b5 b6 b7  b8 b9 ba bb bc bd be bf  |................|\n" in dump
    assert re.search(r"^payload +64 bytes$", dump, re.MULTILINE)
    assert "there is no dead letter 99; see hbagent dlq list" in letters.run("show", 99, code=1)


def test_nothing_to_show_is_no_failure(agent, dlq, tmp_path):
    idle = agent('[[source]]\nplugin = "generator"\n[[sink]]\nplugin = "null"\n')
    assert dlq(idle).run("list") == "no dead letters\n"
    assert dlq(idle).run("list", "--json") == ""
    assert dlq(idle).run("replay") == "no dead letters to replay\n"
    assert not idle.data_folder.exists()


def test_a_reason_that_nothing_gives_is_a_usage_error_that_names_those_there_are(refusing):
    agent, letters = refusing
    said = letters.run("replay", "--reason", "bad_jsn", code=2)
    assert said == 'hbagent: no dead letter has the reason "bad_jsn"; there are: bad_json (2), out_of_range (1)\n'
    assert letters.run("replay", "--reason", "check_violation") == "no dead letters to replay\n"
    assert agent.terminate() == 0
    assert letters.run("replay", "--reason", "bad_jsn", "--id", 1, code=2) == said
    assert len(letters.letters()) == 3
    # One that a plugin from elsewhere gave is there, and so it is known.
    file = agent.data_folder / "dead-letters.jsonl"
    file.write_text(file.read_text().replace('"reason":"out_of_range"', '"reason":"too_odd"'))
    assert letters.replay("--reason", "too_odd", code=1)[0][1] == 1


def test_every_reason_that_a_plugin_gives_can_be_asked_for(agent, dlq):
    idle = agent('[[source]]\nplugin = "generator"\n[[sink]]\nplugin = "null"\n')
    given = set()
    for source in (REPOSITORY / "plugins").rglob("*.cpp"):
        if "test" in source.relative_to(REPOSITORY).as_posix():
            continue
        text = source.read_text()
        if source.name == "reason.cpp":
            given |= set(re.findall(r'return "([a-z_]+)";', text)) - {"ok", "unknown"}
        given |= set(re.findall(r'reject(?:ed)?\([^"();]*, "([a-z_]+)"', text))
        given |= set(re.findall(r'\breason = "([a-z_]+)"', text))
    assert given >= {"bad_json", "bad_topic", "refused_by_broker", "too_large", "check_violation", "data_error"}
    for reason in sorted(given):
        assert dlq(idle).run("replay", "--reason", reason) == "no dead letters to replay\n"
    said = dlq(idle).run("replay", "--reason", "nonsense", code=2)
    assert said == 'hbagent: no dead letter has the reason "nonsense"; there are none at all\n'


def test_what_a_dead_letter_holds_does_nothing_to_the_terminal(agent, dlq, tmp_path):
    source = tmp_path / "in.jsonl"
    hostile = "\u202e\u0085\u009b2J\u2066"
    source.write_text('{"customer_id":"' + hostile + "\x7f\n")
    letters = dlq(agent(follow(source) + '[[sink]]\nplugin = "null"\n').start())
    letters.wait(1)
    shown = letters.run("show", 1)
    assert shown.endswith('\n\n{"customer_id":"\\u{202E}\\u{0085}\\u{009B}2J\\u{2066}\\u{007F}\n')
    assert letters.letters()[0]["payload"] == '{"customer_id":"' + hostile + "\x7f"


class LocalConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("agent")
        self._path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


def ask(path, method, target, body=None):
    connection = LocalConnection(path)
    connection.request(method, target, body)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_the_control_socket_is_the_owners_and_answers_like_the_endpoint(refusing):
    agent, _ = refusing
    path = agent.data_folder / "control.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    code, text = ask(path, "GET", "/api/v1/status")
    assert code == 200 and json.loads(text)["agent"] == agent.name
    assert ask(path, "GET", "/healthz") == (200, "alive\n")
    assert ask(path, "GET", "/api/v1/dead-letters/replay")[0] == 404
    assert ask(path, "POST", "/api/v1/dead-letters/replay", "no selection")[0] == 400
    assert ask(path, "POST", "/api/v1/status", "")[0] == 405
    # Over TCP nothing can be changed.
    connection = http.client.HTTPConnection("127.0.0.1", agent.http_port)
    connection.request("POST", "/api/v1/dead-letters/replay")
    assert connection.getresponse().status == 405
    assert agent.terminate() == 0
    assert not path.exists()


def test_the_socket_of_a_killed_agent_is_replaced(refusing):
    agent, letters = refusing
    path = agent.data_folder / "control.sock"
    agent.kill()
    assert path.exists()
    assert "3 refused again" in letters.run("replay", code=1)  # without an agent
    agent.start().wait_ready()
    assert ask(path, "GET", "/healthz") == (200, "alive\n")


def test_a_replay_beside_an_agent_without_its_control_socket_says_what_to_do(refusing):
    agent, letters = refusing
    (agent.data_folder / "control.sock").unlink()
    said = letters.run("replay", code=1)
    assert f'data_dir "{agent.data_folder}" is in use, and nobody answers on its control socket: wait if' in said
    assert "another hbagent" not in said
    assert len(letters.letters()) == 3


def test_a_data_dir_of_any_length_has_a_control_socket(agent, dlq, tmp_path):
    folder = tmp_path / ("x" * 60) / ("y" * 120)
    source = tmp_path / "in.jsonl"
    source.write_text("{\n")
    running = agent(f'[agent]\ndata_dir = "{folder}"\n' + follow(source) + '[[sink]]\nplugin = "null"\n').start()
    letters = dlq(running)
    letters.wait(1)
    outcome, text = letters.replay(code=1)
    assert outcome == (0, 1, 1, 0), text
    # By the agent: it alone can use its folder.
    assert running.status()["sources"][0]["dead_lettered"]["bad_json"] == 2
    assert running.terminate() == 0


def test_a_replay_ends_with_a_reload_and_with_a_stop(agent, dlq, tmp_path):
    """Letters for a sink that is away would be waited for."""
    source = tmp_path / "in.jsonl"
    source.write_text(wire("anna", 1, 60) + "\n")
    sinks = f'[[sink]]\nplugin = "postgres"\nhost = "127.0.0.1"\nport = 1\n[[sink]]\nplugin = "file"\npath = "{tmp_path}/o"\n'
    running = agent(follow(source) + sinks).start()
    wait_until(lambda: (tmp_path / "o").exists() and lines_of(tmp_path / "o"), 30, "the agent to run")
    letter = {"id": 1, "time": "2026-01-01T00:00:00.000000Z", "source": "ward", "instance": "sink/postgres",
              "reason": "check_violation", "payload": wire("anna", 1, 60).replace("00Z", "00.000000Z")
              .replace(":01Z", ":01.000000Z")}
    assert running.terminate() == 0
    (running.data_folder / "dead-letters.jsonl").write_text(json.dumps(letter, separators=(",", ":")) + "\n")
    running.start()
    path = running.data_folder / "control.sock"
    selection = json.dumps({"reason": "", "source": "", "ids": []})
    replay = "/api/v1/dead-letters/replay"
    wait_until(lambda: ask(path, "POST", replay, selection)[0] == 202, 30, "the agent to take a replay")
    assert json.loads(ask(path, "GET", replay)[1])["running"]
    assert ask(path, "POST", replay, selection)[0] == 409
    running.reload()
    wait_until(lambda: running.status()["reloads"] == 1, 20, "the reload")
    result = json.loads(ask(path, "GET", replay)[1])
    assert not result["running"] and result["left"] == 1 and "read its configuration" in result["error"]
    wait_until(lambda: ask(path, "POST", replay, selection)[0] == 202, 10, "the agent to take a replay again")
    assert running.terminate(20) == 0
    assert len(dlq(running).letters()) == 1
