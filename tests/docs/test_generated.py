"""Text that comes from the option tables is up to date and works: READMEs, samples, ready-made configurations."""

import os
import re
import subprocess
import tomllib

import pytest

from support.agent import REPOSITORY, binary, plugin_folders
from support.readmes import BEGIN, END, block_in, options_block, write_block

FOLDERS = plugin_folders()
CONFIGS = sorted([*(REPOSITORY / "config").glob("*.toml"), *(REPOSITORY / "deploy/compose").glob("*.toml")])
SOURCE = '\n[[source]]\nplugin = "generator"\nname = "complement-source"\n'
SINK = '\n[[sink]]\nplugin = "null"\nname = "complement-sink"\n'


def hbagent(*arguments, **options):
    return subprocess.run([binary(), *arguments], text=True, capture_output=True, **options)


def assert_passes_check(path, environment=None):
    checked = hbagent("check", "-c", path, env={**os.environ, **(environment or {})})
    assert checked.returncode == 0, f"{checked.stderr}\n{path.read_text()}"


def listed_plugins():
    """(kind, name) of every plugin, as `hbagent plugins` lists them."""
    listing = hbagent("plugins")
    assert listing.returncode == 0, listing.stderr
    return re.findall(r"^(source|processor|sink)\s+(\S+)", listing.stdout, re.MULTILINE)


def test_every_plugin_folder_offers_a_plugin_of_its_name():
    assert {folder.name for folder in FOLDERS} == {name for _kind, name in listed_plugins()}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_readme_shows_the_options_as_they_are(folder):
    readme = folder / "README.md"
    assert block_in(readme) == options_block(binary(), folder.name), f"{readme} is stale: run tests/docs/update_readmes.py"


def test_a_stale_readme_is_seen_and_brought_up_to_date(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"# x\n\n{BEGIN}old\n{END}\nend\n")
    assert block_in(readme) != options_block(binary(), "null")
    assert write_block(readme, options_block(binary(), "null"))
    assert not write_block(readme, options_block(binary(), "null"))
    assert readme.read_text() == f"# x\n\n{BEGIN}{options_block(binary(), 'null')}{END}\nend\n"
    readme.write_text("# x\n")
    with pytest.raises(AssertionError, match="needs one pair"):
        block_in(readme)


@pytest.mark.parametrize(("kind", "name"), listed_plugins(), ids=lambda value: value)
def test_sample_of_every_plugin_passes_check(kind, name, tmp_path):
    sample = hbagent("init", f"{kind}:{name}")
    assert sample.returncode == 0, sample.stderr
    config = tmp_path / "agent.toml"
    config.write_text(sample.stdout + (SOURCE if kind != "source" else "") + (SINK if kind != "sink" else ""))
    assert tomllib.loads(sample.stdout)[kind][0]["plugin"] == name
    assert_passes_check(config)


def test_sample_of_several_plugins_passes_check(tmp_path):
    sample = hbagent("init", "generator", "validate", "source:file", "sink:file", "null")
    assert sample.returncode == 0, sample.stderr
    parsed = tomllib.loads(sample.stdout)
    assert [each["plugin"] for each in parsed["source"]] == ["generator", "file"]
    assert [each["plugin"] for each in parsed["processor"]] == ["validate"]
    assert [each["plugin"] for each in parsed["sink"]] == ["file", "null"]
    config = tmp_path / "agent.toml"
    config.write_text(sample.stdout)
    assert_passes_check(config)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_ready_made_configuration_passes_check(path):
    names = re.findall(r"\$\{(\w+)\}", path.read_text())
    assert_passes_check(path, {name: "some-value" for name in names})
