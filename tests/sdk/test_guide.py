"""The author's guide keeps its word: every snippet compiles, and the plugins in it run."""

import json
import re
import shutil
import subprocess

import pytest

from support.agent import REPOSITORY, binary

GUIDE = REPOSITORY / "sdk/README.md"
SNIPPETS = re.findall(r"^```cpp\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
PLUGINS = {name: text for text in SNIPPETS for name in re.findall(r'^HB_\w+_PLUGIN\(\w+, "(\w+)"', text, re.MULTILINE)}
FLAGS = ["-std=c++20", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror",
         f"-I{REPOSITORY}/sdk/include", f"-I{REPOSITORY}/sdk/template"]


def compile_snippet(compiler, text, *arguments):
    done = subprocess.run([compiler, *FLAGS, "-x", "c++", "-", *map(str, arguments)], input=text, text=True,
                          capture_output=True)
    assert done.returncode == 0, f"{text}\n{done.stderr}"


@pytest.fixture(scope="session")
def plugin_folder(tmp_path_factory):
    """The plugins of the guide, built: one library each."""
    folder = tmp_path_factory.mktemp("guide")
    for name, text in PLUGINS.items():
        compile_snippet("g++", text, "-O1", "-fPIC", "-shared", "-fvisibility=hidden", "-Wl,-z,nodelete", "-o",
                        folder / f"{name}.so")
    return folder


def test_guide_has_a_plugin_of_each_kind():
    assert set(PLUGINS) == {"csv", "lines", "thin"} and len(SNIPPETS) == 5


@pytest.mark.parametrize("compiler", [name for name in ("g++", "clang++") if shutil.which(name)])
@pytest.mark.parametrize("snippet", SNIPPETS, ids=range(len(SNIPPETS)))
def test_snippet_compiles_without_a_warning(compiler, snippet):
    compile_snippet(compiler, snippet, "-fsyntax-only")


def test_sink_of_the_guide_is_the_template():
    """But for the example value, which the guide leaves out."""
    template = (REPOSITORY / "sdk/template/csv_sink.hpp").read_text()

    def body(text):
        text = re.sub(r'\.example\("[^\n]*"\)\)', ")", text)
        return re.sub(r"\s+", "", re.search(r"class CsvSink.*?^};", text, re.MULTILINE | re.DOTALL).group())
    assert body(PLUGINS["csv"]) == body(template)


@pytest.mark.parametrize("name", PLUGINS)
def test_plugin_of_the_guide_is_documented_by_the_agent(name, plugin_folder):
    shown = subprocess.run([binary(), "plugins", "--plugin-dir", plugin_folder, name], text=True, capture_output=True)
    assert shown.returncode == 0 and f' "{name}" ' in shown.stdout, shown.stderr


def test_plugins_of_the_guide_run_and_go_on_after_a_restart(plugin_folder, agent, tmp_path):
    lines, readings = tmp_path / "in.txt", tmp_path / "readings.csv"
    lines.write_text("anna 61\nanna 62\nben 0\nben 70\nbroken\nben seventy\n")
    running = agent(f"""
[[source]]
plugin = "lines"
path = "{lines}"
[[processor]]
plugin = "thin"
interval = "1h"
[[sink]]
plugin = "csv"
path = "{readings}"
""", arguments=["--plugin-dir", plugin_folder]).start()
    assert running.wait() == 0, running.log
    rows = [line.split(",") for line in readings.read_text().splitlines()]
    assert [(row[0], row[2]) for row in rows] == [("anna", "61"), ("ben", "70")]
    letters = [json.loads(line) for line in (running.data_folder / "dead-letters.jsonl").read_text().splitlines()]
    assert [(each["reason"], each["payload"], each["origin"]) for each in letters] == [
        ("bad_line", "broken", f"{lines}:5"), ("bad_line", "ben seventy", f"{lines}:6")]
    assert "received 6, journaled 2, discarded 1, dead-lettered 2, removed 1" in running.log

    with lines.open("a") as more:
        more.write("carl 80\n")
    running.start()
    assert running.wait() == 0, running.log
    assert [line.split(",")[0] for line in readings.read_text().splitlines()] == ["anna", "ben", "carl"]
