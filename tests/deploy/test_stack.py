"""deploy/stack.sh: ports that cannot be used are named, all of them, before anything is fetched, started or stopped."""

import os
import pathlib
import shutil
import socket
import subprocess
import tempfile

import pytest

from support.processes import free_port
from support.servers import REPOSITORY

VARIABLES = ("HBAGENT_KAFKA_PORT", "HBAGENT_KAFKA_CONTROLLER_PORT", "HBAGENT_POSTGRES_PORT", "HBAGENT_MOSQUITTO_PORT")
UNPRIVILEGED = int(pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())


class Stack:
    """A stack with a folder and free ports of its own."""

    def __init__(self):
        # Not pytest's tmp_path: servers run as other users when the tests run as root, and must get through.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hbagent-stack-"))
        self.folder.chmod(0o755)
        self.cache = self.folder / "kafka-cache"
        self.ports = dict(zip(VARIABLES, free_ports(len(VARIABLES))))

    def run(self, *arguments, **variables):
        return subprocess.run([REPOSITORY / "deploy/stack.sh", *arguments], capture_output=True, text=True, timeout=120,
                              env={**os.environ, **{name: str(port) for name, port in self.ports.items()},
                                   "HBAGENT_STACK_DIR": str(self.folder / "stack"),
                                   "HBAGENT_KAFKA_CACHE": str(self.cache),
                                   **{name: str(port) for name, port in variables.items()}})

    def nothing_was_begun(self):
        return not self.cache.exists() and not list((self.folder / "stack").glob("*.pid"))


def free_ports(count):
    ports = set()
    while len(ports) < count:
        ports.add(free_port())
    return ports


@pytest.fixture
def stack():
    made = Stack()
    yield made
    made.run("down")
    shutil.rmtree(made.folder)


@pytest.fixture
def listener():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()
        yield taken


def holder():
    return f"(process {os.getpid()})"


def test_values_that_are_no_port_are_all_named(stack):
    wrong = dict(zip(VARIABLES, ("9092x", "0", "70000", "01883")))
    shown = stack.run("up", **wrong)
    assert shown.returncode == 1
    for name, value in wrong.items():
        assert f'{name}="{value}" is no port: give a number from 1 to 65535' in shown.stderr
    assert stack.nothing_was_begun()


def test_a_port_given_twice_is_named_with_both_variables(stack):
    shown = stack.run("up", HBAGENT_MOSQUITTO_PORT=stack.ports["HBAGENT_KAFKA_CONTROLLER_PORT"])
    assert shown.returncode == 1
    assert (f"port {stack.ports['HBAGENT_KAFKA_CONTROLLER_PORT']} is given twice, by HBAGENT_KAFKA_CONTROLLER_PORT and "
            "HBAGENT_MOSQUITTO_PORT") in shown.stderr
    assert stack.nothing_was_begun()


def test_ports_that_are_taken_are_named_with_variable_holder_and_advice(stack, listener):
    port = listener.getsockname()[1]
    shown = stack.run("up", "kafka", "postgres", HBAGENT_KAFKA_CONTROLLER_PORT=port, HBAGENT_POSTGRES_PORT="none")
    assert shown.returncode == 1
    assert f"port {port} (HBAGENT_KAFKA_CONTROLLER_PORT), wanted for kafka, is taken by " in shown.stderr
    assert f"{holder()}: stop that, or choose another port: HBAGENT_KAFKA_CONTROLLER_PORT=... " in shown.stderr
    assert 'HBAGENT_POSTGRES_PORT="none" is no port' in shown.stderr
    assert stack.nothing_was_begun()


@pytest.mark.skipif(UNPRIVILEGED <= 1, reason="every user may listen on every port here")
def test_a_port_that_its_server_may_not_use_is_named(stack):
    shown = stack.run("up", "mosquitto", HBAGENT_MOSQUITTO_PORT=UNPRIVILEGED - 1)
    assert shown.returncode == 1
    assert (f"port {UNPRIVILEGED - 1} (HBAGENT_MOSQUITTO_PORT) is reserved for root, which mosquitto does not run as: "
            f"give a number from {UNPRIVILEGED} to 65535") in shown.stderr
    assert stack.nothing_was_begun()


def test_the_ports_of_other_services_do_not_matter(stack, listener):
    shown = stack.run("up", "mosquitto", HBAGENT_POSTGRES_PORT=listener.getsockname()[1], HBAGENT_KAFKA_PORT="none")
    assert shown.returncode == 0, shown.stderr
    assert f"127.0.0.1:{stack.ports['HBAGENT_MOSQUITTO_PORT']}" in shown.stdout


def test_a_restart_checks_the_ports_before_it_stops_anything(stack, listener):
    assert stack.run("up", "mosquitto").returncode == 0
    record = stack.folder / "stack/mosquitto.pid"
    running = record.read_text()
    taken = listener.getsockname()[1]
    for port, text in (("none", "is no port"), (taken, f"port {taken} (HBAGENT_MOSQUITTO_PORT)")):
        shown = stack.run("restart", "mosquitto", HBAGENT_MOSQUITTO_PORT=port)
        assert shown.returncode == 1
        assert text in shown.stderr
        assert record.read_text() == running
    assert stack.run("status", "mosquitto").returncode == 0
    # What its own server holds is free for it.
    again = stack.run("restart", "mosquitto")
    assert again.returncode == 0, again.stderr
    assert record.read_text() != running
