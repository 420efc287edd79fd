"""deploy/Dockerfile: what the image is, and that it holds exactly the libraries that hbagent loads."""

import re
import subprocess

import pytest

from support import dockerfile
from support.agent import REPOSITORY, binary

STAGES = dockerfile.parse((REPOSITORY / "deploy/Dockerfile").read_text())
BUILD, IMAGE = STAGES


def test_both_stages_are_of_the_same_debian():
    assert [stage.base for stage in STAGES] == ["debian:bookworm-slim"] * 2


def test_the_image_runs_as_nobody_special_and_tells_how_it_is():
    assert IMAGE.last("USER").text == "10001:10001"
    assert any("useradd --uid 10001" in each.text for each in IMAGE.all("RUN"))
    assert IMAGE.last("ENTRYPOINT").words == ["hbagent"]
    assert IMAGE.last("CMD").words == ["-c", "/etc/hbagent/agent.toml"]
    assert IMAGE.last("VOLUME").words == ["/var/lib/hbagent"]
    assert IMAGE.last("HEALTHCHECK").text.endswith('CMD ["hbagent-ready"]')
    assert [each.name for each in IMAGE.instructions].index("USER") > max(
        number for number, each in enumerate(IMAGE.instructions) if each.name in ("RUN", "COPY"))


def test_the_image_holds_no_compiler_no_package_lists_and_nothing_recommended():
    assert not [name for name in IMAGE.packages() if name.endswith("-dev") or name in ("g++", "cmake", "ninja-build")]
    for stage in STAGES:
        for each in stage.all("RUN"):
            assert each.text.count("apt-get install") == each.text.count("--no-install-recommends"), each.text
    installing = next(each for each in IMAGE.all("RUN") if "apt-get install" in each.text)
    assert "rm -rf /var/lib/apt/lists/*" in installing.text


def ignored(path, patterns):
    """As .dockerignore is read: the last pattern that fits the path or a folder above it decides."""
    result = False
    for pattern in patterns:
        name = pattern.lstrip("!")
        fits = name == "*" or path == name or path.startswith(name + "/")
        if name.startswith("**/"):
            fits = name[3:] in path.split("/")
        if fits:
            result = not pattern.startswith("!")
    return result


def test_all_that_is_copied_is_there_and_reaches_the_engine():
    patterns = [line for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    sources = [source.rstrip("/") for stage in STAGES for each in stage.all("COPY") if "from" not in each.flags
               for source in each.words[:-1]]
    assert "agent" in sources
    for source in sources:
        assert (REPOSITORY / source).exists(), source
        assert not ignored(source, patterns), source
    for private in (".git", "build", "deploy/.env", ".stack", "tests"):
        assert ignored(private, patterns), private
    # And nothing else is sent: a pattern of something that no stage copies is a mistake.
    assert {pattern[1:] for pattern in patterns if pattern.startswith("!")} == {
        "deploy/lib" if source == "deploy/lib" else source for source in sources}


def needed_libraries():
    """The shared libraries that the program and the plugins name (their NEEDED entries)."""
    files = [binary(), *sorted((binary().parent.parent / "lib/hbagent/plugins").glob("*.so"))]
    assert len(files) > 5
    shown = subprocess.run(["objdump", "-p", *files], capture_output=True, text=True, check=True)
    return set(re.findall(r"NEEDED\s+(\S+)", shown.stdout))


def package_of(library):
    """The package that brings a shared library, by the loader's own cache."""
    cache = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    path = re.search(rf"^\s*{re.escape(library)} \(libc6,x86-64[^)]*\) => (\S+)", cache, re.MULTILINE).group(1)
    for candidate in (path, "/usr" + path):
        shown = subprocess.run(["dpkg-query", "--search", candidate], capture_output=True, text=True)
        if shown.returncode == 0:
            return shown.stdout.split(":")[0]
    raise AssertionError(f"no package has {path}")


def is_bookworm():
    return 'VERSION_CODENAME=bookworm' in open("/etc/os-release").read() and subprocess.run(
        ["dpkg", "--print-architecture"], capture_output=True, text=True).stdout.strip() == "amd64"


@pytest.mark.skipif(not is_bookworm(), reason="package names are those of Debian 12 on amd64")
def test_the_image_installs_the_packages_of_the_libraries_that_are_loaded_and_no_others():
    always_there = {"libc6", "libgcc-s1"}
    wanted = {package_of(name) for name in needed_libraries() if not name.startswith("ld-linux")} - always_there
    assert IMAGE.packages() == wanted


def test_the_reader_of_dockerfiles_knows_what_it_does_not_know():
    stages = dockerfile.parse('FROM a AS b\n# note\nRUN x && \\\n # note\n  y\nFROM b\nCOPY --from=b /x /y\nCMD ["c", "d"]\n')
    assert [(stage.base, stage.name) for stage in stages] == [("a", "b"), ("b", "1")]
    assert stages[0].last("RUN").text == "x && y"
    assert stages[1].last("COPY").flags == {"from": "b"} and stages[1].last("CMD").words == ["c", "d"]
    with pytest.raises(AssertionError, match="unknown instruction"):
        dockerfile.parse("FROM a\nADD x y\n")
