"""deploy/grafana as data: dashboards, panels, variables, alert rules, and every query in them."""

import dataclasses
import json

import yaml

from support.servers import REPOSITORY

from . import macros

FOLDER = REPOSITORY / "deploy" / "grafana"
DATASOURCE_TYPE = "grafana-postgresql-datasource"


def dashboards():
    """{file name without .json: the dashboard}"""
    found = {path.stem: json.loads(path.read_text()) for path in sorted((FOLDER / "dashboards").glob("*.json"))}
    assert found, f"no dashboard in {FOLDER}"
    return found


def provisioning(kind):
    """The documents of provisioning/KIND/*.yaml."""
    found = [yaml.safe_load(path.read_text()) for path in sorted((FOLDER / "provisioning" / kind).glob("*.yaml"))]
    assert found, f"nothing provisions {kind}"
    return found


def alert_rules():
    return [rule for document in provisioning("alerting") for group in document["groups"] for rule in group["rules"]]


@dataclasses.dataclass(frozen=True)
class Query:
    name: str  # "heart-rates/Totals/A", "pipeline/$customer", "alerting/hbagent-silent/A"
    sql: str   # as written
    format: str  # table, time_series or variable
    variables: dict = dataclasses.field(compare=False, hash=False)  # defaults of its dashboard

    def expanded(self, start, end, interval="1s", **variables):
        return macros.expand(self.sql, start, end, interval, {**self.variables, **variables})


def default_values(dashboard):
    """What a dashboard's variables are when it is opened."""
    values = {}
    for variable in dashboard["templating"]["list"]:
        current = variable["current"]["value"]
        values[variable["name"]] = macros.Variables.Raw(variable["allValue"]) if current == ["$__all"] else current
    return values


def queries():
    found = []
    for name, dashboard in dashboards().items():
        defaults = default_values(dashboard)
        for panel in dashboard["panels"]:
            for target in panel.get("targets", []):
                found.append(Query(f"{name}/{panel['title']}/{target['refId']}", target["rawSql"], target["format"],
                                   defaults))
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                found.append(Query(f"{name}/${variable['name']}", variable["query"], "variable", defaults))
    for rule in alert_rules():
        for step in rule["data"]:
            if step["datasourceUid"] != "__expr__":
                found.append(Query(f"alerting/{rule['uid']}/{step['refId']}", step["model"]["rawSql"],
                                   step["model"]["format"], {}))
    return found


def query(name):
    (found,) = [candidate for candidate in queries() if candidate.name == name]
    return found
