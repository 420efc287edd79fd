"""`hbagent audit`: the accounts of a running agent and of its last run, however that ended."""

import json
import os
import pathlib
import pwd
import re
import shutil
import subprocess
import tempfile

import pytest

from support.agent import binary
from support.processes import free_port
from support.waiting import wait_until

NULL = '[[sink]]\nplugin = "null"\n'


def generator(more="", name="one"):
    return f"""
[[source]]
plugin = "generator"
name = "{name}"
customers = 50
start = "2026-01-01T00:00:00Z"
speed = "max"
id_pattern = "{name}_{{:04}}"
{more}
"""


SLOW = generator().replace('speed = "max"', "rate = 5000.0").replace('"2026-01-01T00:00:00Z"', '"now"')


def audit(agent, *arguments, code=0, **options):
    """What `hbagent audit` prints; fails unless it ends with `code`."""
    done = subprocess.run([binary(), "audit", "-c", agent.config_path, *arguments], text=True, capture_output=True,
                          timeout=60, **options)
    assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def last_run(agent):
    return json.loads((agent.data_folder / "last-run.json").read_text())


def spoil(agent, change):
    """Changes the kept figures as if the run had counted something else."""
    figures = last_run(agent)
    change(figures)
    (agent.data_folder / "last-run.json").write_text(json.dumps(figures))


@pytest.fixture
def finished(agent):
    """An agent that has ended by itself after 10,000 readings."""
    run = agent(generator("count = 10_000") + NULL).start()
    assert run.wait() == 0
    return run


def test_a_run_that_finished_is_told_in_one_line_a_source_and_a_sink(finished):
    lines = audit(finished).splitlines()
    assert re.fullmatch(rf'agent "{finished.name}" ran from 20\S+Z to 20\S+Z: finished', lines[0])
    assert lines[1:] == ["source one: received 10,000 = journaled 10,000",
                         "sink null: journaled 10,000 = stored 10,000 + pending 0",
                         "balanced"]
    told = json.loads(audit(finished, "--json"))
    assert told["running"] is False and told["ended"] == "finished" and told["balanced"] is True
    assert told["wrong"] == []
    assert told["sources"][0]["received"] == told["sinks"][0]["delivered"] == 10_000


def test_figures_that_do_not_agree_end_with_code_1_and_both_sides(finished):
    def lose(figures):
        figures["sinks"][0]["delivered"] -= 3
    spoil(finished, lose)
    text = audit(finished, code=1)
    assert "sink null: journaled 10,000 is not stored 9,997 + pending 0\n" in text
    assert "wrong: sink null saw 10,000, but accounts for 9,997: 3 are missing\nnot balanced\n" in text
    told = json.loads(audit(finished, "--json", code=1))
    assert told["balanced"] is False and len(told["wrong"]) == 1


def test_a_running_agent_at_full_speed_is_balanced_whenever_it_is_asked(agent):
    running = agent(generator() + generator("batch_size = 65536", "two") + NULL
                    + '[[sink]]\nplugin = "null"\nname = "other"\nfrom = ["two"]\n'
                    + '[journal]\nmode = "memory"\nmax_size = "4MiB"\n').start().wait_ready()
    received = []
    for _ in range(50):
        told = json.loads(audit(running, "--json"))
        assert told["running"] is True and told["balanced"] is True
        received.append(told["sources"][0]["received"])
    assert received == sorted(received)
    assert len(set(received)) > 10 and received[-1] - received[0] > 500_000, "it stood still"
    assert re.match(rf'agent "{running.name}" runs since 20', audit(running))
    assert running.terminate() == 0
    assert "\nbalanced\n" in audit(running)


def test_a_killed_agent_leaves_figures_that_say_so(agent):
    run = agent(SLOW + NULL).start().wait_ready()
    kept = wait_until(lambda: (figures := last_run(run))["sinks"][0]["delivered"] > 1000 and figures, 30,
                      "figures to be kept")
    run.kill()
    text = audit(run)
    time = re.search(r"ended without a stop; figures of (\S+Z): what came later is not in them\n", text).group(1)
    assert time >= kept["written_at"] and "\nbalanced\n" in text
    assert json.loads(audit(run, "--json"))["ended"] == "without a stop"
    # The next run is another one from its beginning on.
    run.start().wait_ready()
    assert run.terminate() == 0
    text = audit(run)
    assert ": stopped\n" in text and "ended without" not in text


def test_a_run_that_is_told_twice_to_stop_was_aborted(agent, tmp_path):
    run = agent(SLOW + f'[[sink]]\nplugin = "kafka"\nbrokers = "127.0.0.1:{free_port()}"\ntopic = "t"\n').start()
    run.wait_while_running(lambda: run.status()["sources"][0]["received"] > 0, 30, "to read")
    run.stop_at_once()
    assert run.wait() in (0, 1)
    text = audit(run)
    assert ": aborted\n" in text and not text.endswith("pending 0\nbalanced\n") and text.endswith("\nbalanced\n")


def test_reloads_stay_balanced_with_what_they_took_out(agent, tmp_path):
    (tmp_path / "in.jsonl").write_text("no reading\n" * 7)
    file = f'[[source]]\nplugin = "file"\nname = "file"\npath = "{tmp_path}/in.jsonl"\n'
    both = NULL + '[[sink]]\nplugin = "null"\nname = "other"\n'
    running = agent(SLOW + file + both).start().wait_ready()
    wait_until(lambda: running.status()["dead_letters"]["written"] == 7, 30, "the dead letters")
    for times, config in enumerate([SLOW + both, SLOW.replace("_{", "-{") + NULL, SLOW + both + "batch_size = 9"], 1):
        running.configure(config)
        running.reload()
        running.wait_while_running(lambda: running.status()["reloads"] == times, 30, f"to reload, time {times}")
        text = audit(running)
        assert "\nbalanced\n" in text
        wait_until(lambda: last_run(running)["reloads"] == times, 4, "the kept figures to follow at once")
    assert running.terminate() == 0
    figures = last_run(running)
    assert figures["ended_sources"]["dead_lettered"]["bad_json"] == 7
    assert "dead letters: written 7, evicted 0, replayed 0\n" in audit(running)
    figures["ended_sources"]["journaled"] += 1
    spoil(running, lambda all: all["ended_sources"].update(figures["ended_sources"]))
    assert "sources that a reload took out" in audit(running, code=1)


def test_a_replay_leaves_the_accounts_balanced(agent, tmp_path):
    (tmp_path / "in.jsonl").write_text("no reading\n" * 20 + '{"customer_id":"a","time":1700000000,"heart_rate":999}\n')
    running = agent(f'[[source]]\nplugin = "file"\nname = "file"\npath = "{tmp_path}/in.jsonl"\n'
                    + "follow = true\n" + '[[processor]]\nplugin = "validate"\n' + NULL).start().wait_ready()
    wait_until(lambda: running.status()["dead_letters"]["written"] >= 20, 30, "the dead letters")
    for _ in range(3):
        done = subprocess.run([binary(), "dlq", "replay", "-c", running.config_path], capture_output=True, text=True)
        assert done.returncode == 1 and "refused again" in done.stdout
        assert "\nbalanced\n" in audit(running)
    status = running.status()
    assert status["sources"][0]["refused_again"] >= 60
    assert sum(status["sources"][0]["dead_lettered"].values()) > status["dead_letters"]["written"]
    assert running.terminate() == 0
    assert "\nbalanced\n" in audit(running)


def test_nothing_to_audit_says_what_to_do(agent):
    never = agent(generator() + NULL)
    text = audit(never, code=1)
    assert "nothing to audit" in text and str(never.data_folder) in text and "hbagent -c FILE" in text
    assert not never.data_folder.exists()


def test_a_configuration_that_is_wrong_ends_with_code_2(agent):
    run = agent(generator() + NULL)
    run.config_path.write_text("[agent]\ndata_dirr = 1\n")
    assert 'did you mean "data_dir"' in audit(run, code=2)
    assert "--config is required" in subprocess.run([binary(), "audit"], text=True, capture_output=True).stderr
    assert subprocess.run([binary(), "audit", "--nonsense"], capture_output=True).returncode == 2


def test_only_the_agent_section_needs_to_be_right(finished):
    finished.config_path.write_text(finished.config_path.read_text() + '[[sink]]\nplugin = "no-such"\n')
    assert "\nbalanced\n" in audit(finished)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"agent": "a", "sources": 7}', "\x00" * 100, "\x80"])
def test_kept_figures_that_are_damaged_are_named_and_the_next_run_mends_them(finished, content):
    path = finished.data_folder / "last-run.json"
    path.write_bytes(content.encode("latin-1"))
    text = audit(finished, code=1)
    assert f"{path} is damaged (" in text and "the next run writes it anew" in text
    finished.start()
    assert finished.wait() == 0
    assert "\nbalanced\n" in audit(finished)


def test_kept_figures_that_are_no_file_are_an_error(finished):
    path = finished.data_folder / "last-run.json"
    path.unlink()
    path.mkdir()
    assert "last-run.json" in audit(finished, code=1)
    path.rmdir()
    os.mkfifo(path)
    assert "cannot read" in audit(finished, code=1)
    path.unlink()
    path.symlink_to("/etc/passwd")
    assert "last-run.json" in audit(finished, code=1)


def test_a_disk_without_room_for_the_figures_stops_nobody(agent):
    running = agent(SLOW + NULL)
    running.data_folder.mkdir()
    (running.data_folder / "last-run.json").mkdir()  # nothing can be renamed to its place
    running.start().wait_ready()
    running.wait_log("the figures for an audit cannot be kept: .*last-run.json.*trying again")
    assert "\nbalanced\n" in audit(running)
    (running.data_folder / "last-run.json").rmdir()
    wait_until(lambda: last_run(running)["sinks"][0]["delivered"] > 0, 30, "figures to be kept")
    running.wait_log("the figures for an audit are kept again after")
    assert running.terminate() == 0


@pytest.fixture
def as_nobody():
    """Another user, and a folder which that user may look into."""
    if os.geteuid() != 0:
        pytest.skip("only root can be two users")
    folder = pathlib.Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield pwd.getpwnam("nobody"), folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("running", [True, False], ids=["running", "ended"])
def test_another_users_agent_is_an_error_that_says_what_to_do(agent, as_nobody, running):
    nobody, folder = as_nobody
    program = folder / "hbagent"
    shutil.copy(binary(), program)
    theirs = agent(generator('count = 10' if not running else "") + NULL
                   + f'[agent]\ndata_dir = "{folder}/data"\n')
    theirs.start()
    if running:
        theirs.wait_ready()
    else:
        assert theirs.wait() == 0
    config = folder / "agent.toml"
    config.write_text(theirs.config_path.read_text())
    config.chmod(0o644)
    (folder / "data").chmod(0o755)
    done = subprocess.run([program, "audit", "-c", config], text=True, capture_output=True, user=nobody.pw_uid,
                          group=nobody.pw_gid, cwd=folder)
    assert done.returncode == 1, done
    assert "ermission denied: run this as the agent's user" in done.stderr
    if running:
        assert theirs.terminate() == 0, theirs.log_tail()  # before its folder goes
