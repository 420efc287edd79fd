"""config/mosquitto.conf is what Mosquitto takes, and what keeps everything for an agent that is away."""

import os
import socket
import subprocess

from support import processes
from support.agent import REPOSITORY
from support.mqtt import Publisher
from support.servers import MosquittoServer

from . import bridge

WAITING = 5_000  # more than the 1000 that Mosquitto keeps unless it is told to


# /etc/mosquitto/mosquitto.conf of Debian 12 and 13, with other folders.
DEBIAN = """
pid_file {folder}/mosquitto.pid
persistence true
persistence_location {folder}/
log_dest stderr
include_dir {parts}
"""


class DeployedMosquitto(MosquittoServer):
    """With that file for its settings, and this folder for the system's ones."""

    def __init__(self):
        super().__init__()
        certificates = self.certificates()
        self.authority = certificates.pem("ca")
        self.settings = (REPOSITORY / "config/mosquitto.conf").read_text()
        passwords = self.password_file({"edge": "edge-secret", "strap": "strap-secret"})
        rules = self.file("acl", "user edge\ntopic read wearables/#\nuser strap\ntopic write wearables/#\n")
        self.port = processes.free_port()
        for old, new in ((r"listener 8883", f"listener {self.port} 127.0.0.1"),
                         ("/etc/mosquitto/certs/ca.pem", certificates.pem("ca")),
                         ("/etc/mosquitto/certs/broker.pem", certificates.pem("broker")),
                         ("/etc/mosquitto/certs/broker.key", certificates.key("broker")),
                         ("/etc/mosquitto/passwords", passwords), ("/etc/mosquitto/acl", rules)):
            assert self.settings.count(old) == 1, old
            self.settings = self.settings.replace(old, str(new))

    def spawn_server(self):
        run = self.folder / "run"
        run.mkdir(exist_ok=True)
        parts = self.folder / "conf.d"
        parts.mkdir(exist_ok=True)
        parts.chmod(0o755)
        (parts / "hbagent.conf").write_text(self.settings)
        path = self.file("mosquitto.conf", DEBIAN.format(folder=run, parts=parts))
        command = ["mosquitto", "-c", path]
        if os.geteuid() == 0:
            subprocess.run(["chown", "mosquitto", run], check=True)
            command = ["setpriv", "--reuid", "mosquitto", "--regid", "mosquitto", "--init-groups", "--pdeathsig",
                       "KILL", "--", *command]
        self.spawn(command, environment={"PATH": os.environ["PATH"] + ":/usr/sbin"})

    def ready(self):
        with socket.create_connection(("127.0.0.1", self.port), 2):
            return True


def test_the_deployed_broker_lets_in_whom_it_should_and_keeps_all_for_an_agent_that_is_away(agent):
    with DeployedMosquitto() as broker:
        config = bridge.source(f"ssl://localhost:{broker.port}", 'username = "edge"\npassword = "edge-secret"',
                               tables=f'[source.tls]\nca_file = "{broker.authority}"\n')
        bridging = agent(config + bridge.NULL).start().wait_ready()
        bridging.wait_log("subscribed to ")
        assert bridging.terminate() == 0
        anonymous = subprocess.run(["mosquitto_pub", "-h", "localhost", "-p", str(broker.port), "--cafile",
                                    broker.authority, "-t", "wearables/anna/hr", "-m", "x"], capture_output=True,
                                   text=True)
        assert anonymous.returncode != 0 and "not authorised" in anonymous.stderr
        sent = Publisher(broker.port, bridge.message("s"), WAITING, tls_ca=broker.authority,
                         login=("strap", "strap-secret")).start().finish()
        broker.restart()
        bridging.start()
        bridging.wait_while_running(lambda: bridging.status()["sources"][0]["journaled"] == sent, 30, "to get all")
        assert "dropped" not in broker.log
