"""deploy/stack.sh: only `up` makes a folder its own, and only such a folder is ever deleted."""

import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from support.processes import free_port
from support.servers import REPOSITORY


@pytest.fixture
def parent():
    # Not pytest's tmp_path: servers run as other users when the tests run as root, and must get through.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="hbagent-stack-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def run(parent):
    """Runs stack.sh on parent/stack. Its servers end with the test."""
    variables = {"HBAGENT_STACK_DIR": str(parent / "stack"), "HBAGENT_MOSQUITTO_PORT": str(free_port())}

    def stack(*arguments):
        return subprocess.run([REPOSITORY / "deploy/stack.sh", *arguments], capture_output=True, text=True, timeout=120,
                              env={**os.environ, **variables})
    yield stack
    stack("down")


@pytest.fixture
def foreign(parent):
    """A folder that holds somebody's file."""
    folder = parent / "stack"
    folder.mkdir(mode=0o700)
    (folder / "thesis.txt").write_text("years of work")
    return folder


def state_of(folder):
    return folder.stat().st_mode, {path.name: path.read_text() for path in folder.iterdir()}


def test_clean_refuses_a_folder_that_up_did_not_make(run, foreign):
    before = state_of(foreign)
    shown = run("clean")
    assert shown.returncode == 1
    assert f"{foreign} was not made by this script: delete it yourself" in shown.stderr
    assert state_of(foreign) == before


def test_up_refuses_a_folder_that_holds_something_else(run, foreign):
    before = state_of(foreign)
    for command in ("up", "restart"):
        shown = run(command, "mosquitto")
        assert shown.returncode == 1
        assert (f"{foreign} holds something else already: set HBAGENT_STACK_DIR to a folder that is new or empty"
                in shown.stderr)
        assert state_of(foreign) == before


@pytest.mark.parametrize("command", ["down", "status", "logs", "clean"])
def test_only_up_changes_anything(run, parent, command):
    run(command)
    assert not (parent / "stack").exists()
    (parent / "stack").mkdir(mode=0o700)
    before = state_of(parent / "stack")
    run(command)
    assert state_of(parent / "stack") == before


@pytest.mark.parametrize("exists", [False, True])
def test_what_up_made_is_stopped_kept_used_again_and_deleted(run, parent, exists):
    folder = parent / "stack"
    if exists:
        folder.mkdir(mode=0o700)
    for _ in range(2):
        started = run("up", "mosquitto")
        assert started.returncode == 0, started.stderr
        assert run("down").returncode == 0
        assert (folder / "mosquitto").is_dir()
    cleaned = run("clean")
    assert cleaned.returncode == 0, cleaned.stderr
    assert f"Deleted {folder}" in cleaned.stdout
    assert not folder.exists()
