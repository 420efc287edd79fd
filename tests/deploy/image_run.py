"""Runs the services of deploy/compose.yaml without an engine, and looks at what its users would look at.

    sudo python3 tests/deploy/image_run.py FOLDER

FOLDER/image comes from image_build.py. A service is a process in its own network, process and mount namespaces, with the
user, environment, command, mounts, read-only root and missing rights that compose.yaml gives it; the agents run in the
file system of the image. Kafka, PostgreSQL and Mosquitto are this machine's programs, in a throw-away view of its file
system, started as their images start them (image_servers.py). Not there: Grafana, limits of memory and processors, and
the engine itself.
"""

import os
import pathlib
import secrets
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from deploy.image_container import Container, Network, sh  # noqa: E402
from deploy.image_servers import kafka_command, mosquitto_command, postgres_command  # noqa: E402
from support import compose  # noqa: E402
from support.waiting import wait_until  # noqa: E402

AGENTS = ["kafka_producer", "kafka_consumer", "mqtt_bridge"]
COMMANDS = {"kafka": kafka_command, "postgres": postgres_command, "mosquitto": mosquitto_command}


def step(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


class Stack:
    """The services that can run here."""

    def __init__(self, folder):
        self.folder = folder
        env = folder / "env"
        env.unlink(missing_ok=True)
        sh(compose.FILE.parent / "make-env.sh", env)
        self.variables = compose.read_variables(env)
        self.document = compose.load(self.variables)
        self.network = Network()
        names = ["kafka", "postgres", "mosquitto", *AGENTS]
        self.containers = {name: Container(name, self.document["services"][name], folder, self.network)
                           for name in names}
        self.network.name_hosts(names)
        for name in names:
            self.containers[name].prepare(image=folder / "image" if name in AGENTS else None)

    def start(self, name):
        """Starts a service when those are healthy that it waits for."""
        container = self.containers[name]
        for other in container.service.get("depends_on", {}):
            assert self.containers[other].healthy(), f"{name} waits for {other}"
        container.start(COMMANDS[name](container) if name in COMMANDS else None)
        return self

    def wait_healthy(self, name, timeout=90):
        self.containers[name].wait_while_running(self.containers[name].healthy, timeout)
        step(f"{name} is healthy")

    def sql(self, text, user="hbagent"):
        """By the port that is published to this machine: the answer, or the error."""
        password = {"hbagent": "HBAGENT_DB_PASSWORD", "grafana": "GRAFANA_DB_PASSWORD", "postgres": "POSTGRES_PASSWORD"}
        shown = subprocess.run(["psql", "-XAtq", "-h", "127.0.0.1", "-p", "5435", "-U", user, "-d", "heartbeat_db",
                                "-c", text], capture_output=True, text=True,
                               env={**os.environ, "PGPASSWORD": self.variables[password[user]]})
        return shown.stdout.strip() if shown.returncode == 0 else "ERROR " + shown.stderr.strip()

    def rows(self):
        return int(self.sql("SELECT count(*) FROM heartbeats"))


def see_that_it_stores(stack):
    before = stack.rows()
    wait_until(lambda: stack.rows() > before + 1000, 60, "rows to come")
    # Not all 200 at once: some begin without contact.
    wait_until(lambda: int(stack.sql("SELECT count(*) FROM heartrate_data")) > 150, 60, "the customers' latest readings")
    step(f"{stack.rows()} rows in PostgreSQL, by port 5435")
    shown = sh("kcat", "-C", "-q", "-b", "localhost:9092", "-t", "heartbeats", "-c", "5", "-e", timeout=30)
    assert shown.count('"customer_id"') == 5, shown
    partitions = sh("kcat", "-L", "-b", "localhost:9092", "-t", "heartbeats", timeout=30)
    assert "with 12 partitions" in partitions and "at localhost:9092" in partitions, partitions
    step("5 records of a topic with 12 partitions, by port 9092")


def see_that_agents_are_confined(stack):
    image = stack.folder / "image"
    for name in AGENTS:
        container = stack.containers[name]
        status = pathlib.Path(f"/proc/{container.pid}/status").read_text()
        fields = dict(line.split(":\t", 1) for line in status.splitlines())
        assert fields["Uid"].split() == ["10001"] * 4 and fields["Gid"].split() == ["10001"] * 4, fields["Uid"]
        assert fields["NoNewPrivs"] == "1"
        assert all(int(fields[each], 16) == 0 for each in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")), status
        refused = container.execute("bash", "-c", "echo > /etc/hbagent/x || echo > /x || echo > /usr/local/bin/x")
        assert refused.returncode != 0 and "Read-only file system" in refused.stderr, refused
        missing = container.execute("bash", "-c", "ldd /usr/local/bin/hbagent /usr/local/lib/hbagent/plugins/*.so")
        assert missing.returncode == 0 and "not found" not in missing.stdout, missing.stdout
    listed = stack.containers["kafka_producer"].execute("hbagent", "plugins").stdout
    there = sorted(path.stem for path in (image / "usr/local/lib/hbagent/plugins").glob("*.so"))
    assert all(name in listed for name in there), listed
    step(f"agents: uid 10001, no capabilities, read-only root, every library there; plugins {' '.join(there)}")


def see_the_logs(stack):
    for name in AGENTS[:2]:
        stack.containers[name].wait_log(" readings/s | ")
    step("a line about the stream is in the logs: " + stack.containers["kafka_consumer"].log.splitlines()[-1])


def see_that_nothing_is_missing(stack):
    for name in AGENTS[:2]:
        shown = stack.containers[name].execute("hbagent", "audit", "-c", "/etc/hbagent/agent.toml")
        assert shown.returncode == 0, shown.stdout + shown.stderr
    shown = stack.containers["kafka_producer"].execute(
        "hbagent", "audit", "-c", "/etc/hbagent/agent.toml", "--generator", "--wait", "30s",
        "--postgres", "postgresql://hbagent@postgres:5432/heartbeat_db",
        environment={"PGPASSWORD": stack.variables["HBAGENT_DB_PASSWORD"]})
    assert shown.returncode == 0, shown.stdout + shown.stderr
    step("audit: " + " ".join(shown.stdout.split()))


def see_the_roles(stack):
    assert int(stack.sql("SELECT count(*) FROM heartbeats", "grafana")) > 0
    for text in ("DELETE FROM heartbeats", "SET default_transaction_read_only = off; DELETE FROM heartrate_data",
                 "CREATE TABLE public.x (a int)"):
        answer = stack.sql(text, "grafana")
        assert answer.startswith("ERROR"), f"{text}: {answer}"
    assert stack.sql("SELECT rolsuper OR rolcreatedb OR rolcreaterole FROM pg_roles WHERE rolname = 'hbagent'") == "f"
    right = stack.variables["HBAGENT_DB_PASSWORD"]
    stack.variables["HBAGENT_DB_PASSWORD"] = secrets.token_hex(16)
    assert "password authentication failed" in stack.sql("SELECT 1")
    stack.variables["HBAGENT_DB_PASSWORD"] = right
    step("grafana may read and nothing else; a wrong password is refused")


def see_the_bridge(stack):
    def publish(*login):
        payload = f'{{"heart_rate": 61, "time": "{time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}"}}'
        return subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-q", "1", *login, "-t", "wearables/strap-7/hr",
                               "-m", payload], capture_output=True, text=True)
    assert publish().returncode != 0
    assert publish("-u", "wearable", "-P", "wrong").returncode != 0
    shown = publish("-u", "wearable", "-P", stack.variables["MQTT_WEARABLE_PASSWORD"])
    assert shown.returncode == 0, shown.stderr
    wait_until(lambda: stack.sql("SELECT heart_rate FROM heartbeats WHERE customer_id = 'strap-7'") == "61", 30,
               "a wearable's reading to be stored")
    step("a wearable's reading went through the bridge; without its password it is refused")


def see_an_outage(stack):
    kafka, producer = stack.containers["kafka"], stack.containers["kafka_producer"]
    kafka.kill()
    wait_until(lambda: not producer.healthy(), 60, "the producer to be unhealthy")
    step("Kafka killed: the producer is unhealthy: " + producer.check().stdout.strip()[:100])
    before = stack.rows()
    stack.start("kafka").wait_healthy("kafka")
    stack.wait_healthy("kafka_producer")
    stack.wait_healthy("kafka_consumer")
    wait_until(lambda: stack.rows() > before + 1000, 60, "rows to come again")


def see_a_clean_stop(stack):
    for name in reversed(stack.containers):
        took = stack.containers[name].stop()
        step(f"{name} stopped after {took:.1f} s")
    for name in AGENTS:
        assert stack.containers[name].exit_code == 0, f"{name}: {stack.containers[name].exit_code}"


def main():
    if "--in-namespace" not in sys.argv:
        os.execvp("unshare", ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc",
                              "--propagation", "private", sys.executable, *sys.argv, "--in-namespace"])
    stack = Stack(pathlib.Path(sys.argv[1]).resolve())
    try:
        for name in stack.containers:
            stack.start(name)
            stack.wait_healthy(name)
        for name, container in stack.containers.items():
            for port in container.service["ports"]:
                stack.network.publish(name, port)
        see_that_it_stores(stack)
        see_that_agents_are_confined(stack)
        see_the_logs(stack)
        see_that_nothing_is_missing(stack)
        see_the_roles(stack)
        see_an_outage(stack)
        see_that_nothing_is_missing(stack)
        see_the_bridge(stack)
        see_a_clean_stop(stack)
    except BaseException:
        for name, container in stack.containers.items():
            print(f"---- {name}\n{container.log[-3000:]}", flush=True)
        raise
    print("All of it holds.")


if __name__ == "__main__":
    main()
