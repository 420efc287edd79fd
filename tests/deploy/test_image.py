"""The image and the services of deploy/compose.yaml, built and run without an engine. Takes ten minutes or more, root and
a mirror of Debian: only with HBAGENT_TEST_IMAGE=1. HBAGENT_IMAGE_DIR keeps the result, and HBAGENT_IMAGE_CCACHE (a
folder) lends the compiler a cache."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent

pytestmark = pytest.mark.skipif(os.environ.get("HBAGENT_TEST_IMAGE") != "1",
                                reason="long, and needs root: set HBAGENT_TEST_IMAGE=1")


@pytest.fixture(scope="module")
def folder():
    kept = os.environ.get("HBAGENT_IMAGE_DIR")
    made = pathlib.Path(kept or tempfile.mkdtemp(prefix="hbagent-image-", dir="/var/tmp"))
    yield made
    if not kept:
        shutil.rmtree(made)


def run(script, *arguments, timeout):
    shown = subprocess.run([sys.executable, HERE / script, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True, timeout=timeout)
    print(shown.stdout[-20000:])
    return shown.returncode


def test_each_step_of_the_dockerfile_succeeds_on_a_bare_debian(folder):
    cache = os.environ.get("HBAGENT_IMAGE_CCACHE")
    assert run("image_build.py", folder, *(["--ccache", cache] if cache else []), timeout=3600) == 0
    assert (folder / "image/usr/local/bin/hbagent").exists()


def test_the_services_do_what_their_users_expect(folder):
    assert run("image_run.py", folder, timeout=900) == 0
