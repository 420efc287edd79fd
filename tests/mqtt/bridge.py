"""The bridge under test: MQTT -> disk journal -> PostgreSQL, and the readings that are published into it."""

from faults import readings

TOPIC = "wearables/{customer_id}/hr"
POSTGRES = '[[sink]]\nplugin = "postgres"\nuri = "{}"\nretry_max = "1s"\n'
NULL = '[[sink]]\nplugin = "null"\n'


def source(server, more="", client_id="edge-01", subscription="", topic=TOPIC, tables=""):
    """`more`: further keys of the source; `subscription`: of its subscription; `tables`: whatever comes behind it."""
    return f"""
[[source]]
plugin = "mqtt"
server = "{server}"
client_id = "{client_id}"
retry_max = "1s"
{more}
  [[source.subscription]]
  topic = "{topic}"
  decoder = "json"
  heart_rate = {{ pointer = "/heart_rate" }}
  time = {{ pointer = "/time" }}
  {subscription}
{tables}
"""


def another_subscription(topic):
    """For `tables`."""
    return (f'[[source.subscription]]\ntopic = "{topic}"\ndecoder = "json"\n'
            'heart_rate = { pointer = "/heart_rate" }\ntime = { pointer = "/time" }\n')


def to_postgres(database):
    return POSTGRES.format(database.uri)


def message(series):
    """make(number) for a Publisher: the numbered reading on its customer's topic."""
    def make(number):
        customer, moment, rate = readings.as_csv(series, number).split(",")
        return f"wearables/{customer}/hr", f'{{"time":"{moment}","heart_rate":{rate}}}'.encode()
    return make


def stored(database):
    """How many rows there are, 0 before the agent has made the table."""
    (there,) = database.execute("SELECT to_regclass('heartbeats') IS NOT NULL")[0]
    return database.value("SELECT count(*) FROM heartbeats") if there else 0
