"""Parts of the page's script that need no browser, tested by Node.js itself."""

import shutil
import subprocess

import pytest

from .browser import FOLDER


@pytest.mark.parametrize("test", sorted(FOLDER.glob("*.test.mjs")), ids=lambda path: path.name)
def test_script(test):
    if shutil.which("node") is None:
        pytest.skip("node is not installed: apt-get install nodejs")
    done = subprocess.run(["node", "--test", test], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
