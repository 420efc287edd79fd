"""Each way in which a broker says no: a message of its own, no secret in it, no storm of tries, an end by itself."""

import dataclasses
import pathlib
import re
import subprocess
import time

import pytest

from support import processes
from support.mqtt import Publisher
from support.servers import MosquittoServer

from . import bridge

SECRET = "s3cret-of-edge"
NEW_SECRET = "s3cret-of-today"
WATCH = 4          # seconds in which tries are counted
INITIAL = 0.2      # retry_initial and retry_max: each wait is at least the half of its step
LONGEST = 1.0
RETRY = f'retry_initial = "{int(INITIAL * 1000)}ms"\nconnect_timeout = "5s"'  # retry_max is bridge.source's


def most_tries(seconds):
    """How often may be tried in that time, and a bit of a start and an end of it."""
    return 2 + seconds / (LONGEST / 2) + 2


@dataclasses.dataclass
class Fault:
    name: str
    server: str
    says: str
    keys: str = ""
    tls: str = ""
    is_mended: bool = True

    def config(self):
        tables = f"[source.tls]\n{self.tls}\n" if self.tls else ""
        return bridge.source(self.server, f"{RETRY}\n{self.keys}", client_id=self.name, tables=tables) + bridge.NULL


def listener(port, certificates, name, more=""):
    return (f"listener {port} 127.0.0.1\ncertfile {certificates.pem(name)}\nkeyfile {certificates.key(name)}\n"
            f"cafile {certificates.pem('ca')}\n{more}")


class Guarded:
    """A broker with a listener for each fault, and the faults."""

    def __init__(self):
        self.broker = MosquittoServer()
        self.certificates = self.broker.certificates()
        names = ("trusted", "elsewhere", "expired", "wanted", "closed")
        self.ports = {name: processes.free_port() for name in names}
        self.trusted = self.broker.folder / "trusted.pem"  # what an agent takes for its authority
        self.trusted.write_bytes(self.certificates.pem("other-ca").read_bytes())
        self.passwords = self.broker.password_file({"edge": NEW_SECRET, "other": "x"})
        self.broker.settings = f"password_file {self.passwords}\n" + "".join(
            listener(self.ports[name], self.certificates, certificate, more) for name, certificate, more in (
                ("trusted", "broker", ""), ("elsewhere", "elsewhere", ""), ("expired", "expired", ""),
                ("wanted", "broker", "require_certificate true\n")))

    def uri(self, name):
        return f"ssl://localhost:{self.ports[name]}"

    def faults(self):
        authority = f'ca_file = "{self.certificates.pem("ca")}"'
        login = f'username = "edge"\npassword = "{SECRET}"'
        return [
            Fault("password", self.broker.uri, 'the broker refuses the login of user "edge"', login),
            Fault("password-v3", self.broker.uri, 'the broker refuses the login of user "edge"',
                  login + '\nversion = "3.1.1"'),
            Fault("authority", self.uri("trusted"), "signed by none of the authorities in tls.ca_file",
                  tls=f'ca_file = "{self.trusted}"'),
            Fault("system-authorities", self.uri("trusted"),
                  "signed by none of the authorities in the system's trust store", tls="verify = true",
                  is_mended=False),
            Fault("host-name", self.uri("elsewhere"), "is not that host's but for broker.example", tls=authority),
            Fault("expired", self.uri("expired"), f"the certificate of localhost:{self.ports['expired']} has expired",
                  tls=authority),
            Fault("client-certificate", self.uri("wanted"), "it may want a client certificate", tls=authority),
            Fault("closed", f"tcp://127.0.0.1:{self.ports['closed']}", "Connection refused"),
            Fault("no-tls", self.broker.uri.replace("tcp://127.0.0.1", "ssl://localhost"),
                  "does that port speak TLS? One that does not is tcp://", tls=authority),
            Fault("tls-unasked", self.uri("trusted").replace("ssl://", "mqtt://"),
                  f"that port speaks TLS: use {self.uri('trusted')}", is_mended=False),
            Fault("tls-and-client-certificate-unasked", self.uri("wanted").replace("ssl://", "tcp://"),
                  f"that port speaks TLS: use {self.uri('wanted')}", is_mended=False),
            Fault("unknown-host", "tcp://no-such-host.invalid:1883",
                  "the host name no-such-host.invalid cannot be resolved", is_mended=False),
        ]

    def mend(self):
        self.broker.password_file({"edge": SECRET})
        self.broker.reload()
        self.trusted.write_bytes(self.certificates.pem("ca").read_bytes())
        self.broker.stop()
        self.broker.settings = f"password_file {self.passwords}\n" + "".join(
            listener(port, self.certificates, "broker") if name != "closed" else f"listener {port} 127.0.0.1\n"
            for name, port in self.ports.items())
        self.broker.start()


def said(agent):
    """All that an agent says of itself."""
    return "\n".join([agent.log, agent.get("/readyz")[1], agent.get("/api/v1/status")[1], agent.metrics().text])


def retries(agent):
    return agent.status()["sources"][0]["retries"]


def test_every_refusal_has_a_message_of_its_own_and_is_tried_again_until_it_is_mended(agent):
    guarded = Guarded()
    with guarded.broker as broker:
        faults = {fault.name: fault for fault in guarded.faults()}
        agents = {name: agent(fault.config(), name).start() for name, fault in faults.items()}
        for name, each in agents.items():
            each.wait_while_running(lambda: faults[name].says in each.log, 40, f"to say: {faults[name].says}")
        before, begin = {name: retries(each) for name, each in agents.items()}, time.monotonic()
        logins = broker.log.count("disconnected, not authorised")
        time.sleep(WATCH)  # tries are counted over a time
        took = time.monotonic() - begin
        tries = {name: retries(each) - before[name] for name, each in agents.items()}
        print(f"tries in {took:.1f} s: {tries}")
        assert max(tries.values()) <= most_tries(took)
        assert broker.log.count("disconnected, not authorised") - logins <= 2 * most_tries(took)
        for name, each in agents.items():
            code, text = each.get("/readyz")
            assert code == 503 and faults[name].says in text, text
            assert SECRET not in said(each) and NEW_SECRET not in said(each)
            others = {fault.says for fault in faults.values()} - {faults[name].says}
            assert not [other for other in others if other in each.log], each.log
            assert len(each.log.splitlines()) < 30, each.log
        guarded.mend()
        for name, each in agents.items():
            if faults[name].is_mended and name != "no-tls":
                each.wait_ready(40)
        broker.publish("wearables/anna/hr", ['{"time":"2026-11-22T10:00:00Z","heart_rate":60}'])
        for name, each in agents.items():
            if faults[name].is_mended and name != "no-tls":
                each.wait_while_running(lambda: each.status()["sources"][0]["journaled"] == 1, 20, "to get a reading")


@pytest.fixture
def dynamic():
    """A broker that refuses subscriptions; and what changes its rules."""
    broker = MosquittoServer()
    rules = broker.file("rules.json", "")
    rules.unlink()
    subprocess.run(["mosquitto_ctrl", "dynsec", "init", rules, "admin", "admin"], check=True, capture_output=True)
    rules.chmod(0o666)
    (plugin,) = pathlib.Path("/usr/lib").glob("*/mosquitto_dynamic_security.so")
    broker.settings = f"plugin {plugin}\nplugin_opt_config_file {rules}\n"

    def control(*arguments):
        done = subprocess.run(["mosquitto_ctrl", "-h", "127.0.0.1", "-p", str(broker.port), "-u", "admin",
                               "-P", "admin", "dynsec", *arguments], capture_output=True, text=True)
        assert done.returncode == 0 and "Error" not in done.stderr + done.stdout, done.stderr + done.stdout
    with broker:
        control("createClient", "edge", "-p", SECRET)
        control("createRole", "bridges")
        control("addRoleACL", "bridges", "publishClientSend", "#", "allow")
        control("addRoleACL", "bridges", "subscribePattern", "fine/#", "allow")
        control("addClientRole", "edge", "bridges")
        yield broker, control


def test_a_refused_subscription_is_named_while_the_others_work_and_is_taken_when_it_is_allowed(agent, dynamic):
    broker, control = dynamic
    fine = bridge.another_subscription("fine/{customer_id}")
    login = f'username = "edge"\npassword = "{SECRET}"\n'
    agents = [agent(bridge.source(broker.uri, login + f'version = "{version}"', client_id=f"edge-{version}",
                                  tables=fine) + bridge.NULL).start() for version in ("5", "3.1.1")]

    def publish(topic):
        subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(broker.port), "-u", "edge", "-P", SECRET,
                        "-q", "1", "-t", topic, "-m", '{"time":"2026-11-22T10:00:00Z","heart_rate":60}'], check=True)
    for each in agents:
        each.wait_log(r"error .*the broker refuses the subscription to wearables/\+/hr: "
                      ".*[Nn]ot authori[sz]ed.*look at its access")
        each.wait_not_ready()
        code, text = each.get("/readyz")
        assert code == 503 and "the broker refuses the subscription to wearables/+/hr" in text
        assert SECRET not in said(each)
    publish("fine/anna")
    for each in agents:
        each.wait_while_running(lambda: each.status()["sources"][0]["journaled"] == 1, 20, "to get what is allowed")
    control("addRoleACL", "bridges", "subscribePattern", "wearables/#", "allow")
    for each in agents:
        each.wait_ready(60)
    publish("wearables/anna/hr")
    for each in agents:
        each.wait_while_running(lambda: each.status()["sources"][0]["journaled"] == 2, 20, "to get the other one too")
        assert len(re.findall(" error .*the broker refuses the subscription", each.log)) == 1, each.log


@pytest.mark.parametrize("version, rate", [("5", 0), ("3.1.1", 0), ("5", 200)])
def test_two_agents_of_one_client_id_do_not_fight_at_full_speed_and_one_alone_goes_on(version, rate, agent,
                                                                                      own_mosquitto):
    """`rate`: messages a second that they get meanwhile. A few that are read in between make no start a sound one."""
    # Mosquitto says why from 2.0.12 on, and only to an MQTT 5 client; else the agent asks.
    says = r'another client (connected with|the same) client_id = "edge-01"'
    keys = f'retry_initial = "500ms"\nversion = "{version}"'
    agents = [agent(bridge.source(own_mosquitto.uri, keys) + bridge.NULL).start() for _ in range(2)]
    for each in agents:
        each.wait_while_running(lambda: re.search(says, each.log), 20, f"to say: {says}")
    publisher = Publisher(own_mosquitto.port, bridge.message("t"), rate=rate).start() if rate else None
    before, begin = own_mosquitto.connections("edge-01"), time.monotonic()
    time.sleep(WATCH)  # connections are counted over a time
    made, took = own_mosquitto.connections("edge-01") - before, time.monotonic() - begin
    print(f"{made} connections in {took:.1f} s")
    assert made <= 2 * most_tries(took)
    if publisher:
        assert publisher.finish() > rate
    assert agents[0].terminate() == 0

    def go_on(minute):
        journaled = agents[1].status()["sources"][0]["journaled"]
        own_mosquitto.publish("wearables/anna/hr", [f'{{"time":"2026-11-22T10:{minute}:00Z","heart_rate":60}}'])
        agents[1].wait_while_running(lambda: agents[1].status()["sources"][0]["journaled"] > journaled, 20, "to go on")
    go_on(10)  # on a connection that nobody ends any more
    settled = own_mosquitto.connections("edge-01")
    go_on(11)
    assert own_mosquitto.connections("edge-01") == settled


def test_a_file_of_tls_that_is_away_for_a_while_is_no_reason_to_give_up(agent):
    guarded = Guarded()
    guarded.trusted.write_bytes(guarded.certificates.pem("ca").read_bytes())
    with guarded.broker as broker:
        guarded.mend()
        made = agent(bridge.source(guarded.uri("trusted"), f'{RETRY}\nusername = "edge"\npassword = "{SECRET}"',
                                   tables=f'[source.tls]\nca_file = "{guarded.trusted}"\n') + bridge.NULL).start()
        made.wait_ready(40)
        away = guarded.trusted.rename(guarded.trusted.with_suffix(".away"))
        broker.restart()
        made.wait_while_running(lambda: f'tls.ca_file = "{guarded.trusted}": No such file' in made.log, 20,
                                "to say which file is away")
        away.rename(guarded.trusted)
        made.wait_ready(40)
        made.wait_while_running(lambda: broker.connections("edge-01") == 2, 20, "to be connected again")


def test_a_source_and_a_sink_of_one_client_id_do_not_end_each_others_session(agent, own_mosquitto):
    sink = f'[[sink]]\nplugin = "mqtt"\nserver = "{own_mosquitto.uri}"\nclient_id = "edge-01"\nretry_max = "200ms"\n'
    made = agent(bridge.source(own_mosquitto.uri) + sink).start()
    says = "another source or sink of this agent is connected to"
    made.wait_log(says)
    made.wait_while_running(lambda: max(each["retries"] for each in made.status()["sources"] + made.status()["sinks"]) > 3,
                            30, "to try again")
    assert own_mosquitto.connections("edge-01") == 1
