"""What deploy/compose.yaml and deploy/Dockerfile ask to know whether a container is healthy, against real servers."""

import socket
import subprocess

from support.agent import REPOSITORY
from support.processes import free_port
from support.waiting import wait_until

READY = REPOSITORY / "deploy/compose/ready.sh"
KAFKA_READY = REPOSITORY / "deploy/compose/kafka-ready.sh"
CONFIG = """
[[source]]
plugin = "generator"
interval = "100ms"

[[sink]]
plugin = "kafka"
brokers = "{brokers}"
topic = "health"
create_topic = true
write_timeout = "1s"
"""


def ready(port):
    return subprocess.run([READY], capture_output=True, text=True, timeout=30, env={"HBAGENT_HTTP_PORT": str(port)})


def kafka_ready(port):
    return subprocess.run([KAFKA_READY, "127.0.0.1", str(port)], capture_output=True, text=True, timeout=30).returncode


def test_an_agent_is_healthy_while_readings_move_and_says_why_when_they_do_not(agent, own_kafka):
    made = agent(CONFIG.format(brokers=own_kafka.brokers)).start().wait_ready()
    assert ready(made.http_port).returncode == 0
    own_kafka.kill()
    made.wait_not_ready()
    shown = ready(made.http_port)
    assert shown.returncode == 1
    assert "kafka" in shown.stdout and "HTTP/1.1" not in shown.stdout
    own_kafka.start()
    wait_until(lambda: ready(made.http_port).returncode == 0, 60, "the agent to be healthy again")


def test_an_agent_that_does_not_listen_is_not_healthy():
    port = free_port()
    shown = ready(port)
    assert shown.returncode == 1
    assert f"nothing listens on port {port}" in shown.stdout


def test_kafka_is_healthy_when_a_broker_answers(own_kafka):
    assert kafka_ready(own_kafka.port) == 0
    own_kafka.kill()
    assert kafka_ready(own_kafka.port) == 1


def test_what_answers_otherwise_is_no_kafka():
    with socket.create_server(("127.0.0.1", 0)) as server:
        checked = subprocess.Popen([KAFKA_READY, "127.0.0.1", str(server.getsockname()[1])])
        connection, _address = server.accept()
        with connection:
            request = connection.recv(14, socket.MSG_WAITALL)  # may come in pieces
            assert request[4:6] == b"\x00\x12"  # ApiVersions
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        assert checked.wait(30) == 1
