"""The configuration that deploy/quickstart.sh runs: a live page and SQLite, without any server."""

import json
import pathlib
import signal
import sqlite3
import subprocess
import urllib.request

from support import agent, processes
from support.waiting import wait_until

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def test_the_quickstart_serves_a_live_page_fills_a_database_and_stops_cleanly(tmp_path):
    config = (REPOSITORY / "config" / "quickstart.toml").read_text()
    status, page = processes.free_port(), processes.free_port()
    for before, port in ((9464, status), (3030, page)):
        assert f'"127.0.0.1:{before}"' in config
        config = config.replace(f"127.0.0.1:{before}", f"127.0.0.1:{port}")
    (tmp_path / "quickstart.toml").write_text(config)
    (tmp_path / ".quickstart").mkdir()

    def snapshot():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{page}/api/v1/snapshot", timeout=5) as answer:
                return json.load(answer)
        except OSError:  # not there yet
            return None

    def is_live():
        now = snapshot()
        # Of the 200 a few may have no contact just then: outliers are part of the show.
        return now and now["totals"]["readings"] > 400 and now["totals"]["active"] >= 190

    with open(tmp_path / "stdout", "w") as output, open(tmp_path / "stderr", "w") as errors:
        process = subprocess.Popen([agent.binary(), "-c", "quickstart.toml"], cwd=tmp_path, stdout=output, stderr=errors)
    try:
        wait_until(is_live, 30, "the live page to show two seconds of all customers")
    finally:
        process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0, (tmp_path / "stderr").read_text()
    assert " customers" in (tmp_path / "stdout").read_text()
    database = sqlite3.connect(tmp_path / ".quickstart" / "heartbeats.db")
    count, customers, lowest, highest = database.execute(
        "SELECT count(*), count(DISTINCT customer_id), min(heart_rate), max(heart_rate) FROM heartbeats").fetchone()
    assert count > 400 and 190 <= customers <= 200 and 1 <= lowest and highest <= 300


def test_the_quickstart_script_reads_both_addresses_out_of_the_configuration():
    lines = (REPOSITORY / "config" / "quickstart.toml").read_text().splitlines()
    assert [line.split()[2] for line in lines if line.startswith("listen")] == ['"127.0.0.1:9464"', '"127.0.0.1:3030"']


def test_the_quickstart_script_names_what_it_does_not_know():
    result = subprocess.run([REPOSITORY / "deploy" / "quickstart.sh", "--fast"], capture_output=True, text=True)
    assert result.returncode != 0 and "--fast" in result.stderr
