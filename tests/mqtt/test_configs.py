"""The ready-made configurations for MQTT turn what devices were seen to publish into the readings that it means."""

import json
import re
import subprocess
import tomllib

import pytest

from support.agent import REPOSITORY, binary

from . import bridge

CASES = [json.loads(line) for line in (REPOSITORY / "tests/data/payloads.jsonl").read_text().splitlines()]
RECEIVED = "2026-01-15T12:00:00.000000Z"

# Which of the recorded cases each is for, by the beginning of their ids.
CONFIGS = {
    "mqtt-json": ["boot-01", "boot-05", "boot-06", "boot-11", "boot-inv0", "boot-inv-1", "json-18"],
    "mqtt-theengs": ["theengs-"],
    "mqtt-esphome": ["scalar-04", "scalar-05"],
    "mqtt-gatt": ["gatt-"],
    "mqtt-health-auto-export": ["hae-"],
}


def test_every_configuration_for_mqtt_is_tried_here():
    assert {path.stem for path in (REPOSITORY / "config").glob("mqtt-*.toml")} == set(CONFIGS)


def text_of(name):
    return (REPOSITORY / f"config/{name}.toml").read_text()


def test_all_of_them_can_run_on_one_machine_and_broker():
    parsed = [tomllib.loads(text_of(path.stem)) for path in (REPOSITORY / "config").glob("*.toml")
              if path.stem in CONFIGS or path.stem.endswith(("-to-kafka", "-to-postgres"))]
    assert len(parsed) > len(CONFIGS)
    for what, found in (("port", [each["http"]["listen"] for each in parsed]),
                        ("data_dir", [each["agent"]["data_dir"] for each in parsed]),
                        ("id", [each["agent"]["id"] for each in parsed]),
                        ("client_id", [source["client_id"] for each in parsed for source in each["source"]
                                       if source["plugin"] == "mqtt"])):
        assert len(set(found)) == len(found), (what, sorted(found))


def test_the_one_to_a_file_and_the_one_to_postgres_run_side_by_side(agent, own_mosquitto, postgres, tmp_path):
    database = postgres.new_database()
    environment = {"MQTT_SERVER": own_mosquitto.uri, "HBAGENT_DATA": str(tmp_path / "agents"),
                   "POSTGRES_URI": database.uri}
    straps, phones = (
        agent(re.sub(r'^\[http\]\nlisten = .*\n', "", text_of(name), flags=re.MULTILINE), name,
              environment=environment).start() for name in ("mqtt-gatt", "mqtt-health-auto-export"))
    for each in straps, phones:
        each.wait_ready(30)
    subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(own_mosquitto.port), "-q", "1", "-s", "-t",
                    "/ble/data/c7:f9:36:dd:b0:ca/180d/2a37"], input=bytes.fromhex("10392304"), check=True)
    (export,) = (case for case in CASES if case["id"] == "hae-01")
    own_mosquitto.publish(export["topic"], [export["payload"]])
    path = tmp_path / "agents/bridge-gatt/readings.jsonl"
    straps.wait_while_running(lambda: path.exists() and path.read_text().endswith("\n"), 20, "to write the file")
    (line,) = path.read_text().splitlines()
    assert json.loads(line)["customer_id"] == "c7:f9:36:dd:b0:ca" and json.loads(line)["heart_rate"] == 57
    wanted = expected(export)
    phones.wait_while_running(lambda: bridge.stored(database) == len(wanted), 20, "to store what the phone sent")
    assert database.execute("SELECT customer_id, heart_rate FROM heartbeats ORDER BY time") == [
        (each["customer_id"], each["heart_rate"]) for each in sorted(wanted, key=lambda each: each["time"])]


def expected(case):
    """What `hbagent decode` prints: readings, rounded half to even, and the reasons of rejects."""
    verdicts = case["expect"] if isinstance(case["expect"], list) else [case["expect"]]
    return [{"reject": each["reason"]} if each["heart_rate"] == "reject" else
            {"customer_id": each["customer_id"], "time": instant(each["time"] or RECEIVED),
             "heart_rate": round(each["heart_rate"])} for each in verdicts]


def instant(text):
    """With six digits of a second, so that equal times are equal texts."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    return f"{whole}.{fraction:0<6}Z"


@pytest.mark.parametrize("name", CONFIGS)
def test_what_devices_publish_becomes_the_readings_that_it_means(name, tmp_path):
    cases = [case for case in CASES if case["id"].startswith(tuple(CONFIGS[name]))]
    assert cases
    batch = tmp_path / "batch.jsonl"
    batch.write_text("".join(json.dumps({key: case[key] for key in ("topic", "encoding", "payload") if key in case}
                                        | {"received_at": RECEIVED}) + "\n" for case in cases))
    done = subprocess.run([binary(), "decode", "-c", REPOSITORY / f"config/{name}.toml", "--batch", batch], text=True,
                          capture_output=True)
    assert done.returncode == 0, done.stderr
    found = [[{"reject": each["reject"]} if "reject" in each else
              {"customer_id": each["customer_id"], "time": instant(each["time"]), "heart_rate": each["heart_rate"]}
              for each in json.loads(line)] for line in done.stdout.splitlines()]
    for case, verdicts in zip(cases, found, strict=True):
        assert verdicts == expected(case), case["id"]


def test_what_is_no_strap_behind_a_theengs_gateway_is_discarded_by_the_guard():
    """What Theengs decodes a thermometer, a scale and a strap to, and what says nothing of itself."""
    payloads = ['{"brand":"Xiaomi","model":"LYWSD03MMC","model_id":"LYWSD03MMC_ATC","type":"THB","tempc":21.5,"hum":40}',
                '{"brand":"Xiaomi","model":"Mi Smart Scale","model_id":"XMTZC04HM","type":"SCALE","weight":70.1}',
                '{"brand":"Polar","model_id":"H10","type":"BODY","bpm":70}', '{"id":"A0:9E:1A:70:54:5E","rssi":-78}']
    done = subprocess.run([binary(), "decode", "-c", REPOSITORY / "config/mqtt-theengs.toml", "--batch", "-"], text=True,
                          capture_output=True, input="".join(
        json.dumps({"topic": "home/OMG/BTtoMQTT/A09E1A70545E", "encoding": "utf8", "payload": payload}) + "\n"
        for payload in payloads))
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line)[0] for line in done.stdout.splitlines()]
    assert [each.get("reject", each.get("heart_rate")) for each in answers] == [
        "guard_mismatch", "guard_mismatch", 70, "missing_heart_rate"]
