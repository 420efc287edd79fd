"""A secret shows up nowhere: not in problems, logs, metrics or status, whatever goes wrong with it."""

import os
import subprocess

import pytest

from support.agent import binary
from support.processes import free_port

SECRET = "correct-horse-7731"
NUMBER = 773188421
SOURCE = '[[source]]\nplugin = "generator"\n'

WRONG = {
    "a number": f'plugin = "postgres"\npassword = {NUMBER}\n',
    "a decimal": f'plugin = "postgres"\npassword = {NUMBER}.5\n',
    "a list": f'plugin = "postgres"\npassword = ["{SECRET}"]\n',
    "under a wrong key": f'plugin = "postgres"\npasword = "{SECRET}"\n',
    "for a choice": 'plugin = "kafka"\ncompression = "${HB_TEST_SECRET}"\n',
    "for a duration": 'plugin = "kafka"\nlinger = "${HB_TEST_SECRET}"\n',
    "for a number": 'plugin = "postgres"\nport = "${HB_TEST_SECRET}"\n',
    "beyond a range": 'plugin = "postgres"\nport = "${HB_TEST_NUMBER}"\n',
    "in a file that is missing": 'plugin = "postgres"\npassword = "file:/no/such/${HB_TEST_SECRET}"\n',
    "half a uri": 'plugin = "postgres"\nuri = "postgresql://edge:${HB_TEST_SECRET}@[half"\n',
    "a uri and parts": 'plugin = "postgres"\nuri = "postgresql://edge:${HB_TEST_SECRET}@h/d"\nhost = "other"\n',
    "in a pass-through table": 'plugin = "kafka"\nbrokers = "b:1"\n[sink.rdkafka]\n'
                               '"sasl.pasword" = "${HB_TEST_SECRET}"\n',
    "as a pass-through value": 'plugin = "kafka"\nbrokers = "b:1"\n[sink.rdkafka]\n'
                               '"security.protocol" = "${HB_TEST_SECRET}"\n',
    "in a pass-through list": 'plugin = "kafka"\nbrokers = "b:1"\n[sink.rdkafka]\n'
                              '"debug" = "broker,${HB_TEST_SECRET}"\n',
    "in a file, as a pass-through value": 'plugin = "kafka"\nbrokers = "b:1"\n[sink.rdkafka]\n'
                                          '"security.protocol" = "file:SECRET_FILE"\n',
    "an unfinished string": f'plugin = "postgres"\npassword = "{SECRET}\n',
    "without quotes": f'plugin = "postgres"\npassword = {SECRET}\n',
}


def assert_hidden(text):
    assert SECRET not in text, text
    assert str(NUMBER) not in text, text


def hbagent(*arguments):
    return subprocess.run([binary(), *arguments], text=True, capture_output=True, timeout=60,
                          env={**os.environ, "HB_TEST_SECRET": SECRET, "HB_TEST_NUMBER": str(NUMBER)})


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("command", [["check", "-c"], ["decode", "-c"], ["--log-level", "debug", "-c"]],
                         ids=["check", "decode", "run"])
def test_wrong_configuration_does_not_show_the_secret(command, case, tmp_path):
    config = tmp_path / "agent.toml"
    (tmp_path / "secret").write_text(SECRET + "\n")
    wrong = WRONG[case].replace("SECRET_FILE", str(tmp_path / "secret"))
    config.write_text(f'[agent]\ndata_dir = "{tmp_path}/data"\n{SOURCE}[[sink]]\n{wrong}')
    refused = hbagent(*command, config)
    assert refused.returncode == 2, refused.stdout + refused.stderr
    assert refused.stderr != ""
    assert_hidden(refused.stdout + refused.stderr)


@pytest.mark.parametrize("sink", [
    'plugin = "postgres"\nhost = "127.0.0.1"\nport = PORT\nuser = "edge"\npassword = "${HB_TEST_SECRET}"\n',
    'plugin = "postgres"\nuri = "postgresql://edge:${HB_TEST_SECRET}@127.0.0.1:PORT/db"\n',
    'plugin = "postgres"\nhost = "127.0.0.1"\nport = PORT\npassword = "file:SECRET_FILE"\n',
    'plugin = "kafka"\nbrokers = "127.0.0.1:PORT"\nusername = "edge"\npassword = "${HB_TEST_SECRET}"\n',
    'plugin = "kafka"\nbrokers = "127.0.0.1:PORT"\n[sink.rdkafka]\n"security.protocol" = "sasl_plaintext"\n'
    '"sasl.mechanism" = "PLAIN"\n"sasl.username" = "edge"\n"sasl.password" = "${HB_TEST_SECRET}"\n',
], ids=["password", "uri", "file", "kafka", "pass-through"])
def test_running_agent_does_not_show_the_secret(sink, agent, tmp_path):
    (tmp_path / "secret").write_text(SECRET + "\n")
    sink = sink.replace("PORT", str(free_port())).replace("SECRET_FILE", str(tmp_path / "secret"))
    running = agent(f'{SOURCE}[[sink]]\n{sink}[agent]\nshutdown_timeout = "0s"\ndata_dir = "{tmp_path}/data"\n',
                    arguments=["--log-level", "debug"], environment={"HB_TEST_SECRET": SECRET}).start()
    running.wait_log("trying again")
    answers = "".join(running.get(path)[1] for path in ("/metrics", "/readyz", "/api/v1/status"))
    running.terminate()
    assert "trying again" in running.log and "down" in answers
    assert_hidden(running.log + running.output + answers)
    connected = hbagent("check", "--connect", "-c", running.config_path)
    assert connected.returncode == 1
    assert_hidden(connected.stdout + connected.stderr)


def test_documentation_shows_no_value_of_the_environment():
    shown = subprocess.run([binary(), "init", "generator", "postgres"], text=True, capture_output=True,
                           env={**os.environ, "PGPASSWORD": SECRET})
    assert "${PGPASSWORD}" in shown.stdout
    assert_hidden(shown.stdout + shown.stderr)
