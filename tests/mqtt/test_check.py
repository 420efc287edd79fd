"""What `hbagent check` says of a wrong MQTT source: the line at fault, and what to write there instead."""

import re
import subprocess

import pytest

from support.agent import binary
from support.certificates import Certificates

from . import bridge

JSON = 'decoder = "json"\nheart_rate = { pointer = "/hr" }\ntime = { pointer = "/t" }\n'
TLS = "ssl://localhost:8883"


def config(keys="", topic="wearables/{customer_id}/hr", mapping=JSON, tables="", server="tcp://localhost:1883"):
    return (f'[[source]]\nplugin = "mqtt"\nserver = "{server}"\nclient_id = "edge-01"\n{keys}\n\n'
            f'  [[source.subscription]]\n  topic = "{topic}"\n  {mapping}\n{tables}\n{bridge.NULL}')


def tls(keys, server=TLS):
    return config(server=server, tables=f"[source.tls]\n{keys}\n")


def another(topic, mapping=JSON):
    return f'[[source.subscription]]  # another\ntopic = "{topic}"\n{mapping}'


# name: (configuration, the line that is shown, what is said)
WRONG = {
    "version without quotes": (config("version = 5"), "version = 5", '"version" must be one of "3.1.1", "5", in quotes'),
    "a number as the version": (config("version = 3.1"), "version = 3.1", 'one of "3.1.1", "5", in quotes'),
    "session_expiry of 3.1.1": (config('version = "3.1.1"\nsession_expiry = "1d"'), 'session_expiry = "1d"',
                                'session_expiry: needs version = "5"'),
    "receive_maximum of 3.1.1": (config('version = "3.1.1"\nreceive_maximum = 10'), "receive_maximum = 10",
                                 'receive_maximum: needs version = "5"'),
    "QoS 2 of 3.1.1": (config('version = "3.1.1"', mapping=JSON + "qos = 2"), "qos = 2",
                       'subscription[0].qos = 2: with version = "3.1.1" loses what is in flight'),
    "password alone": (config('password = "x"'), 'password = "x"', "password without username"),
    "key of another program": (config('user = "edge"'), 'user = "edge"', 'did you mean "username"?'),
    "no scheme": (config(server="localhost:1883"), 'server = "localhost:1883"', "write it as tcp://host:1883"),
    "no host": (config(server="tcp://local host"), 'server = "tcp://local host"', '"local host" is no host'),
    "status topic": (config('status_topic = "a/{customer_id}"'), 'status_topic = "a/{customer_id}"', "it is published to"),

    "topic outside": (config('topic = "x"'), 'topic = "x"', 'did you mean "subscription.topic"?'),
    "MQTT's wildcard": (config(topic="wearables/+/hr"), 'topic = "wearables/+/hr"', "{_} matches any one level"),
    "unknown brace": (config(topic="wearables/{id}/hr"), 'topic = "wearables/{id}/hr"', "{id} is unknown"),
    "$share": (config(topic="$share/g/{customer_id}"), 'topic = "$share/g/{customer_id}"', 'share = "GROUP"'),
    "same topic": (config(tables=another("wearables/{customer_id}/hr")), 'topic = "wearables/{customer_id}/hr"',
                   "subscription[1].topic: subscription[0] has the same filter, wearables/+/hr"),
    "share": (config(mapping=JSON + 'share = "a/b"'), 'share = "a/b"', "a group's name has no /"),

    "mapping of no decoder": (config(mapping='heart_rate = { pointer = "/hr" }'), "[[source.subscription]]",
                              'subscription[0].decoder: "wire" has no mapping'),
    "no time": (config(mapping='decoder = "json"\nheart_rate = { pointer = "/hr" }'), "[[source.subscription]]",
                'time: say where the time is: a pointer, or time = "receive"'),
    "no time in the second": (config(tables=another("a/{customer_id}", 'decoder = "scalar"')),
                              "[[source.subscription]]  # another", 'subscription[1].time: decoder "scalar" has no time'),
    "text for a table": (config(mapping='decoder = "json"\nheart_rate = "/hr"\ntime = "receive"'), 'heart_rate = "/hr"',
                         'must be a table such as { pointer = "/heart_rate" }'),
    "pointer for a time": (config(mapping='decoder = "json"\nheart_rate = { pointer = "/hr" }\ntime = "/t"'),
                           'time = "/t"', 'allowed: field, receive, or a table such as { pointer = "/time" }'),
    "pointer without a slash": (config(mapping='decoder = "json"\nheart_rate = { pointer = "hr" }\ntime = "receive"'),
                                'heart_rate = { pointer = "hr" }', "is empty or starts with a slash"),
    "pattern": (config(mapping=JSON.replace('"/t"', '"/t", format = "strftime", pattern = "%Q"')),
                'time = { pointer = "/t", format = "strftime", pattern = "%Q" }', "%Q is not known"),
    "nobody's": (config(topic="hr"), "[[source.subscription]]", "customer_id: say where the id is"),
    "no such customer": (config(topic="hr", mapping=JSON + 'customer_id = "topic"'), 'customer_id = "topic"',
                         "the topic has no {customer_id}"),
    "empty customer": (config(topic="hr", mapping=JSON + 'customer_id = { const = "" }'), 'customer_id = { const = "" }',
                       "customer_id.const: is no customer id"),

    "options of TLS without it": (tls("verify = false", "tcp://localhost:1883"), 'server = "tcp://localhost:1883"',
                                  "is not encrypted, and options of tls are set; use ssl://"),
    "no ALPN": (tls('alpn = [""]'), 'alpn = [""]', "tls.alpn[0]: a protocol's name has 1 to 255 bytes"),
    "missing CA": (tls('ca_file = "/nowhere/ca.pem"'), 'ca_file = "/nowhere/ca.pem"',
                   'tls.ca_file = "/nowhere/ca.pem": No such file or directory'),
    "folder for a CA": (tls('ca_file = "/"'), 'ca_file = "/"', 'tls.ca_file = "/": is a folder; name a file'),
    "password of no key": (tls('key_password = "x"'), 'key_password = "x"', "give tls.cert_file and tls.key_file"),
}


def check(text, folder):
    path = folder / "agent.toml"
    path.write_text(text + f'\n[agent]\ndata_dir = "{folder}/data"\n')
    return subprocess.run([binary(), "check", "-c", path], text=True, capture_output=True)


def shown(done, text):
    """(line of the file, message) of the first problem."""
    number, message = re.match(r"\S*agent\.toml:(\d+):\d+: (.*)", done.stderr).groups()
    return text.splitlines()[int(number) - 1].strip(), message


def test_what_the_wrong_ones_are_made_of_is_right(tmp_path):
    for text in (config(), tls('ca_file = ""'), tls('alpn = ["mqtt"]'), config(tables=another("a/{customer_id}"))):
        done = check(text, tmp_path)
        assert done.returncode == 0 and "warning" not in done.stderr, done.stderr


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_option_is_shown_at_its_line_with_what_is_right(name, tmp_path):
    text, line, says = WRONG[name]
    done = check(text, tmp_path)
    assert done.returncode == 2, done.stderr
    found, message = shown(done, text)
    assert found == line and says in message, done.stderr


@pytest.mark.parametrize("command", ["run", "decode"])
def test_a_start_and_decode_show_the_same_line_as_check(command, tmp_path):
    text = config(topic="wearables/+/hr")
    checked = check(text, tmp_path)
    arguments = ["decode", "-c", "agent.toml", "--topic", "x"] if command == "decode" else ["-c", "agent.toml"]
    done = subprocess.run([binary(), *arguments], cwd=tmp_path, text=True, capture_output=True, input="{}", timeout=30)
    assert done.returncode == 2
    wanted = checked.stderr.removeprefix(f"{tmp_path}/").strip()
    assert wanted in done.stderr, done.stderr


def test_a_start_shows_a_processors_mistake_at_its_own_line(tmp_path):
    text = config() + '[[processor]]\nplugin = "validate"\nmin_heart_rate = 200\nmax_heart_rate = 100\n'
    checked = check(text, tmp_path)
    assert shown(checked, text) == ("min_heart_rate = 200", "processor/validate: min_heart_rate is larger than "
                                                            "max_heart_rate: no reading could pass")
    done = subprocess.run([binary(), "-c", "agent.toml"], cwd=tmp_path, text=True, capture_output=True, timeout=30)
    assert done.returncode == 2
    number, _ = re.search(r"agent\.toml:(\d+):\d+: .*(min_heart_rate is larger)", done.stderr).groups()
    assert text.splitlines()[int(number) - 1] == "min_heart_rate = 200"


def test_a_session_that_the_broker_is_to_forget_at_once_is_warned_of(tmp_path):
    done = check(config('session_expiry = "0s"'), tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r'warning source/mqtt: session_expiry = "0s": the broker forgets the session', done.stderr)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    made = Certificates(folder / "made")
    encrypted, text = folder / "encrypted.key", folder / "text.pem"
    subprocess.run(["openssl", "pkcs8", "-topk8", "-in", made.key("client"), "-out", encrypted, "-passout", "pass:right"],
                   check=True)
    text.write_text("no PEM\n")
    return {"cert": made.pem("client"), "key": made.key("client"), "other": made.key("broker"), "encrypted": encrypted,
            "text": text}


@pytest.mark.parametrize(("keys", "line", "says"), [
    ("cert_file = {cert}", "[source.tls]", "tls.key_file: is missing, and tls.cert_file = {cert} holds no private key"),
    ("key_file = {key}", "key_file = {key}", "there is no certificate that it belongs to; give tls.cert_file"),
    ("cert_file = {cert}\nkey_file = {other}", "key_file = {other}", "is not the key of tls.cert_file = {cert}"),
    ("cert_file = {cert}\nkey_file = {text}", "key_file = {text}", "holds no private key in PEM"),
    ("cert_file = {text}\nkey_file = {key}", "cert_file = {text}", "holds no certificate in PEM"),
    ("ca_file = {text}", "ca_file = {text}", "holds no certificate in PEM"),
    ("cert_file = {cert}\nkey_file = {encrypted}", "key_file = {encrypted}", "is encrypted; give tls.key_password"),
    ("cert_file = {cert}\nkey_file = {encrypted}\nkey_password = \"wrong\"", 'key_password = "wrong"',
     "tls.key_password: does not open {encrypted}"),
    ("cert_file = {cert}\nkey_file = \"/nowhere/key\"", 'key_file = "/nowhere/key"', "No such file or directory"),
])
def test_files_of_tls_that_do_not_fit_are_told_apart(keys, line, says, files, tmp_path):
    def filled(template):
        return template.format_map({name: f'"{path}"' for name, path in files.items()})
    text = tls(filled(keys))
    done = check(text, tmp_path)
    assert done.returncode == 2, done.stderr
    found, message = shown(done, text)
    assert found == filled(line) and filled(says) in message, done.stderr


def test_a_certificate_and_its_key_are_taken(files, tmp_path):
    for key, password in (("key", ""), ("encrypted", '\nkey_password = "right"')):
        done = check(tls(f'cert_file = "{files["cert"]}"\nkey_file = "{files[key]}"{password}'), tmp_path)
        assert done.returncode == 0, done.stderr
