"""Reads deploy/compose.yaml as `docker compose` does, as far as that file uses the format, and finds that program."""

import json
import os
import re
import shutil
import subprocess

import yaml

from .agent import REPOSITORY

FILE = REPOSITORY / "deploy" / "compose.yaml"
_VARIABLE = re.compile(r"\$(?:(\$)|\{(\w+)(?::([-?])([^}]*))?\})")


class MissingVariable(Exception):
    """A variable that has to be given, with what the file says about it."""


def _interpolate(value, variables):
    def replaced(match):
        dollar, name, kind, word = match.groups()
        if dollar:
            return "$"
        if variables.get(name):
            return variables[name]
        if kind == "-":
            return word
        raise MissingVariable(f"{name}: {word}")
    if isinstance(value, str):
        return _VARIABLE.sub(replaced, value)
    if isinstance(value, dict):
        return {key: _interpolate(each, variables) for key, each in value.items()}
    if isinstance(value, list):
        return [_interpolate(each, variables) for each in value]
    return value


def read_variables(path):
    """NAME=VALUE lines, as in .env."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def load(variables):
    """The file with these variables put in. Files of `env_file` are part of each service's environment."""
    document = _interpolate(yaml.safe_load(FILE.read_text()), variables)
    for service in document["services"].values():
        given = {}
        for path in service.get("env_file", []):
            given.update(read_variables(FILE.parent / path))
        service["environment"] = {**given, **service.get("environment", {})}
    return document


def mounts(service):
    """(source, target, read only) of each volume and each bind mount of a service."""
    for volume in service.get("volumes", []):
        source, target, *mode = volume.split(":")
        yield source, target, mode == ["ro"]


def program():
    """The command of Docker Compose 2, or None: HBAGENT_DOCKER_COMPOSE, `docker compose`, `docker-compose`."""
    for command in ([os.environ.get("HBAGENT_DOCKER_COMPOSE", "")], ["docker", "compose"], ["docker-compose"]):
        if command[0] and shutil.which(command[0]):
            shown = subprocess.run([*command, "version", "--short"], capture_output=True, text=True)
            if shown.returncode == 0 and not shown.stdout.startswith("1."):
                return command
    return None


def config(env_file, *arguments):
    """Runs `docker compose config` with these variables and no others: (exit code, parsed JSON, standard error)."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    shown = subprocess.run([*program(), "--file", FILE, "--env-file", env_file, *arguments, "config", "--format", "json"],
                           capture_output=True, text=True, env=environment)
    return shown.returncode, json.loads(shown.stdout) if shown.returncode == 0 else None, shown.stderr
