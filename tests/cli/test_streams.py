"""Standard streams that are closed, or whose reader goes away."""

import os
import subprocess

from support import agent

CONFIG = """
[agent]
data_dir = "{data}"
[[source]]
plugin = "generator"
customers = 1000
count = 500
[[sink]]
plugin = "file"
path = "-"
"""


def closed(streams, *arguments):
    """The agent's command with those standard streams closed."""
    quoted = " ".join(f'"{argument}"' for argument in (agent.binary(), *arguments))
    return subprocess.run(["/bin/sh", "-c", f"exec {streams}; exec {quoted}"], capture_output=True, text=True, timeout=30)


def test_nothing_is_written_into_files_that_took_a_closed_streams_number(tmp_path):
    config = tmp_path / "agent.toml"
    config.write_text(CONFIG.format(data=tmp_path / "data"))
    assert closed("0<&- 1>&- 2>&-", "-c", config).returncode == 1
    assert (tmp_path / "data" / "lock").read_text() == ""
    assert (tmp_path / "data" / "dead-letters.jsonl").read_text() == ""


def test_what_goes_to_a_closed_standard_output_is_not_delivered(tmp_path):
    config = tmp_path / "agent.toml"
    config.write_text(CONFIG.format(data=tmp_path / "data"))
    ran = closed("1>&-", "-c", config)
    assert ran.returncode == 1
    assert "sink/file: failed: cannot write standard output: Bad file descriptor" in ran.stderr
    assert "sink/file: delivered 0 " in ran.stderr


def test_a_closed_standard_error_ends_no_agent(tmp_path):
    config = tmp_path / "agent.toml"
    config.write_text(CONFIG.format(data=tmp_path / "data"))
    ran = closed("2>&-", "-c", config)
    assert ran.returncode == 0
    assert len(ran.stdout.splitlines()) == 500
    config.write_text("no TOML")
    assert closed("2>&-", "check", "-c", config).returncode == 2


def test_a_reader_that_goes_away_ends_the_agent(tmp_path):
    config = tmp_path / "agent.toml"
    config.write_text(CONFIG.format(data=tmp_path / "data").replace("count = 500\n", ""))
    reader, writer = os.pipe()
    process = subprocess.Popen([agent.binary(), "-c", config], stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    os.read(reader, 1)
    os.close(reader)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "standard output was closed by its reader" in errors


def test_check_finds_what_run_would_refuse(tmp_path):
    config = tmp_path / "agent.toml"
    config.write_text(CONFIG.format(data=tmp_path / "data") + '[http]\nlisten = "127.0.0.1:99999"\n')
    result = subprocess.run([agent.binary(), "check", "-c", config], capture_output=True, text=True)
    assert result.returncode == 2
    assert ":12:10: [http] listen = " in result.stderr
