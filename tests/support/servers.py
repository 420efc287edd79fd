"""Real servers for tests: a private Kafka, PostgreSQL or Mosquitto on free ports, with data in a temporary folder.

How each is configured and started is known in one place, deploy/lib/server.sh, which the local stack uses too.
"""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import uuid

from . import mqtt, processes
from .certificates import Certificates
from .database import Database
from .topics import Topic, create_topic
from .waiting import wait_until

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SERVER_SCRIPT = REPOSITORY / "deploy" / "lib" / "server.sh"


class Server(processes.ChildProcess):
    """One server. Its port and its data stay the same over stop, kill and start; `close` deletes the data."""

    service = None  # the name that server.sh knows
    start_timeout = 180
    stop_timeout = 60

    def __init__(self):
        # Not pytest's tmp_path: servers run as other users when the tests run as root, and must get through.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"hbagent-{self.service}-"))
        self.folder.chmod(0o755)
        self.port = processes.free_port()
        super().__init__(self.service, self.folder / "server.log")

    def _ports(self):
        return [self.port]

    def _script(self, *arguments):
        return subprocess.run([SERVER_SCRIPT, self.service, *map(str, arguments)], capture_output=True, text=True)

    def spawn_server(self):
        """Starts without waiting, so that several servers can start side by side; then call `wait_ready`."""
        self.spawn([SERVER_SCRIPT, self.service, "run", self.folder / "run", *self._ports()],
                   environment={"HBAGENT_PARENT_DEATH_SIGNAL": "KILL"})

    def start(self):
        self.spawn_server()
        self.wait_ready()
        return self

    def ready(self):
        """True when the server answers a client."""
        return self._script("ready", self.port).returncode == 0

    def wait_ready(self):
        def ready_or_dead():
            assert self.running, f"{self.service} ended with code {self.exit_code}:\n{self.log_tail()}"
            return self.ready()
        try:
            wait_until(ready_or_dead, self.start_timeout, f"{self.service} to answer on port {self.port}")
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.log_tail()}") from None

    def stop(self):
        """A clean stop; the data stays."""
        if self.running:
            self.send_signal(getattr(signal, "SIG" + self._script("stop_signal").stdout.strip()))
        self.wait(self.stop_timeout)

    def restart(self):
        self.stop()
        return self.start()

    def close(self):
        """Ends the server if need be and deletes its data."""
        if self.running:
            self.kill()
        shutil.rmtree(self.folder)

    def __enter__(self):
        return self.start()

    def __exit__(self, *exception):
        self.close()


class KafkaServer(Server):
    """A Kafka node (KRaft)."""

    service = "kafka"

    def __init__(self):
        super().__init__()
        self.controller_port = processes.free_port()

    def _ports(self):
        return [self.port, self.controller_port]

    @property
    def brokers(self):
        """For `bootstrap.servers`, and for `brokers` in the agent's configuration."""
        return f"127.0.0.1:{self.port}"

    def new_topic(self, partitions=1, name=None, **config):
        """Creates a topic with a name of its own. `config`: topic properties with "_" for "."."""
        name = name or f"topic-{uuid.uuid4().hex[:12]}"
        create_topic(self.brokers, name, partitions, {key.replace("_", "."): value for key, value in config.items()})
        return Topic(self.brokers, name)

    def topic(self, name):
        """A topic that exists already or that the agent creates."""
        return Topic(self.brokers, name)


# What the tests read in a broker's log, beyond what it says anyway.
_LOGGED = "log_type information\nlog_type subscribe\nlog_type unsubscribe\n"


class MosquittoServer(Server):
    """A Mosquitto broker that keeps everything for persistent sessions.

    `settings`: lines of mosquitto.conf that follow those of deploy/mosquitto, and apply to the first listener where a
    listener is meant; more listeners may come with them. They, and the files in `files`, may be changed between starts,
    the files also before `reload`.
    """

    service = "mosquitto"

    def __init__(self, settings=""):
        super().__init__()
        self.settings = settings
        self.files = self.folder / "files"  # passwords, access rules; the broker's user can read them
        self.files.mkdir()
        self.files.chmod(0o755)

    def spawn_server(self):
        path = self.folder / "settings.conf"
        path.write_text(_LOGGED + self.settings)
        self.spawn([SERVER_SCRIPT, self.service, "run", self.folder / "run", *self._ports(), path],
                   environment={"HBAGENT_PARENT_DEATH_SIGNAL": "KILL"})

    def ready(self):
        """True when the broker answers a login, be it with a refusal."""
        return mqtt.connack_code(self.port) is not None

    @property
    def uri(self):
        return f"tcp://127.0.0.1:{self.port}"

    def file(self, name, text):
        """Writes a file for the broker; returns its path."""
        path = self.files / name
        path.write_text(text)
        path.chmod(0o644)
        return path

    def password_file(self, users):
        """Writes a password file for {user: password}; returns its path."""
        path = self.file("passwords", "".join(f"{user}:{password}\n" for user, password in users.items()))
        subprocess.run(["mosquitto_passwd", "-U", path], check=True)
        path.chmod(0o644)
        return path

    def certificates(self):
        """Makes certificates that the broker's user can read."""
        return Certificates(self.folder / "certificates")

    def reload(self):
        """Has the broker read its files again (passwords, access rules), and waits until it has begun to."""
        before = self.log.count("Reloading config")
        self.send_signal(signal.SIGHUP)
        wait_until(lambda: self.log.count("Reloading config") > before, 10, "mosquitto to reload")

    def connections(self, client_id):
        """How often a client of that name has been let in, by the broker's log."""
        return len(re.findall(rf"New client connected from \S+ as {re.escape(client_id)} ", self.log))

    def save(self):
        """Writes the broker's state to disk now, so that it survives kill -9, and waits until it is there."""
        database = self.folder / "run" / "mosquitto.db"
        before = database.stat().st_mtime_ns if database.exists() else 0
        self.send_signal(signal.SIGUSR1)
        wait_until(lambda: database.exists() and database.stat().st_mtime_ns > before, 10, "mosquitto to save")

    def publish(self, topic, payloads, qos=1, retain=False):
        """Publishes each payload (text without line breaks) and waits for the broker's acknowledgements."""
        command = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.port), "-t", topic, "-q", str(qos), "-l"]
        if retain:
            command.append("-r")
        subprocess.run(command, input="".join(payload + "\n" for payload in payloads), text=True, check=True,
                       timeout=60)

    def receive(self, topic, count, client_id=None, qos=1, timeout=30):
        """Returns the next `count` payloads. With a client id the session is persistent: the broker keeps what
        arrives while nobody is connected, from the first call on (`count` may be 0)."""
        command = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(self.port), "-t", topic, "-q", str(qos),
                   "-W", str(timeout)]
        command += ["-C", str(count)] if count else ["-E"]
        if client_id:
            command += ["-i", client_id, "-c"]
        result = subprocess.run(command, capture_output=True, text=True)
        lines = result.stdout.splitlines()
        assert len(lines) == count, f"{len(lines)} of {count} messages on {topic} in {timeout} s; {result.stderr}"
        return lines


class PostgresServer(Server):
    """A PostgreSQL server with the database heartbeat_db and the role hbagent, which may create databases."""

    service = "postgres"

    def uri(self, database="heartbeat_db", user="hbagent"):
        """The connection string; user "postgres" is the superuser. Each role's password is its name."""
        return f"postgresql://{user}:{user}@127.0.0.1:{self.port}/{database}"

    def _signal_all(self, number):
        """The postmaster first, so that it makes no new process meanwhile."""
        self.send_signal(number)
        for pid in processes.children(self.pid):
            with contextlib.suppress(ProcessLookupError):  # a session that has just ended
                os.kill(pid, number)

    def pause(self):
        """With its backends: an open session would go on answering."""
        self._signal_all(signal.SIGSTOP)

    def resume(self):
        self._signal_all(signal.SIGCONT)

    def database(self, name="heartbeat_db"):
        return Database(self, name)

    def new_database(self):
        """Creates an empty database with a name of its own, owned by hbagent."""
        name = f"db_{uuid.uuid4().hex[:12]}"
        self.database().execute(f"CREATE DATABASE {name}")
        return Database(self, name)
