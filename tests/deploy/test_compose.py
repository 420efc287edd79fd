"""deploy/compose.yaml: what its services may do, where they are reached, and that no password has a default."""

import re
import subprocess
import tomllib

import pytest
import yaml

from support import compose
from support.agent import REPOSITORY
from support.processes import free_port

DEPLOY = REPOSITORY / "deploy"
MAKE_ENV = DEPLOY / "make-env.sh"
SERVICES = ["kafka", "postgres", "grafana", "mosquitto", "kafka_producer", "kafka_consumer", "mqtt_bridge"]
AGENTS = ["kafka_producer", "kafka_consumer", "mqtt_bridge"]
PASSWORDS = ["POSTGRES_PASSWORD", "HBAGENT_DB_PASSWORD", "GRAFANA_DB_PASSWORD", "GRAFANA_ADMIN_PASSWORD",
             "MQTT_AGENT_PASSWORD", "MQTT_WEARABLE_PASSWORD"]
VARIABLES = {name: f"secret-{name}" for name in PASSWORDS}
needs_compose = pytest.mark.skipif(
    compose.program() is None, reason="no Docker Compose 2: install it, or name it in HBAGENT_DOCKER_COMPOSE")


@pytest.fixture(scope="module")
def document():
    return compose.load(VARIABLES)


@pytest.fixture(params=SERVICES)
def service(request, document):
    return document["services"][request.param]


def write_env(path, variables):
    path.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
    return path


def test_the_services_are_those_of_the_pipeline(document):
    assert list(document["services"]) == SERVICES
    assert [name for name, each in document["services"].items() if "profiles" in each] == ["mqtt_bridge"]


def test_a_service_has_no_rights_and_no_room_beyond_its_own(service):
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service and "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert str(service["user"]).split(":")[0] not in ("", "0", "root")
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert all("size=" in each for each in service["tmpfs"])
    assert {"max-size", "max-file"} <= set(service["logging"]["options"])
    assert service["restart"] == "unless-stopped"


def test_an_image_is_pinned_to_a_version_or_built_here(service):
    if service["image"] == "hbagent:local":
        assert (compose.FILE.parent / service["build"]["context"] / service["build"]["dockerfile"]).exists()
    else:
        assert re.fullmatch(r"[a-z/-]+:\d+\.\d+(\.\d+)?(-[a-z]+)?", service["image"])


def test_ports_are_published_to_this_machine_alone(document):
    published = {}
    for name, service in document["services"].items():
        for port in service["ports"]:
            address, outside, _inside = port.split(":")
            assert address == "127.0.0.1", f"{name}: {port}"
            published[name] = int(outside)
    assert published == {"kafka": 9092, "postgres": 5435, "grafana": 3030, "mosquitto": 1883, "kafka_producer": 9464,
                         "kafka_consumer": 9465, "mqtt_bridge": 9466}


def test_kafka_tells_clients_of_this_machine_the_published_port():
    port = str(free_port())
    kafka = compose.load({**VARIABLES, "HBAGENT_KAFKA_PORT": port})["services"]["kafka"]
    assert kafka["ports"] == [f"127.0.0.1:{port}:19092"]
    assert f"HOST://localhost:{port}" in kafka["environment"]["KAFKA_ADVERTISED_LISTENERS"]


def test_kafka_is_of_the_version_that_the_tests_run_with(document):
    version = re.search(r"<kafka.version>(.*)</kafka.version>", (DEPLOY / "kafka/pom.xml").read_text()).group(1)
    assert document["services"]["kafka"]["image"] == f"apache/kafka:{version}"


def test_whoever_needs_another_service_waits_until_that_is_healthy(document):
    waits = {name: sorted(service.get("depends_on", {})) for name, service in document["services"].items()}
    assert waits == {"kafka": [], "postgres": [], "mosquitto": [], "grafana": ["postgres"], "kafka_producer": ["kafka"],
                     "kafka_consumer": ["kafka", "postgres"], "mqtt_bridge": ["kafka", "mosquitto"]}
    for service in document["services"].values():
        for name, condition in service.get("depends_on", {}).items():
            assert condition == {"condition": "service_healthy"}
            assert "healthcheck" in document["services"][name]


def test_what_must_survive_is_in_a_named_volume(document):
    named = {source: (name, target) for name, service in document["services"].items()
             for source, target, _ in compose.mounts(service) if not source.startswith(".")}
    assert set(named) == set(document["volumes"])
    assert {named[each][1] for each in ("producer-data", "consumer-data", "bridge-data")} == {"/var/lib/hbagent"}


def test_what_is_mounted_from_the_project_is_there_and_cannot_be_changed(service):
    for source, target, read_only in compose.mounts(service):
        if source.startswith("."):
            assert read_only, source
            path = compose.FILE.parent / source
            assert path.exists(), f"{path}, mounted as {target}, does not exist"
            if path.suffix == ".sh":
                assert path.stat().st_mode & 0o005 == 0o005, f"{path} cannot be run by the service's user"


@pytest.mark.parametrize("name", PASSWORDS)
@pytest.mark.parametrize("value", [None, ""])
def test_without_a_password_nothing_starts_and_the_message_says_what_to_do(name, value):
    variables = {**VARIABLES, name: value}
    with pytest.raises(compose.MissingVariable, match=f"{name}: run deploy/make-env.sh"):
        compose.load(variables)


def test_no_password_is_written_down():
    text = compose.FILE.read_text()
    for line in text.splitlines():
        if re.search(r"PASSWORD|SECRET|TOKEN", line.split("#")[0]) and "$$" not in line:
            assert re.search(r"\$\{(\w+_PASSWORD):\?run deploy/make-env.sh\}$", line.rstrip()), line
    assert set(re.findall(r"\$\{(\w+):\?", text)) == set(PASSWORDS)


@pytest.mark.parametrize("name", AGENTS)
def test_an_agent_is_given_all_that_its_configuration_names(name, document):
    service = document["services"][name]
    source = next(source for source, target, _ in compose.mounts(service) if target == "/etc/hbagent/agent.toml")
    text = (compose.FILE.parent / source).read_text()
    assert set(re.findall(r"\$\{(\w+)\}", text)) == set(service["environment"])
    config = tomllib.loads(text)
    assert config["agent"]["id"] == name
    assert config["agent"]["data_dir"] == "/var/lib/hbagent"
    assert config["http"]["listen"].endswith(":9464")
    assert service["stop_grace_period"] == "30s"
    assert config["agent"].get("shutdown_timeout", "10s") == "10s"


def test_mosquitto_keeps_what_the_configuration_for_wearables_keeps():
    def settings(path):
        lines = [line.split("#")[0].split() for line in path.read_text().splitlines()]
        return {words[0]: words[1:] for words in lines if words}
    theirs, ours = settings(REPOSITORY / "config/mosquitto.conf"), settings(DEPLOY / "compose/mosquitto.conf")
    about_tls = {"listener", "cafile", "certfile", "keyfile", "password_file", "acl_file", "log_type"}
    assert {name: ours.get(name) for name in theirs if name not in about_tls} == {
        name: value for name, value in theirs.items() if name not in about_tls}


@needs_compose
def test_docker_compose_reads_the_file_as_these_tests_do(tmp_path, document):
    code, shown, error = compose.config(write_env(tmp_path / "env", VARIABLES), "--profile", "mqtt")
    assert (code, error) == (0, "")
    assert set(shown["services"]) == set(SERVICES)
    for name, service in document["services"].items():
        theirs = shown["services"][name]
        assert (theirs.get("environment") or {}) == service["environment"], name
        assert {mount["target"] for mount in theirs["volumes"]} == {target for _, target, _ in compose.mounts(service)}
        # `config` doubles the dollars again, so that its output can be read once more.
        checked = (theirs.get("healthcheck") or {}).get("test")
        assert checked == (service.get("healthcheck") or {}).get("test") or "$$" in checked[1], name
        assert theirs["image"] == service["image"]


@needs_compose
@pytest.mark.parametrize("name", PASSWORDS)
def test_docker_compose_refuses_to_go_without_a_password(name, tmp_path):
    variables = {other: value for other, value in VARIABLES.items() if other != name}
    code, _shown, error = compose.config(write_env(tmp_path / "env", variables), "--profile", "mqtt")
    assert code != 0
    assert name in error and "run deploy/make-env.sh" in error


def make_env(path):
    return subprocess.run([MAKE_ENV, path], capture_output=True, text=True)


def test_make_env_makes_a_password_of_its_own_for_each(tmp_path):
    made = make_env(tmp_path / "env")
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "env").stat().st_mode & 0o777 == 0o600
    variables = compose.read_variables(tmp_path / "env")
    assert set(variables) == set(PASSWORDS)
    assert all(re.fullmatch(r"[0-9a-f]{32}", value) for value in variables.values())
    assert len(set(variables.values())) == len(PASSWORDS)
    compose.load(variables)
    assert not any(value in made.stdout for value in variables.values())
    assert [path.name for path in tmp_path.iterdir()] == ["env"]


def test_make_env_keeps_what_is_there_and_fills_in_what_is_missing(tmp_path):
    path = tmp_path / "env"
    path.write_text("HBAGENT_KAFKA_PORT=19093\nPOSTGRES_PASSWORD=mine\nHBAGENT_DB_PASSWORD=\nGRAFANA_DB_PASSWORD=g")
    made = make_env(path)
    assert made.returncode == 0, made.stderr
    variables = compose.read_variables(path)
    assert set(variables) == {*PASSWORDS, "HBAGENT_KAFKA_PORT"}
    assert variables["HBAGENT_KAFKA_PORT"] == "19093"
    assert variables["POSTGRES_PASSWORD"] == "mine"
    assert variables["GRAFANA_DB_PASSWORD"] == "g"
    assert len(variables["HBAGENT_DB_PASSWORD"]) == 32
    before = path.read_text()
    again = make_env(path)
    assert again.returncode == 0 and "nothing was changed" in again.stdout
    assert path.read_text() == before


def test_make_env_says_when_it_cannot_write(tmp_path):
    made = make_env(tmp_path / "nowhere" / "env")
    assert made.returncode != 0 and "nowhere" in made.stderr


def test_the_example_names_each_variable_and_no_password():
    text = (DEPLOY / ".env.example").read_text()
    named = set(re.findall(r"^(?:# )?(\w+)=", text, re.MULTILINE))
    assert named == set(re.findall(r"\$\{(\w+)", compose.FILE.read_text()))
    assert set(re.findall(r"^(\w+_PASSWORD)=$", text, re.MULTILINE)) == set(PASSWORDS)
    assert yaml.safe_load(compose.FILE.read_text())["name"] == "hbagent"
