"""What can be said of the provisioning without a Grafana and without a database."""

import datetime
import itertools
import re

import pytest
import yaml

from . import macros, provisioned

DASHBOARDS = provisioned.dashboards()
START = datetime.datetime(2026, 1, 1, 10, tzinfo=datetime.timezone.utc)
each_dashboard = pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=DASHBOARDS)


def every_uid(node):
    """The uid of every reference to a data source, wherever it is."""
    if isinstance(node, dict):
        if "datasource" in node:
            yield node["datasource"]["uid"], node["datasource"]["type"]
        for child in node.values():
            yield from every_uid(child)
    elif isinstance(node, list):
        for child in node:
            yield from every_uid(child)


def datasource():
    (document,) = provisioned.provisioning("datasources")
    (found,) = document["datasources"]
    return found


def refresh_minimum():
    settings = dict(line.split("=", 1) for line in (provisioned.FOLDER / "grafana.env").read_text().splitlines()
                    if line and not line.startswith("#"))
    return macros.seconds_of(settings["GF_DASHBOARDS_MIN_REFRESH_INTERVAL"])


def test_the_data_source_says_what_grafana_would_guess_wrong():
    found = datasource()
    assert found["type"] == provisioned.DATASOURCE_TYPE
    assert re.fullmatch(r"\$[A-Z_]+", found["url"]) and "database" not in found
    assert found["jsonData"]["database"] == "heartbeat_db"
    assert found["jsonData"]["sslmode"] and found["jsonData"]["timeInterval"] == "1s"
    assert re.fullmatch(r"\$[A-Z_]+", found["secureJsonData"]["password"]), "a password in the repository"
    assert found["user"] == "grafana"


@each_dashboard
def test_every_query_goes_to_the_provisioned_data_source(dashboard):
    found = set(every_uid(dashboard))
    assert found == {(datasource()["uid"], datasource()["type"])}


def test_dashboards_have_uids_and_titles_of_their_own_and_link_to_each_other():
    uids = [dashboard["uid"] for dashboard in DASHBOARDS.values()]
    assert len(set(uids)) == len({dashboard["title"] for dashboard in DASHBOARDS.values()}) == len(uids)
    for dashboard in DASHBOARDS.values():
        assert dashboard["schemaVersion"] == 42 and "id" not in dashboard
        for link in dashboard["links"]:
            assert link["url"].removeprefix("/d/") in uids


@each_dashboard
def test_panels_have_ids_of_their_own_and_something_to_say(dashboard):
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    titles = [panel["title"] for panel in dashboard["panels"]]
    assert len(set(titles)) == len(titles)
    for panel in dashboard["panels"]:
        assert panel["title"] and panel["description"]
        refs = [target["refId"] for target in panel.get("targets", [])]
        assert len(set(refs)) == len(refs) and (refs or panel["type"] == "text")
        for target in panel.get("targets", []):
            assert target["rawSql"].strip() and target["rawQuery"] and target["format"] in ("table", "time_series")


@each_dashboard
def test_panels_fill_the_grid_without_overlap(dashboard):
    taken = {}
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert place["x"] >= 0 and place["w"] > 0 and place["x"] + place["w"] <= 24
        for cell in itertools.product(range(place["x"], place["x"] + place["w"]),
                                      range(place["y"], place["y"] + place["h"])):
            assert cell not in taken, f"{panel['title']} lies on {taken[cell]}"
            taken[cell] = panel["title"]
    assert len(taken) == 24 * (1 + max(y for _, y in taken)), "a hole"


@each_dashboard
def test_overrides_name_columns_that_their_queries_have(dashboard):
    for panel in dashboard["panels"]:
        for override in panel.get("fieldConfig", {}).get("overrides", []):
            column = override["matcher"]["options"]
            assert any(f'"{column}"' in target["rawSql"] for target in panel["targets"]), column


@each_dashboard
def test_every_variable_is_declared_and_used(dashboard):
    declared = {variable["name"] for variable in dashboard["templating"]["list"]}
    used = set()
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            used |= {braced or plain for braced, plain in
                     re.findall(r"\$(?:\{(\w+)[^}]*\}|(\w+)(?!\w*\())", target["rawSql"])}
    assert {name for name in used if not name.startswith("__")} == declared


@each_dashboard
def test_it_refreshes_as_often_as_the_server_allows_in_the_browsers_time_zone(dashboard):
    assert dashboard["refresh"] == "1s" and dashboard["timezone"] == "browser"
    offered = dashboard["timepicker"]["refresh_intervals"]
    assert dashboard["refresh"] in offered
    assert min(map(macros.seconds_of, offered)) >= refresh_minimum()


@each_dashboard
def test_a_custom_variable_has_its_default_among_its_values(dashboard):
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "custom":
            written = [tuple(pair.split(" : ")) for pair in variable["query"].split(", ")]
            assert written == [(option["text"], option["value"]) for option in variable["options"]]
            assert (variable["current"]["text"], variable["current"]["value"]) in written


@pytest.mark.parametrize("query", provisioned.queries(), ids=lambda query: query.name)
def test_every_query_expands_and_only_reads(query):
    sql = query.expanded(START, START + datetime.timedelta(minutes=5))
    assert re.match(r"\s*(SELECT|WITH)\b", sql) and ";" not in sql


def test_the_provider_reads_the_folder_that_the_start_links():
    (document,) = provisioned.provisioning("dashboards")
    (provider,) = document["providers"]
    assert provider["type"] == "file" and provider["options"]["path"] == "$GF_PATHS_DATA/dashboards"
    assert 'ln -sfn "$GRAFANA_FILES/dashboards" "$folder/data/dashboards"' in (
        provisioned.FOLDER.parent / "lib/grafana.sh").read_text()


def test_alert_rules_are_whole_and_leave_the_notification_policies_alone():
    dashboards = {dashboard["uid"]: {str(panel["id"]) for panel in dashboard["panels"]}
                  for dashboard in DASHBOARDS.values()}
    for document in provisioned.provisioning("alerting"):
        assert set(document) == {"apiVersion", "groups"}, "policies would replace the whole tree"
        for group in document["groups"]:
            assert macros.seconds_of(group["interval"]) % 10 == 0, "Grafana evaluates every 10 s"
    rules = provisioned.alert_rules()
    assert len({rule["uid"] for rule in rules}) == len(rules) == len({rule["title"] for rule in rules})
    for rule in rules:
        query, reduce, threshold = rule["data"]
        assert query["datasourceUid"] == datasource()["uid"] == query["model"]["datasource"]["uid"]
        assert query["model"]["format"] == "time_series" and "ORDER BY" in query["model"]["rawSql"]
        assert (reduce["model"]["type"], reduce["model"]["expression"]) == ("reduce", query["refId"])
        assert (threshold["model"]["type"], threshold["model"]["expression"]) == ("threshold", reduce["refId"])
        assert rule["condition"] == threshold["refId"]
        assert all(step["refId"] == step["model"]["refId"] for step in rule["data"])
        assert rule["annotations"]["__panelId__"] in dashboards[rule["annotations"]["__dashboardUid__"]]


def test_nothing_in_the_alert_rules_looks_like_an_environment_variable():
    for path in (provisioned.FOLDER / "provisioning/alerting").glob("*.yaml"):
        assert "$" not in yaml.safe_dump(yaml.safe_load(path.read_text())), path


def test_the_expander_refuses_what_grafana_would_not_understand():
    for wrong in ("SELECT $__timeFilter(date_trunc('s', time))", "SELECT $__nothing(time)", "SELECT $unknown", "SELECT '$'",
                  "SELECT $__timeGroup(time)"):
        with pytest.raises(macros.MacroError):
            macros.expand(wrong, START, START)
    assert macros.expand("SELECT $__timeGroupAlias(time,$__interval)", START, START, "5s") == (
        'SELECT floor(extract(epoch from time)/5)*5 AS "time"')
    assert macros.expand("$__timeFilter(t)", START, START) == (
        "t BETWEEN '2026-01-01T10:00:00Z' AND '2026-01-01T10:00:00Z'")
    assert macros.expand("IN (${c:sqlstring})", START, START, variables={"c": ["a", "o'b"]}) == "IN ('a','o''b')"
