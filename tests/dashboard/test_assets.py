"""The committed assets of the page are what its sources give, and ask nothing of another host."""

import filecmp
import re
import shutil
import subprocess

import pytest

from support.agent import REPOSITORY

WEB = REPOSITORY / "plugins/dashboard/web"
DIST = WEB / "dist"


def test_a_fresh_build_gives_the_committed_bytes(tmp_path):
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed: apt-get install nodejs npm")
    done = subprocess.run([WEB / "build.sh", tmp_path], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in DIST.iterdir())
    assert names == sorted(path.name for path in tmp_path.iterdir())
    _, different, unreadable = filecmp.cmpfiles(DIST, tmp_path, names, shallow=False)
    assert (different, unreadable) == ([], []), "run plugins/dashboard/web/build.sh and commit what it gives"


def test_nothing_inline_and_no_eval():
    """What the strict Content-Security-Policy would refuse is not there at all."""
    page = (DIST / "index.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", page)
    assert re.findall(r"<script[^>]*>(?!</script>)", page) == []
    assert not re.search(r"\beval\(|new Function\(|innerHTML|insertAdjacentHTML|document\.write", (DIST / "app.js").read_text())


def test_every_address_is_relative():
    for path in DIST.iterdir():
        text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL).replace("http://www.w3.org/2000/svg", "")
        assert re.findall(r"""https?:|["'(]//""", text) == [], path.name
    assert all(not address.startswith("/") for address in re.findall(r'(?:src|href)="([^"]*)"', (DIST / "index.html").read_text()))


@pytest.mark.parametrize("folder", [WEB, REPOSITORY / "tests/dashboard/browser"], ids=lambda path: path.name)
def test_packages_are_pinned_and_run_no_install_script(folder):
    assert "http" not in (folder / "package-lock.json").read_text()
    assert "ignore-scripts=true" in (folder / ".npmrc").read_text().splitlines()
    versions = re.findall(r'ependencies": \{(.*?)\}', (folder / "package.json").read_text(), re.DOTALL)
    assert versions and not re.search(r'": "[^0-9]', "".join(versions))
