"""hbagent journal info | verify | forget | repair, on a journal that a stopped agent has left behind."""

import re
import shutil
import subprocess

import pytest
from support.agent import binary

COUNT = 300_000


def config(tmp_path, sinks):
    return f"""
[agent]
data_dir = "{tmp_path}/data"
[journal]
max_size = "64MiB"
[[source]]
plugin = "generator"
count = {COUNT}
customers = 50
speed = "max"
start = "2026-01-01T00:00:00Z"
{sinks}
"""


def dead(name):
    return f'[[sink]]\nplugin = "postgres"\nname = "{name}"\nhost = "127.0.0.1"\nport = 1\n'


def to_file(path):
    return f'[[sink]]\nplugin = "file"\npath = "{path}"\nname = "file"\n'


def journal(agent, *arguments):
    result = subprocess.run([binary(), "journal", *arguments, "-c", agent.config_path], capture_output=True, text=True,
                            timeout=60)
    return result.returncode, result.stdout + result.stderr


@pytest.fixture
def left_behind(agent, tmp_path):
    """An agent that has stopped: the file sink has everything, the dead one nothing."""
    made = agent(config(tmp_path, to_file(tmp_path / "out.jsonl") + dead("gone"))).start()
    made.wait_log(r"source/generator: finished")
    made.wait_while_running(lambda: made.status()["sinks"][0]["pending"] == 0, 60, "to fill the file")
    assert made.terminate() == 0
    return made


def test_info_says_what_each_sink_has_still_to_deliver(left_behind):
    code, text = journal(left_behind, "info")
    assert code == 0
    assert re.search(r"sink +file: 0 readings to deliver", text)
    assert re.search(r"sink +gone: 300,000 readings to deliver", text)
    assert "positions 0 to 300000" in text
    assert "in use" not in text


def test_verify_names_a_damage_and_the_next_run_passes_it(left_behind, tmp_path, agent):
    assert journal(left_behind, "verify")[0] == 0
    segments = sorted((tmp_path / "data/journal").glob("*.segment"))
    assert len(segments) > 2
    with open(segments[1], "r+b") as segment:
        segment.seek(1_000_000)
        segment.write(b"damaged!")
    code, text = journal(left_behind, "verify")
    assert code == 1
    lost = int(re.search(rf"damaged: {segments[1]} at byte \d+: (\d+) readings", text).group(1))
    assert 0 < lost <= 1024
    again = agent(config(tmp_path, to_file(tmp_path / "out.jsonl")
                         + f'[[sink]]\nplugin = "file"\nname = "gone"\npath = "{tmp_path}/gone.jsonl"\n')
                  .replace(f"count = {COUNT}", "count = 1")).start()
    assert again.wait() == 0
    assert len((tmp_path / "gone.jsonl").read_text().splitlines()) == COUNT + 1 - lost
    assert re.search(rf"damaged: {segments[1]} at byte \d+: readings from position \d+ on are lost", again.log)
    assert re.search(rf"sink/gone: delivered .* dropped {lost:,}, pending 0", again.log)


def test_verify_compares_the_cursors_with_the_segments(left_behind, tmp_path):
    segments = sorted((tmp_path / "data/journal").glob("*.segment"))
    whole = segments[-1].read_bytes()
    with open(segments[-1], "r+b") as newest:
        newest.truncate(8192)
    code, text = journal(left_behind, "verify")
    assert code == 1
    assert re.search(r"sink file: it had come to position 300000, and the journal ends at \d+: its end was cut off", text)
    segments[-1].write_bytes(whole)
    assert journal(left_behind, "verify")[0] == 0
    segments[0].unlink()
    code, text = journal(left_behind, "verify")
    assert code == 1
    assert re.search(r"sink gone: \d+,\d+ readings that it had still to deliver are gone", text)
    assert "sink file" not in text


def test_a_sink_taken_out_of_the_configuration_is_kept_until_it_is_forgotten(left_behind, tmp_path):
    code, text = journal(left_behind, "forget", "gone")
    assert code == 2 and "the configuration still has the sink" in text
    left_behind.configure(config(tmp_path, to_file(tmp_path / "out.jsonl")).replace(f"count = {COUNT}", "count = 1"))
    left_behind.start()
    assert left_behind.wait() == 0
    # The source may have given its reading already.
    assert re.search(r'keeps 30000[01] readings for sink "gone", which the configuration does not have', left_behind.log)
    code, text = journal(left_behind, "forget", "gome")
    assert code == 2 and 'did you mean "gone"?' in text
    code, text = journal(left_behind, "forget", "gone")
    assert code == 0 and 'forgotten: sink "gone", with 300,001 readings' in text
    left_behind.start()
    assert left_behind.wait() == 0
    assert "positions 0" not in journal(left_behind, "info")[1]  # the space is free again


def test_repair_goes_on_without_a_segment_that_is_gone(left_behind, tmp_path, agent):
    segments = sorted((tmp_path / "data/journal").glob("*.segment"))
    segments[1].unlink()
    again = config(tmp_path, to_file(tmp_path / "out.jsonl")
                   + f'[[sink]]\nplugin = "file"\nname = "gone"\npath = "{tmp_path}/gone.jsonl"\n')
    left_behind.configure(again.replace(f"count = {COUNT}", "count = 1"))
    left_behind.start()
    assert left_behind.wait() == 2
    assert "lacks segment 2" in left_behind.log and "hbagent journal repair" in left_behind.log
    assert journal(left_behind, "verify")[0] == 1
    code, text = journal(left_behind, "repair")
    assert code == 0 and "segment 2 was missing" in text
    left_behind.start()
    assert left_behind.wait() == 0
    dropped = int(re.findall(r"sink/gone: delivered .* dropped ([\d,]+),", left_behind.log)[-1].replace(",", ""))
    assert dropped > 10_000
    assert len((tmp_path / "gone.jsonl").read_text().splitlines()) == COUNT + 1 - dropped


def test_commands_that_write_need_a_stopped_agent(agent, tmp_path):
    running = agent(config(tmp_path, to_file(tmp_path / "out.jsonl") + dead("gone"))).start()
    running.wait_log(r"source/generator: finished")
    for command in (["repair"], ["forget", "gone"]):
        code, text = journal(running, *command)
        assert code == 1 and "stop it first" in text
    code, text = journal(running, "info")
    assert code == 0 and "(in use by an agent)" in text


def test_a_journal_whose_segments_are_all_gone_is_not_begun_anew(left_behind, tmp_path):
    folder = tmp_path / "data/journal"
    kept = tmp_path / "kept"
    kept.mkdir()
    for segment in folder.glob("*.segment"):
        segment.rename(kept / segment.name)
    for command in ("repair", "verify"):
        code, text = journal(left_behind, command)
        assert code == 1
        assert f"the journal in {folder} lacks all of its segments" in text and "remove its *.cursor files" in text
        assert "nothing to mend" not in text
    left_behind.configure(config(tmp_path, two_files(tmp_path)).replace(f"count = {COUNT}", "count = 1"))
    for _ in range(2):  # the first try has made none
        left_behind.start()
        assert left_behind.wait() == 2
        assert not list(folder.glob("*.segment"))
    assert left_behind.log.count("lacks all of its segments") == 2
    for segment in kept.iterdir():
        segment.rename(folder / segment.name)
    left_behind.start()
    assert left_behind.wait() == 0
    assert len((tmp_path / "gone.jsonl").read_text().splitlines()) == COUNT + 1


def test_looking_changes_nothing_and_needs_no_right_to_write(left_behind, tmp_path):
    folder = tmp_path / "data/journal"
    (folder / "lock").unlink()
    before = sorted((each.name, each.stat().st_mtime_ns) for each in folder.iterdir())
    mount = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"'
    for command in ("info", "verify"):
        result = subprocess.run(["unshare", "--mount", "--map-root-user", "sh", "-c", mount, "sh", folder, binary(),
                                 "journal", command, "-c", left_behind.config_path], capture_output=True, text=True,
                                timeout=60)
        assert result.returncode == 0, result.stderr
    assert sorted((each.name, each.stat().st_mtime_ns) for each in folder.iterdir()) == before


def two_files(tmp_path):
    return (to_file(tmp_path / "out.jsonl")
            + f'[[sink]]\nplugin = "file"\nname = "gone"\npath = "{tmp_path}/gone.jsonl"\n')


def test_a_journal_that_is_gone_is_told_with_what_it_held(left_behind, tmp_path):
    folder = tmp_path / "data/journal"
    shutil.rmtree(folder)
    code, text = journal(left_behind, "info")
    assert code == 1
    assert f"the journal in {folder} is gone" in text and "300,000 for sink gone" in text
    left_behind.configure(config(tmp_path, two_files(tmp_path)).replace(f"count = {COUNT}", "count = 1"))
    left_behind.start()
    assert left_behind.wait() == 0
    told = rf"error +journal: the last run had readings to deliver in the journal in {folder} \(300,000 for sink gone,"
    assert re.search(told, left_behind.log)
    left_behind.start()
    assert left_behind.wait() == 0
    assert len(re.findall(told, left_behind.log)) <= 1  # nothing waits in the new one
    shutil.rmtree(folder)
    assert "had no readings to deliver" in journal(left_behind, "info")[1]
    left_behind.start()
    assert left_behind.wait() == 0
    assert len(re.findall(told, left_behind.log)) <= 1


def test_a_journal_that_a_killed_agent_left_and_that_is_gone_is_told(agent, tmp_path):
    running = agent(config(tmp_path, dead("gone"))).start()
    running.wait_log(r"source/generator: finished")
    last_run = tmp_path / "data/last-run.json"
    running.wait_while_running(lambda: last_run.exists() and '"pending": 300000' in last_run.read_text(), 30,
                               "to keep its figures")
    running.kill()
    shutil.rmtree(tmp_path / "data/journal")
    again = agent(config(tmp_path, two_files(tmp_path)).replace(f"count = {COUNT}", "count = 1")).start()
    assert again.wait() == 0
    assert "300,000 for sink gone" in again.log


def test_a_first_run_and_one_that_was_in_memory_miss_no_journal(agent, tmp_path):
    text = config(tmp_path, to_file(tmp_path / "out.jsonl")).replace(f"count = {COUNT}", "count = 1")
    memory = text.replace('max_size = "64MiB"', 'mode = "memory"')
    for each in (memory, text):
        made = agent(each).start()
        assert made.wait() == 0
        assert "no journal is there" not in made.log
