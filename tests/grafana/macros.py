"""What Grafana does to a query before PostgreSQL sees it: variables in the browser, then macros in the server.

After the PostgreSQL data source of Grafana 12 and 13. What is not known here is an error, as it is there.
"""

import datetime
import re

_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::(\w+))?\}|(\w+)(?!\())")
_MACRO = re.compile(r"\$([_a-zA-Z0-9]+)\(([^)]*)\)")
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


class MacroError(Exception):
    """Grafana would refuse the query, or send a "$" on to PostgreSQL."""


def quoted(values):
    """${name:sqlstring}: each value as an SQL literal, separated by commas."""
    return ",".join("'" + value.replace("'", "''") + "'" for value in values)


class Variables:
    """The values of a dashboard's variables: a text, a list of texts (several chosen), or Raw (a custom "all" value)."""

    class Raw(str):
        """Goes into the query as it is, whatever format was asked for."""

    def __init__(self, values):
        self._values = dict(values)

    def interpolate(self, sql):
        def replace(match):
            name = match.group(1) or match.group(3)
            form = match.group(2)
            if name not in self._values:
                if name.startswith("__"):
                    return match.group(0)  # a macro's business
                raise MacroError(f"variable ${name} is not declared")
            value = self._values[name]
            if isinstance(value, Variables.Raw):
                return value
            if form == "sqlstring":
                return quoted([value] if isinstance(value, str) else value)
            if form is not None or not isinstance(value, str):
                raise MacroError(f"${name}: how to write it is not said, or not known here: {form}")
            return value
        return _VARIABLE.sub(replace, sql)


def seconds_of(interval):
    match = re.fullmatch(r"(\d+)(ms|[smhd])", interval)
    if not match:
        raise MacroError(f"no interval: {interval}")
    return int(match.group(1)) * _UNITS[match.group(2)]


def _time(value):
    return "'" + value.astimezone(datetime.timezone.utc).isoformat().replace("+00:00", "Z") + "'"


def _group(arguments):
    if len(arguments) != 2:
        raise MacroError("$__timeGroup takes a column and an interval")
    seconds = f"{seconds_of(arguments[1].strip(chr(39))):g}"
    return f"floor(extract(epoch from {arguments[0]})/{seconds})*{seconds}"


def expand(sql, start, end, interval="1s", variables=None):
    """The query as PostgreSQL gets it. `start`, `end`: the time range, as aware datetimes."""
    sql = Variables({**(variables or {}), "__interval": interval,
                     "__interval_ms": str(round(seconds_of(interval) * 1000))}).interpolate(sql)

    def replace(match):
        name, arguments = match.group(1), [argument.strip(" ") for argument in match.group(2).split(",")]
        if name in ("__timeFilter", "__time", "__timeEpoch") and (len(arguments) != 1 or not arguments[0]):
            raise MacroError(f"${name} takes one column")
        known = {
            "__time": lambda: f'{arguments[0]} AS "time"',
            "__timeEpoch": lambda: f'extract(epoch from {arguments[0]}) as "time"',
            "__timeFilter": lambda: f"{arguments[0]} BETWEEN {_time(start)} AND {_time(end)}",
            "__timeFrom": lambda: _time(start),
            "__timeTo": lambda: _time(end),
            "__timeGroup": lambda: _group(arguments),
            "__timeGroupAlias": lambda: _group(arguments) + ' AS "time"',
            "__unixEpochFilter": lambda: (f"{arguments[0]} >= {int(start.timestamp())} AND "
                                          f"{arguments[0]} <= {int(end.timestamp())}"),
        }
        if name not in known:
            raise MacroError(f"unknown macro ${name}")
        return known[name]()
    expanded = _MACRO.sub(replace, sql)
    if "$" in expanded:
        raise MacroError(f"a $ is left: {expanded[expanded.index('$'):][:40]}")
    return expanded
