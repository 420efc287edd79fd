"""Bash completion: what the function answers, and what the Tab key does in an interactive bash."""

import os
import pathlib
import pty
import select
import subprocess
import time

import pytest

from support.agent import REPOSITORY, binary

SCRIPT = REPOSITORY / "deploy/completion/hbagent.bash"
ENVIRONMENT = {**os.environ, "PATH": f"{binary().parent}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}

# Calls the function as readline does: the words before the cursor, split at : and = as COMP_WORDBREAKS says.
DRIVER = """
set -u
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_hbagent "${COMP_WORDS[0]}" "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}"
((${#COMPREPLY[@]} == 0)) || printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "agent.toml").write_text('[[source]]\nplugin = "generator"\n[[sink]]\nplugin = "null"\n')
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "edge site").mkdir()
    (tmp_path / "edge site/other.toml").write_text("")
    return tmp_path


def complete(*words, cwd):
    done = subprocess.run(["bash", "--norc", "-c", DRIVER, "bash", SCRIPT, "hbagent", *words], cwd=cwd, text=True,
                          capture_output=True, env=ENVIRONMENT)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return sorted(done.stdout.splitlines())


@pytest.mark.parametrize(("words", "answers"), [
    ([""], ["audit", "check", "decode", "dlq", "init", "journal", "plugins"]),
    (["p"], ["plugins"]),
    (["--log-"], ["--log-format", "--log-level"]),
    (["--log-level", "w"], ["warning"]),
    (["--log-format", "=", "j"], ["json"]),
    (["--log-format", "="], ["json", "text"]),
    (["check", "--co"], ["--config", "--connect"]),
    (["check", "--conn"], ["--connect"]),
    (["-c", "agent.toml", "--v"], ["--version"]),
    (["-c", "check", "ini"], ["init"]),
    (["journal", "f"], ["forget"]),
    (["journal", "forget", "-"], ["--config", "--help", "--plugin-dir"]),
    (["dlq", ""], ["--help", "list", "replay", "show"]),
    (["dlq", "list", "--"], ["--config", "--help", "--json", "--plugin-dir", "--reason", "--source"]),
    (["dlq", "replay", "--reason", "list", "--i"], ["--id"]),
    (["dlq", "replay", "--reason", ""], []),
    (["decode", "--re"], ["--received-at", "--retain"]),
    (["decode", "-c", "agent.toml", "no"], ["notes.txt"]),
    (["decode", "--batch", ""], ["agent.toml", "edge site", "notes.txt"]),
    (["decode", "--topic", "check", "--h"], ["--help", "--hex"]),
    (["decode", "--key", ""], []),
    (["audit", "-c", "agent.toml", "--p"], ["--plugin-dir", "--postgres"]),
    (["audit", "--postgres", "check", "--g"], ["--generator"]),
    (["audit", "--since", ""], []),
    (["-c", ""], ["agent.toml", "edge site"]),
    (["--config", "edge site/"], ["edge site/other.toml"]),
    (["--config", "=", "age"], ["agent.toml"]),
    (["check", "-c", "a"], ["agent.toml"]),
    (["plugins", "--plugin-dir", ""], ["edge site"]),
    (["plugins", "gen"], ["generator"]),
    (["plugins", "--m"], ["--markdown"]),
    (["plugins", "fi"], ["file"]),
    (["init", "fi"], []),
    (["init", "generator", "nul"], ["null"]),
    (["init", "source", ":", "fi"], ["file"]),
    (["init", "sink", ":", "file", "gen"], ["generator"]),
    (["plugins", "no-such"], []),
], ids=" ".join)
def test_answers(words, answers, folder):
    assert complete(*words, cwd=folder) == answers


def test_answers_are_all_plugins_of_the_binary_each_under_a_name_that_init_takes(folder):
    answers = complete("init", "", cwd=folder)
    assert {"generator", "validate", "null", "source:file", "sink:file"} <= set(answers)
    assert "file" not in answers
    taken = subprocess.run([binary(), "init", *answers], capture_output=True, text=True)
    assert taken.returncode == 0, taken.stderr


def test_options_offered_are_those_that_the_help_names(folder):
    for command in ([], ["check"], ["plugins"], ["init"], ["decode"]):
        text = subprocess.run([binary(), *command, "--help"], capture_output=True, text=True, check=True).stdout
        named = {word.strip(",") for line in text.splitlines() if line.startswith("  -")
                 for word in line.split()[0].split(",") if word.startswith("--")}
        assert set(complete(*command, "--", cwd=folder)) == named


def test_plugins_of_folders_given_on_the_line_are_offered(folder):
    library = binary().parents[1] / "lib/hbagent/plugins/null.so"
    (folder / "edge site/elsewhere.so").symlink_to(library)
    assert "null" in complete("plugins", "--plugin-dir", "edge site", "nu", cwd=folder)
    assert complete("plugins", "--plugin-dir", "edge site", "fi", cwd=folder) == ["file"]


class Terminal:
    """An interactive bash on a terminal of its own."""

    def __init__(self, folder):
        main, terminal = pty.openpty()
        self._main = main
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", "bash", "--norc", "--noprofile", "-i"], cwd=folder,
            stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
            env={**ENVIRONMENT, "PS1": "> ", "TERM": "dumb", "INPUTRC": "/dev/null", "HISTFILE": ""})
        os.close(terminal)
        self.output = ""

    def type(self, text):
        os.write(self._main, text.encode())

    def read_until(self, text, timeout=60):
        deadline = time.monotonic() + timeout
        while text not in self.output:
            ready, _, _ = select.select([self._main], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"waited {timeout} s for {text!r}; the terminal shows:\n{self.output}"
            self.output += os.read(self._main, 65536).decode(errors="replace")
        return self.output

    def close(self):
        self._process.kill()
        self._process.wait()
        os.close(self._main)


@pytest.fixture
def terminal(folder):
    opened = Terminal(folder)
    opened.type(f"source {SCRIPT}; echo sou''rced\n")
    opened.read_until("sourced")
    yield opened
    opened.close()


def test_tab_completes_a_command_to_the_end(terminal):
    terminal.type("hbagent ch\t--conn\t-c ag\t; echo exi''t=$?\n")
    assert "all connected" in terminal.read_until("exit=0")


def test_tab_completes_behind_a_colon(terminal):
    terminal.type("hbagent plugins sink:fi\t; echo exi''t=$?\n")
    output = terminal.read_until("exit=0")
    assert 'sink "file"' in output and 'source "file"' not in output


def test_installed_where_bash_completion_looks(tmp_path):
    subprocess.run(["cmake", "--install", binary().parents[1], "--component", "agent", "--prefix", tmp_path],
                   check=True, capture_output=True)
    assert pathlib.Path(tmp_path / "share/bash-completion/completions/hbagent").read_text() == SCRIPT.read_text()
