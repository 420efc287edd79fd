"""SIGHUP: another configuration without a restart, with nothing lost and nothing doubled."""

import json
import re

from support.waiting import wait_until

def source(name="one", rate=2000.0, seed=1):
    return f"""
[[source]]
plugin = "generator"
name = "{name}"
customers = 50
rate = {rate}
seed = {seed}
id_pattern = "{name}_{{:04}}"
"""


def sink(tmp_path, name, more=""):
    return f'[[sink]]\nplugin = "file"\nname = "{name}"\npath = "{tmp_path}/{name}.jsonl"\n{more}\n'


def readings(tmp_path, name):
    path = tmp_path / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def keys(tmp_path, name, customer=""):
    return [(each["customer_id"], each["time"]) for each in readings(tmp_path, name)
            if each["customer_id"].startswith(customer)]


def reloaded(agent, config, times):
    agent.configure(config)
    agent.reload()
    agent.wait_while_running(lambda: agent.status()["reloads"] == times, 30, f"to reload, time {times}")


def test_what_is_the_same_goes_on_untouched(agent, tmp_path):
    both = source() + sink(tmp_path, "kept") + sink(tmp_path, "changed")
    running = agent(both).start().wait_ready()
    reloaded(running, source() + sink(tmp_path, "kept") + sink(tmp_path, "changed", "batch_size = 7")
             + sink(tmp_path, "added"), 1)
    running.wait_log('agent: reloaded agent.toml: sink "changed" restarted, sink "added" added; 2 unchanged\n')
    wait_until(lambda: len(keys(tmp_path, "added")) > 100, 30, "the new sink to get readings")
    assert running.terminate() == 0
    every = keys(tmp_path, "kept")
    assert len(set(every)) == len(every)
    assert keys(tmp_path, "changed") == every
    assert set(keys(tmp_path, "added")) <= set(every)
    assert len(re.findall("connected|up again", running.log)) == 0


def test_many_reloads_under_load_lose_and_double_nothing(agent, tmp_path):
    rounds = 20
    running = agent(source(rate=20000.0) + sink(tmp_path, "kept") + sink(tmp_path, "changed")).start().wait_ready()
    for number in range(1, rounds + 1):
        reloaded(running, source(rate=20000.0) + sink(tmp_path, "kept")
                 + sink(tmp_path, "changed", f"batch_size = {100 + number}")
                 + (sink(tmp_path, "now_and_then") if number % 2 else ""), number)
    assert running.terminate() == 0, running.log_tail()
    every = keys(tmp_path, "kept")
    assert len(every) > 10_000
    assert len(set(every)) == len(every)
    changed = keys(tmp_path, "changed")
    assert len(changed) == len(set(changed)), "doubled"
    assert changed == every
    status = running.log
    assert "damaged" not in status and "dropped 0" in status


def test_a_source_that_is_taken_out_and_one_that_comes(agent, tmp_path):
    running = agent(source("one") + sink(tmp_path, "all")).start().wait_ready()
    wait_until(lambda: len(keys(tmp_path, "all")) > 100, 30, "the first source to emit")
    reloaded(running, source("two", seed=2) + sink(tmp_path, "all"), 1)
    running.wait_log('agent: reloaded agent.toml: source "two" added, source "one" ended; 1 unchanged\n')
    wait_until(lambda: len(keys(tmp_path, "all", "two")) > 100, 30, "the second source to emit")
    whose = [customer[:3] for customer, _ in keys(tmp_path, "all")]
    assert whose == sorted(whose), "the first source went on beside the second"
    assert [each["name"] for each in running.status()["sources"]] == ["two"]
    assert running.terminate() == 0


def test_a_wrong_configuration_changes_nothing(agent, tmp_path):
    running = agent(source() + sink(tmp_path, "kept")).start().wait_ready()
    for wrong, told in (("[[sink]]\nplugin = \"fill\"\n", 'did you mean "file"'),
                        ("this is no TOML", "not valid TOML"),
                        ('[journal]\nmax_size = "2GiB"\n', "cannot change while the agent runs: restart it")):
        running.configure(source() + sink(tmp_path, "kept") + wrong)
        running.reload()
        running.wait_log(told)
    wait_until(lambda: running.log.count("not reloaded: the configuration as it was goes on") == 3, 30, "three refusals")
    count = len(keys(tmp_path, "kept"))
    wait_until(lambda: len(keys(tmp_path, "kept")) > count, 30, "the old one to go on")
    assert running.is_ready()
    assert running.terminate() == 0


def test_only_what_cannot_change_is_named(agent, tmp_path):
    running = agent(source() + sink(tmp_path, "kept")).start().wait_ready()
    running.configure(source() + sink(tmp_path, "kept") + f'[agent]\ndata_dir = "{tmp_path}/another"\n')
    running.reload()
    running.wait_log("not reloaded: the configuration as it was goes on")
    assert re.findall(r"(\S+ ?\S*) cannot change", running.log) == ["[agent] data_dir"]
    running.configure(source() + sink(tmp_path, "kept") + f'[journal]\npath = "{tmp_path}/another"\n')
    running.reload()
    running.wait_log(r"\[journal\] cannot change while the agent runs: restart it")
    assert running.terminate() == 0


def test_a_dead_sink_that_is_taken_out_keeps_nobody_and_nothing_is_lost(agent, tmp_path):
    dead = '[[sink]]\nplugin = "postgres"\nname = "dead"\nhost = "127.0.0.1"\nport = 1\n'
    more = f'[agent]\ndata_dir = "{tmp_path}/data"\nshutdown_timeout = "1h"\n'
    running = agent(source() + sink(tmp_path, "kept") + dead + more).start()
    wait_until(lambda: len(keys(tmp_path, "kept")) > 100, 30, "the pipeline to run")
    running.wait_log("sink/dead: .*trying again")
    reloaded(running, source() + sink(tmp_path, "kept") + more, 1)
    running.wait_log(r'agent: reloaded agent.toml: sink "dead" ended \([\d,]+ readings wait for it\); 2 unchanged\n')
    running.wait_log(r'keeps \d+ readings for sink "dead", which the configuration does not have')
    # Back under its name as another plugin: it gets everything, from the first reading on.
    reloaded(running, source() + sink(tmp_path, "kept") + sink(tmp_path, "dead") + more, 2)
    wait_until(lambda: len(keys(tmp_path, "dead")) > 200, 30, "the sink to catch up")
    assert running.terminate() == 0
    assert keys(tmp_path, "dead") == keys(tmp_path, "kept")


def test_a_sink_that_the_journal_has_no_place_for_fails_alone(agent, tmp_path):
    running = agent(source("one") + sink(tmp_path, "kept")).start().wait_ready()
    (running.data_folder / "journal/added.cursor").mkdir()
    reloaded(running, source("two", seed=2) + sink(tmp_path, "kept") + sink(tmp_path, "added"), 1)
    running.wait_log(r"sink/added: failed: cannot open \S+/added.cursor")
    wait_until(lambda: len(keys(tmp_path, "kept", "two")) > 100, 30, "the new source to emit")
    assert "sink added" in running.get("/readyz")[1]
    (running.data_folder / "journal/added.cursor").rmdir()
    reloaded(running, source("two", seed=2) + sink(tmp_path, "kept") + sink(tmp_path, "added"), 2)
    wait_until(lambda: len(keys(tmp_path, "added")) > 100, 30, "the sink to get its second chance")
    (running.data_folder / "journal/more.cursor").mkdir()
    reloaded(running, source("two", seed=2) + sink(tmp_path, "kept") + sink(tmp_path, "more"), 3)
    assert running.terminate() == 1, running.log_tail()
    assert keys(tmp_path, "kept", "two")


def test_other_processors_restart_every_source(agent, tmp_path):
    running = agent(source() + sink(tmp_path, "kept")).start().wait_ready()
    reloaded(running, source() + sink(tmp_path, "kept") + '[[processor]]\nplugin = "validate"\n', 1)
    running.wait_log('agent: reloaded agent.toml: processors changed, source "one" restarted; 1 unchanged\n')
    reloaded(running, source() + sink(tmp_path, "kept") + '[[processor]]\nplugin = "validate"\n', 2)
    running.wait_log('agent: reloaded agent.toml: 2 unchanged\n')
    assert running.terminate() == 0


def test_in_memory_a_sink_that_is_down_has_its_time_to_come_back(agent, tmp_path):
    folder = tmp_path / "late"
    folder.touch()  # in the place of a folder: the sink cannot open its file
    common = (source() + sink(tmp_path, "kept")
              + f'[agent]\ndata_dir = "{tmp_path}/data"\nshutdown_timeout = "1h"\n[journal]\nmode = "memory"\n')
    running = agent(common + sink(folder, "late", 'retry_max = "100ms"')).start()
    running.wait_log("sink/late: .*trying again")
    wait_until(lambda: len(keys(tmp_path, "kept")) > 100, 30, "readings that the sink has not had")
    running.configure(common)
    running.reload()
    running.wait_log("SIGHUP")
    wait_until(lambda: len(running.status()["sinks"]) == 1, 30, "the reload to be under way")
    folder.unlink()
    folder.mkdir()
    wait_until(lambda: running.status()["reloads"] == 1, 30, "the reload to end")
    assert running.terminate() == 0
    late, kept = keys(folder, "late"), keys(tmp_path, "kept")
    assert len(late) > 100 and late == kept[:len(late)]
    assert "had not delivered" not in running.log


def test_the_endpoint_moves_with_the_configuration(agent, tmp_path):
    running = agent(source() + sink(tmp_path, "kept")).start().wait_ready()
    old = running.http_port
    running.http_port = None
    reloaded(running, source() + sink(tmp_path, "kept"), 1)
    assert running.http_port != old
    assert running.is_ready()
    assert running.terminate() == 0
