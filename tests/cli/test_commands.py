"""What the commands print and with which code they end."""

import errno
import json
import os
import re
import shutil
import subprocess

import pytest

from support.agent import binary
from support.processes import free_port

SOUND = '[[source]]\nplugin = "generator"\n[[sink]]\nplugin = "null"\n'


def hbagent(*arguments, **environment):
    return subprocess.run([binary(), *arguments], text=True, capture_output=True, timeout=60,
                          env={**os.environ, **environment})


@pytest.fixture
def config(tmp_path):
    """Writes a configuration and returns its path."""
    def write(text):
        path = tmp_path / "agent.toml"
        path.write_text(f'[agent]\ndata_dir = "{tmp_path}/data"\n' + text)
        return path
    return write


def test_version_names_the_abi_and_the_plugin_folders(tmp_path):
    shown = hbagent("--version", "--plugin-dir", tmp_path, HBAGENT_PLUGIN_PATH="/opt/one:/opt/two")
    assert shown.returncode == 0 and shown.stderr == ""
    lines = shown.stdout.splitlines()
    assert re.fullmatch(r"hbagent \d+\.\d+\.\d+", lines[0])
    assert lines[1] == "plugin ABI 1.0"
    folders = lines[2].removeprefix("plugin folders: ").split(", ")
    own = binary().resolve().parents[1] / "lib/hbagent/plugins"
    assert folders[:4] == [str(tmp_path), "/opt/one", "/opt/two", str(own)]


@pytest.mark.parametrize("command", [[], ["check"], ["decode"], ["plugins"], ["init"], ["dlq"], ["dlq", "replay"]],
                         ids=lambda words: " ".join(words) or "none")
def test_help_goes_to_standard_output(command):
    shown = hbagent(*command, "--help")
    assert shown.returncode == 0 and shown.stderr == ""
    assert "Usage: hbagent" in shown.stdout


@pytest.mark.parametrize(("arguments", "message"), [
    ([], "-c FILE"),
    (["frobnicate"], "frobnicate"),
    (["--frobnicate"], "--frobnicate"),
    (["-c"], "--config"),
    (["check"], "--config is required"),
    (["init"], "PLUGIN is required"),
    (["-c", "agent.toml", "--log-level", "loud"], "loud"),
    (["-c", "/no/such/agent.toml"], "/no/such/agent.toml: cannot be read: No such file or directory"),
    (["check", "-c", "/no/such/agent.toml"], "/no/such/agent.toml: cannot be read: No such file or directory"),
    (["-c", "/"], "/: is a folder"),
    (["check", "-c", "/dev/zero"], "/dev/zero: is longer than 1048576 bytes, which no configuration is"),
    (["plugins", "generater"], 'there is no plugin "generater"; did you mean "generator"?'),
    (["plugins", "sink:generator"], 'has no sink "generator"; it offers: source "generator"'),
    (["init", "generater"], 'did you mean "generator"?'),
    (["init", "file"], "name it source:file or sink:file"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else None)
def test_wrong_usage_ends_with_2_and_says_why_on_standard_error(arguments, message):
    shown = hbagent(*arguments)
    assert shown.returncode == 2
    assert shown.stdout == ""
    assert message in shown.stderr


def test_check_of_a_sound_configuration_touches_nothing(config, tmp_path):
    path = config(SOUND)
    checked = hbagent("check", "-c", path)
    assert checked.returncode == 0 and checked.stderr == ""
    assert checked.stdout == f"{path}: good: 1 source(s), 0 processor(s), 1 sink(s)\n"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("command", [["check", "-c"], ["-c"]], ids=["check", "run"])
def test_every_problem_of_a_configuration_is_shown_at_once(command, config, tmp_path):
    path = config("""
[jurnal]
[[source]]
plugin = "generator"
customer = 5
rate = -1.0
[[source]]
plugin = "genrator"
[[sink]]
plugin = "null"
from = ["generatr"]
batch_timeout = "soon"
""")
    shown = hbagent(*command, path)
    assert shown.returncode == 2 and shown.stdout == ""
    problems = {}
    for line in shown.stderr.splitlines():
        where = re.match(rf"{re.escape(str(path))}:(\d+):\d+: (.+)", line)
        assert where, line
        problems[int(where.group(1))] = where.group(2)
    assert 'unknown key "jurnal"; did you mean "journal"?' in problems[4]
    assert 'did you mean "customers"?' in problems[7]
    assert '"rate" is out of range: found' in problems[8]
    assert 'did you mean "generator"?' in problems[10]
    assert 'names "generatr", which is no source; did you mean "generator"?' in problems[11]
    assert '"batch_timeout" must be a duration such as "250ms"' in problems[14]
    assert len(problems) == 6
    assert not (tmp_path / "data").exists()


def test_check_finds_a_path_that_is_no_file(config, tmp_path):
    path = config(f'[[source]]\nplugin = "file"\npath = "{tmp_path}"\n[[sink]]\nplugin = "null"\n')
    checked = hbagent("check", "-c", path)
    assert checked.returncode == 2 and checked.stdout == ""
    assert checked.stderr == (f'{path}:5:8: source/file: path = "{tmp_path}" is a folder: name a file in it, or all of '
                              f'them by a pattern such as "{tmp_path}/*.csv"\n')


def test_check_connect_opens_every_instance(config, tmp_path):
    path = config(SOUND + f'[[sink]]\nplugin = "file"\npath = "{tmp_path}/readings.csv"\n')
    checked = hbagent("check", "-c", path, "--connect")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout.splitlines()[:3] == ["source/generator: connected", "sink/null: connected",
                                               "sink/file: connected"]
    assert checked.stdout.endswith(": good: 1 source(s), 0 processor(s), 2 sink(s), all connected\n")


def test_check_connect_to_a_closed_port_ends_with_1_and_says_who_and_why(config):
    port = free_port()
    checked = hbagent("check", "--connect", "-c",
                      config(SOUND + f'[[sink]]\nplugin = "postgres"\nhost = "127.0.0.1"\nport = {port}\n'))
    assert checked.returncode == 1
    assert "sink/null: connected" in checked.stdout
    assert re.search(rf"^sink/postgres: cannot connect: .*{port}.*Connection refused", checked.stdout, re.MULTILINE)
    assert "good" not in checked.stdout


def test_plugins_are_listed_and_documented():
    listing = hbagent("plugins")
    assert listing.returncode == 0
    assert re.search(r"^source +generator +\S", listing.stdout, re.MULTILINE)
    both = hbagent("plugins", "file")
    assert both.returncode == 0
    assert re.findall(r'^(\w+) "file" ', both.stdout, re.MULTILINE) == ["source", "sink"]
    assert '[[sink]]\nplugin = "file"' in both.stdout
    one = hbagent("plugins", "sink:file")
    assert re.findall(r'^(\w+) "file" ', one.stdout, re.MULTILINE) == ["sink"]


def test_the_word_behind_a_plugin_folder_is_a_plugin(tmp_path):
    one = hbagent("plugins", "--plugin-dir", tmp_path, "null")
    assert one.returncode == 0 and one.stdout.startswith('sink "null"')
    two = hbagent("init", "--plugin-dir", tmp_path, "generator", "null")
    assert re.findall(r'^plugin = "(\w+)"', two.stdout, re.MULTILINE) == ["generator", "null"]


def test_a_broken_library_does_not_hide_the_others(tmp_path):
    (tmp_path / "broken.so").write_text("no library")
    listing = hbagent("plugins", "--plugin-dir", tmp_path)
    assert listing.returncode == 1
    assert f"plugin library {tmp_path}/broken.so: cannot be loaded" in listing.stderr
    assert "generator" in listing.stdout


def test_init_prints_what_runs(config, tmp_path):
    sample = hbagent("init", "generator", "null")
    assert sample.returncode == 0 and sample.stderr == ""
    path = tmp_path / "agent.toml"
    path.write_text(sample.stdout.replace("/var/lib/hbagent", f"{tmp_path}/data").replace(":9464", f":{free_port()}")
                    .replace("# count = 0", "count = 1000").replace('# speed = "realtime"', 'speed = "max"'))
    ran = hbagent("--log-format", "json", "-c", path)
    assert ran.returncode == 0, ran.stderr
    messages = [json.loads(line)["message"] for line in ran.stderr.splitlines()]
    assert any("delivered 1,000" in message for message in messages)


def test_check_reads_a_pipe(config):
    text = config(SOUND).read_text()
    checked = subprocess.run([binary(), "check", "-c", "/dev/stdin"], input=text, text=True, capture_output=True,
                             timeout=60)
    assert checked.returncode == 0, checked.stderr
    assert "good: 1 source(s)" in checked.stdout


@pytest.mark.parametrize(("name", "choice"), [('""', "there is none with a name"), ('"b"', "sources: b")],
                         ids=["none", "one"])
def test_only_sources_with_a_name_are_offered(config, name, choice):
    path = config(f'[[source]]\nplugin = "generator"\nname = ""\n[[source]]\nplugin = "generator"\nname = {name}\n'
                  '[[sink]]\nplugin = "null"\nfrom = ["zzz"]\n')
    checked = hbagent("check", "-c", path)
    assert checked.returncode == 2
    offered = [line for line in checked.stderr.splitlines() if '"from" names "zzz"' in line]
    assert len(offered) == 1 and offered[0].endswith(f'which is no source; {choice}'), checked.stderr


def without_rights(*arguments):
    """As a user whom file modes bind, also where the tests run as root."""
    drop = []
    if os.geteuid() == 0:
        drop = [shutil.which("setpriv"), "--bounding-set", "-dac_override,-dac_read_search"]
    return subprocess.run([*drop, binary(), *arguments], text=True, capture_output=True, timeout=60)


@pytest.mark.parametrize("command", [["check", "-c"], ["-c"]], ids=["check", "run"])
@pytest.mark.parametrize("there", [True, False], ids=["there", "not_there"])
def test_a_data_dir_that_may_not_be_written_to_is_found(config, tmp_path, command, there):
    path = config(SOUND)
    folder = tmp_path / "data"
    bound = folder if there else tmp_path
    folder.mkdir(exist_ok=True)
    if not there:
        folder.rmdir()
    bound.chmod(0o555)
    try:
        shown = without_rights(*command, path)
    finally:
        bound.chmod(0o755)
    assert shown.returncode == 2 and shown.stdout == ""
    assert f'data_dir "{folder}" cannot be used: ' in shown.stderr
    assert "Permission denied" in shown.stderr
    assert "set data_dir in [agent] to a folder that this user may write to" in shown.stderr


def test_check_finds_a_data_dir_that_is_a_file(config, tmp_path):
    path = config(SOUND)
    (tmp_path / "data").write_text("")
    checked = hbagent("check", "-c", path)
    assert checked.returncode == 2
    assert f'cannot write to {tmp_path}/data: Not a directory' in checked.stderr


def test_advice_fits_the_error(config, tmp_path):
    path = config(SOUND)
    (tmp_path / "data/journal/null.cursor").mkdir(parents=True)
    shown = hbagent("-c", path)
    assert shown.returncode == 2
    assert "null.cursor: Is a directory; a folder has the name of a file there: move it away" in shown.stderr
    assert "may write to" not in shown.stderr


@pytest.fixture
def letter(config, tmp_path):
    """A stopped agent's configuration; it has a journal and a dead letter."""
    path = config(SOUND.replace('"generator"', '"generator"\ncount = 10\nspeed = "max"'))
    assert hbagent("-c", path).returncode == 0
    (tmp_path / "data/dead-letters.jsonl").write_text(
        '{"id":1,"time":"2026-01-01T00:00:00.000000Z","source":"generator","instance":"source/generator",'
        '"reason":"bad_json","payload":"{"}\n')
    return path


@pytest.mark.parametrize("command", [
    ["plugins"], ["plugins", "file"], ["plugins", "file", "--markdown"], ["--version"], ["--help"], ["init", "source:kafka"],
    ["check", "-c"], ["journal", "info", "-c"], ["journal", "verify", "-c"], ["dlq", "list", "-c"],
    ["dlq", "list", "--json", "-c"], ["dlq", "show", "1", "-c"], ["audit", "-c"], ["audit", "--json", "-c"],
], ids=" ".join)
@pytest.mark.parametrize("why", [errno.ENOSPC, errno.EBADF], ids=["full", "closed"])
def test_what_standard_output_does_not_take_is_a_failure(letter, command, why):
    arguments = [str(binary()), *command, *([str(letter)] if command[-1] == "-c" else [])]
    end = ">/dev/full" if why == errno.ENOSPC else ">&-"
    shown = subprocess.run(["/bin/sh", "-c", f'exec "$@" {end}', "sh", *arguments], text=True, stderr=subprocess.PIPE,
                           timeout=60)
    assert shown.returncode == 1
    assert shown.stderr == f"hbagent: cannot write to standard output: {os.strerror(why)}\n"
