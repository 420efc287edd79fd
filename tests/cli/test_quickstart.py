"""The configuration that deploy/quickstart.sh runs: readings in a file and a live line, without any server."""

import json
import pathlib
import re
import signal
import subprocess

from support import agent, processes
from support.waiting import wait_until

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def test_the_quickstart_fills_a_file_shows_a_line_a_second_and_stops_cleanly(tmp_path):
    config = (REPOSITORY / "config" / "quickstart.toml").read_text()
    assert '"127.0.0.1:9464"' in config
    (tmp_path / "quickstart.toml").write_text(config.replace("9464", str(processes.free_port())))
    (tmp_path / ".quickstart").mkdir()
    with open(tmp_path / "stdout", "w") as output, open(tmp_path / "stderr", "w") as errors:
        process = subprocess.Popen([agent.binary(), "-c", "quickstart.toml"], cwd=tmp_path, stdout=output, stderr=errors)
    try:
        lines = tmp_path / "stdout"
        wait_until(lambda: len(lines.read_text().splitlines()) >= 3, 30, "three lines about the stream")
    finally:
        process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0, (tmp_path / "stderr").read_text()
    # Of the 200 a few may have no contact just then: outliers are part of the show.
    customers = [int(number) for number in re.findall(r"readings/s .* (\d+) customers", lines.read_text())]
    assert customers and 190 <= max(customers) <= 200
    readings = [json.loads(line) for line in (tmp_path / ".quickstart" / "readings.jsonl").read_text().splitlines()]
    assert len(readings) > 200
    assert {reading["customer_id"] for reading in readings} <= {f"cust_{number:05}" for number in range(200)}
    assert all(1 <= reading["heart_rate"] <= 300 for reading in readings)


def test_the_quickstart_script_names_what_it_does_not_know():
    result = subprocess.run([REPOSITORY / "deploy" / "quickstart.sh", "--fast"], capture_output=True, text=True)
    assert result.returncode != 0 and "--fast" in result.stderr
