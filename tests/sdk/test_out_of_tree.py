"""Plugins built outside the tree against the installed SDK alone, and run by the agent."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

from support.agent import REPOSITORY, binary
from support.readmes import block_in, options_block

HERE = pathlib.Path(__file__).parent
COMPILERS = [name for name in ("g++", "clang++") if shutil.which(name)]

# The generator promises: slot s of customer c at s * interval + c * interval / customers, from `start` on.
CUSTOMERS = 4
COUNT = 20_000
START_US = 1_767_225_600_000_000
FLOW = f"""
[[source]]
plugin = "generator"
customers = {CUSTOMERS}
interval = "1s"
start = "2026-01-01T00:00:00Z"
speed = "max"
seed = 11
count = {COUNT}
outliers = {{ tachycardia = 20.0 }}
"""


def run(*command, **options):
    """Runs a command and returns its standard output; a failure shows all that it printed."""
    done = subprocess.run([str(part) for part in command], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          **options)
    assert done.returncode == 0, f"{command}: exit code {done.returncode}\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="session")
def sdk(tmp_path_factory):
    """The folder into which the SDK, and nothing else, was installed."""
    folder = tmp_path_factory.mktemp("sdk")
    run("cmake", "--install", binary().parents[1], "--component", "sdk", "--prefix", folder)
    return folder


def build(source, folder, sdk, **environment):
    """Copies a project away and builds it there, where it sees the installed SDK and not this source tree."""
    environment = {**os.environ, **environment}
    build_folder = folder / "build"
    source = shutil.copytree(source, folder / "source")
    run("cmake", "-G", "Ninja", "-S", source, "-B", build_folder, f"-DCMAKE_PREFIX_PATH={sdk}",
        "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON",
        "-DCMAKE_COMPILE_WARNING_AS_ERROR=ON", env=environment)
    run("cmake", "--build", build_folder, env=environment)
    assert str(REPOSITORY) not in (build_folder / "compile_commands.json").read_text()
    return build_folder


@pytest.fixture(scope="session", params=COMPILERS)
def template(request, sdk, tmp_path_factory):
    """A copy of the template, built with one compiler: its build folder."""
    built = build(REPOSITORY / "sdk/template", tmp_path_factory.mktemp("template"), sdk, CXX=request.param)
    wanted = "Clang" if request.param == "clang++" else "GNU"
    assert f'CMAKE_CXX_COMPILER_ID "{wanted}"' in next(
        (built / "CMakeFiles").glob("*/CMakeCXXCompiler.cmake")).read_text()
    return built


@pytest.fixture(scope="session")
def c_plugin(sdk, tmp_path_factory):
    return build(HERE / "c_plugin", tmp_path_factory.mktemp("limit"), sdk)


def assert_well_linked(library):
    """Exports the one symbol, and is marked never to be unloaded."""
    symbols = [line.split()[-1] for line in run("nm", "-D", "--defined-only", library).splitlines()]
    assert symbols == ["hb_plugin_v1"]
    assert re.search(r"FLAGS_1\).*NODELETE", run("readelf", "-d", library))


def csv_sink(path, more=""):
    return f'\n[[sink]]\nplugin = "csv"\nname = "{path.stem}"\npath = "{path}"\n{more}\n'


def test_sdk_is_headers_and_cmake_files_only(sdk):
    files = {path.relative_to(sdk) for path in sdk.rglob("*") if path.is_file()}
    assert {path.suffix for path in files} <= {".h", ".hpp", ".cmake", ".map", ".cpp"}
    assert {path.name for path in files if path.suffix == ".h"} == {"plugin.h", "decode.h", "journal.h", "stored.h"}
    installed = {path.name for path in files if path.parts[0] == "include"}
    assert installed == {path.name for path in (REPOSITORY / "sdk/include").rglob("*.h*")}


def test_template_passes_its_own_test(template):
    output = run("ctest", "--test-dir", template, "--output-on-failure", "--no-tests=error")
    assert "100% tests passed" in output


def test_template_exports_one_symbol_and_is_never_unloaded(template):
    assert_well_linked(template / "csv.so")


def test_template_installs_where_agents_look(template, tmp_path):
    run("cmake", "--install", template, "--prefix", tmp_path)
    libraries = list(tmp_path.rglob("*.so"))
    assert len(libraries) == 1
    assert re.search(r"/lib[^ ]*/hbagent/plugins/csv\.so$", str(libraries[0]))


def test_agent_documents_the_template(template):
    help_text = run(binary(), "plugins", "csv", "--plugin-dir", template)
    assert re.search(r'^sink "csv" 0\.1\.0$', help_text, re.MULTILINE)
    assert "path  (string, required)" in help_text
    assert block_in(REPOSITORY / "sdk/template/README.md") == options_block(binary(), "csv", "--plugin-dir", template)


def test_agent_runs_the_template(template, agent, tmp_path):
    ours, theirs = tmp_path / "readings.csv", tmp_path / "reference.csv"
    running = agent(FLOW + csv_sink(ours) + f'\n[[sink]]\nplugin = "file"\nformat = "csv"\npath = "{theirs}"\n',
                    arguments=["--plugin-dir", template]).start()
    assert running.wait(60) == 0, running.log
    rows = [line.split(",") for line in ours.read_text().splitlines()]
    assert [(row[0], int(row[1])) for row in rows] == [
        (f"cust_{i % CUSTOMERS:05}", START_US + i * 1_000_000 // CUSTOMERS) for i in range(COUNT)]
    reference = [line.split(",") for line in theirs.read_text().splitlines()[1:]]
    assert [(row[0], row[2]) for row in rows] == [(row[0], row[2]) for row in reference]


def test_agent_runs_a_plugin_in_c(c_plugin, template, agent, tmp_path):
    assert_well_linked(c_plugin / "limit.so")
    everything, flagged = tmp_path / "everything.csv", tmp_path / "flagged.csv"
    running = agent(FLOW + '\n[[processor]]\nplugin = "limit"\nabove = 110\n' + csv_sink(everything)
                    + csv_sink(flagged, 'where = ["high"]'),
                    arguments=["--plugin-dir", template, "--plugin-dir", c_plugin]).start()
    assert running.wait(60) == 0, running.log
    lines = everything.read_text().splitlines()
    high = [line for line in lines if int(line.split(",")[2]) > 110]
    assert len(lines) == COUNT and 0 < len(high) < COUNT
    assert flagged.read_text().splitlines() == high


def test_options_of_a_plugin_in_c_are_checked(c_plugin, tmp_path):
    config = tmp_path / "agent.toml"
    config.write_text(FLOW + '[[processor]]\nplugin = "limit"\nabove = 301\n[[sink]]\nplugin = "null"\n')
    checked = subprocess.run([binary(), "check", "-c", config, "--plugin-dir", c_plugin], text=True,
                             capture_output=True)
    assert checked.returncode == 2
    assert re.search(r'agent\.toml:\d+:\d+: .*"above" is out of range: found .*301, allowed 1 to 300', checked.stderr)
