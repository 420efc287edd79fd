"""Does what deploy/Dockerfile says without an engine: each stage is a folder, each RUN a chroot into it.

    sudo python3 tests/deploy/image_build.py FOLDER [--ccache FOLDER]

makes FOLDER/image, the file system of the last stage. `debootstrap --variant=minbase` stands in for the base image and is
kept in FOLDER/base. Mounts happen in a namespace of their own and end with it.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support import dockerfile  # noqa: E402

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
DOCKERFILE = REPOSITORY / "deploy" / "Dockerfile"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def run(*command, **options):
    print("+", *command, flush=True)
    subprocess.run([str(word) for word in command], check=True, **options)


def make_base(folder, image):
    """The stand-in for debian:RELEASE-slim, with the same sources of packages."""
    release = image.removeprefix("debian:").removesuffix("-slim")
    if (folder / "etc/debian_version").exists() and (folder / "made").exists():
        return
    if not (folder / "etc/debian_version").exists():
        run("debootstrap", "--variant=minbase", release, folder)  # from Debian's default mirror, which it writes down
    sources = folder / "etc/apt/sources.list"
    mirror = sources.read_text().split()[1].rstrip("/")
    sources.write_text(f"deb {mirror} {release} main\ndeb {mirror} {release}-updates main\n"
                       f"deb {mirror}-security {release}-security main\n")
    run("chroot", folder, "apt-get", "clean")
    for path in (folder / "var/lib/apt/lists").glob("*_*"):
        path.unlink()
    (folder / "made").touch()


class StageBuild:
    """One stage, in a folder."""

    def __init__(self, stage, folder, base, ccache):
        self.stage, self.root, self.ccache = stage, folder, ccache
        self.environment = {"PATH": PATH, "HOME": "/root"}
        self.work = "/"
        if folder.exists():
            shutil.rmtree(folder)
        run("cp", "--archive", "--reflink=auto", base, folder)

    def inside(self, path):
        return self.root / path.lstrip("/")

    def mounted(self, action):
        """Does `action` while the folder has what a container has: /proc, /dev and the names of hosts."""
        shutil.copy("/etc/resolv.conf", self.inside("/etc/resolv.conf"))
        mounts = [("--types", "proc", "proc", self.inside("/proc")), ("--rbind", "/dev", self.inside("/dev"))]
        if self.ccache:
            self.inside("/ccache").mkdir(exist_ok=True)
            mounts.append(("--bind", self.ccache, self.inside("/ccache")))
        for mount in mounts:
            run("mount", *mount)
        try:
            action()
        finally:
            for mount in reversed(mounts):
                run("umount", "--lazy", mount[-1])
            if self.ccache:
                self.inside("/ccache").rmdir()

    def do_run(self, instruction):
        command = ["chroot", self.root, "/usr/bin/env", "-i", "--chdir=" + self.work,
                   *(f"{name}={value}" for name, value in self.environment.items())]
        self.mounted(lambda: run(*command, "/bin/sh", "-c", instruction.text))

    def do_copy(self, instruction, stages):
        *sources, target = instruction.words
        origin = stages[instruction.flags["from"]].root if "from" in instruction.flags else REPOSITORY
        to = self.inside(os.path.join(self.work, target))
        if target.endswith("/"):
            to.mkdir(parents=True, exist_ok=True)
        for source in sources:
            path = origin / source.lstrip("/")
            if path.is_dir():
                to.mkdir(parents=True, exist_ok=True)
                run("cp", "--recursive", "--no-dereference", "--preserve=mode,timestamps", f"{path}/.", to)
            else:
                to.parent.mkdir(parents=True, exist_ok=True)
                run("cp", "--preserve=mode,timestamps", path, to)

    def do_all(self, stages):
        for instruction in self.stage.instructions:
            if instruction.name == "RUN":
                self.do_run(instruction)
            elif instruction.name == "COPY":
                self.do_copy(instruction, stages)
            elif instruction.name == "WORKDIR":
                self.work = instruction.text
                self.inside(self.work).mkdir(parents=True, exist_ok=True)
            elif instruction.name == "ENV":
                self.environment.update(word.split("=", 1) for word in instruction.words)


def use_ccache(build):
    """Saves time when the same sources were compiled before; changes nothing in the result."""
    build.mounted(lambda: run("chroot", build.root, "sh", "-c",
                              "apt-get update -q && apt-get install -qy --no-install-recommends ccache"))
    build.environment.update({"CMAKE_CXX_COMPILER_LAUNCHER": "ccache", "CMAKE_C_COMPILER_LAUNCHER": "ccache",
                              "CCACHE_DIR": "/ccache", "CCACHE_BASEDIR": "/src", "CCACHE_NOHASHDIR": "1"})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--ccache", type=pathlib.Path, help="a cache of ccache, shared with the compiler in the chroot")
    parser.add_argument("--in-namespace", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.in_namespace:
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv,
                              "--in-namespace"])
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    parsed = dockerfile.parse(DOCKERFILE.read_text())
    make_base(folder / "base", parsed[0].base)
    built = {}
    for stage in parsed:
        name = "image" if stage is parsed[-1] else stage.name
        built[stage.name] = StageBuild(stage, folder / name, folder / "base", options.ccache if stage is parsed[0] else None)
        if stage is parsed[0] and options.ccache:
            use_ccache(built[stage.name])
        built[stage.name].do_all(built)
    run("du", "--summarize", "--human-readable", folder / "base", folder / "image")


if __name__ == "__main__":
    main()
