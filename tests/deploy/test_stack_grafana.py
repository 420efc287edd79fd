"""deploy/stack.sh and Grafana, which not everybody has.

Everything but Grafana itself is real: a stand-in takes its place which writes down how it was called and answers
/api/health, as there is no Grafana to be had on a build machine.
"""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import psycopg2
import pytest

from support.processes import free_port
from support.servers import REPOSITORY

STAND_IN = """#!/usr/bin/python3
import http.server, json, os, sys
json.dump({"arguments": sys.argv[1:], "environment": dict(os.environ), "folder": os.getcwd()}, open("called.json", "w"))

class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/api/health" else 404)
        self.end_headers()

address = os.environ["GF_SERVER_HTTP_ADDR"], int(os.environ["GF_SERVER_HTTP_PORT"])
http.server.HTTPServer(address, Health).serve_forever()
"""


class Stack:
    def __init__(self):
        # Not pytest's tmp_path: PostgreSQL runs as another user when the tests run as root, and must get through.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hbagent-stack-"))
        self.folder.chmod(0o755)
        self.home = self.folder / "grafana"
        self.port, self.postgres_port = free_port(), free_port()
        self.variables = {"HBAGENT_STACK_DIR": str(self.folder / "stack"), "HBAGENT_GRAFANA_PORT": str(self.port),
                          "HBAGENT_POSTGRES_PORT": str(self.postgres_port),
                          "HBAGENT_MOSQUITTO_PORT": str(free_port())}

    def install(self, name="grafana"):
        (self.home / "bin").mkdir(parents=True)
        (self.home / "conf").mkdir()
        program = self.home / "bin" / name
        program.write_text(STAND_IN)
        program.chmod(0o755)

    def run(self, *arguments, **variables):
        environment = {name: value for name, value in os.environ.items() if name != "HBAGENT_GRAFANA"}
        return subprocess.run([REPOSITORY / "deploy/stack.sh", *arguments], capture_output=True, text=True, timeout=120,
                              env={**environment, **self.variables, **variables})

    def called(self):
        return json.loads((self.folder / "stack/grafana/called.json").read_text())


@pytest.fixture
def stack():
    made = Stack()
    yield made
    made.run("down")
    shutil.rmtree(made.folder)


@pytest.fixture
def no_grafana_on_the_path():
    if shutil.which("grafana") or shutil.which("grafana-server", path=os.environ["PATH"] + ":/usr/sbin"):
        pytest.skip("there is a Grafana on this machine")


def test_a_named_grafana_is_started_on_its_port_with_the_provisioning(stack):
    stack.install()
    shown = stack.run("up", "postgres", "grafana", HBAGENT_GRAFANA=str(stack.home))
    assert shown.returncode == 0, shown.stderr
    assert f"grafana    running  127.0.0.1:{stack.port}  " in shown.stdout
    assert f"http://127.0.0.1:{stack.port}/d/hbagent-heart-rates" in shown.stdout
    called = stack.called()
    assert called["arguments"] == ["server", "--homepath", str(stack.home)]
    environment = called["environment"]
    assert environment["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
    assert environment["GF_DASHBOARDS_MIN_REFRESH_INTERVAL"] == "1s"
    assert environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert environment["HBAGENT_GRAFANA_DB"] == f"127.0.0.1:{stack.postgres_port}"
    assert (pathlib.Path(environment["GF_PATHS_PROVISIONING"]) / "datasources/hbagent.yaml").exists()
    assert (pathlib.Path(environment["GF_PATHS_DATA"]) / "dashboards/heart-rates.json").exists()
    assert pathlib.Path(environment["GF_PATHS_DATA"]).is_relative_to(stack.folder / "stack")
    # What it was told is enough to log in, and to read.
    with psycopg2.connect(f"postgresql://grafana:{environment['GRAFANA_DB_PASSWORD']}@"
                          f"{environment['HBAGENT_GRAFANA_DB']}/heartbeat_db") as connection:
        with connection.cursor() as cursor:
            cursor.execute("SHOW transaction_read_only")
            assert cursor.fetchone() == ("on",)
    connection.close()
    assert stack.run("status", "grafana").returncode == 0
    assert stack.run("down").returncode == 0
    assert "stopped" in stack.run("status", "grafana").stdout


def test_an_older_grafana_on_the_path_is_started_by_its_own_name(stack):
    stack.install("grafana-server")
    path = f"{stack.home}/bin:{os.environ['PATH']}"
    shown = stack.run("up", "postgres", "grafana", PATH=path)
    assert shown.returncode == 0, shown.stderr
    assert stack.called()["arguments"] == ["--homepath", str(stack.home)]
    # With one on the PATH it is one of the default services.
    assert "grafana    running" in stack.run("status", PATH=path).stdout
    # What was found before and runs still is stopped, found or not.
    assert "Stopping grafana" in stack.run("down").stdout


def test_without_postgres_its_start_is_no_success(stack):
    stack.install()
    shown = stack.run("up", "grafana", HBAGENT_GRAFANA=str(stack.home))
    assert shown.returncode == 1
    assert f"grafana reads PostgreSQL, which does not answer on port {stack.postgres_port}" in shown.stderr


def test_asked_for_where_there_is_none_nothing_starts_and_the_way_to_one_is_shown(stack, no_grafana_on_the_path):
    for variables in ({}, {"HBAGENT_GRAFANA": str(stack.folder / "nowhere")}):
        shown = stack.run("up", "postgres", "grafana", **variables)
        assert shown.returncode == 1
        assert "https://grafana.com/grafana/download" in shown.stderr
        assert "HBAGENT_GRAFANA=FOLDER deploy/stack.sh up postgres grafana" in shown.stderr
        assert not list((stack.folder / "stack").glob("*.pid"))


def test_by_default_the_rest_starts_without_it_and_the_way_to_one_is_shown(stack, no_grafana_on_the_path):
    shown = stack.run("up", HBAGENT_KAFKA_PORT=str(free_port()), HBAGENT_KAFKA_CONTROLLER_PORT=str(free_port()))
    assert shown.returncode == 0, shown.stderr
    assert "https://grafana.com/grafana/download" in shown.stdout
    status = stack.run("status")
    assert status.returncode == 0
    assert "grafana" not in status.stdout


def test_its_port_is_checked_like_the_others(stack):
    stack.install()
    shown = stack.run("up", "grafana", HBAGENT_GRAFANA=str(stack.home), HBAGENT_GRAFANA_PORT="none")
    assert shown.returncode == 1
    assert 'HBAGENT_GRAFANA_PORT="none" is no port' in shown.stderr
