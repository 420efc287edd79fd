"""Processes that live as a container's do: what image_run.py starts. Works in the namespaces that image_run.py has made,
so that mounts, networks and processes end with it."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import threading
import time

from support import compose, processes
from support.dockerfile import parse
from support.waiting import wait_until

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def sh(*command, **options):
    """Runs a command that has to succeed; returns its standard output."""
    shown = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    assert shown.returncode == 0, f"{command}: {shown.stdout}{shown.stderr}"
    return shown.stdout


class Network:
    """A bridge, as the engine's: each container has an address on it, this side is 10.77.0.1."""

    def __init__(self):
        sh("mount", "-t", "tmpfs", "run", "/run")
        pathlib.Path("/run/netns").mkdir()
        sh("ip", "link", "set", "lo", "up")
        sh("ip", "link", "add", "bridge", "type", "bridge")
        sh("ip", "address", "add", "10.77.0.1/24", "dev", "bridge")
        sh("ip", "link", "set", "bridge", "up")
        self.hosts = pathlib.Path("/run/hosts")
        self.addresses = {}

    def name_hosts(self, names):
        for number, name in enumerate(names, start=2):
            self.addresses[name] = f"10.77.0.{number}"
            sh("ip", "netns", "add", name)
            sh("ip", "link", "add", f"v{number}", "type", "veth", "peer", "name", "eth0", "netns", name)
            sh("ip", "link", "set", f"v{number}", "master", "bridge", "up")
            sh("ip", "-n", name, "link", "set", "lo", "up")
            sh("ip", "-n", name, "address", "add", f"10.77.0.{number}/24", "dev", "eth0")
            sh("ip", "-n", name, "link", "set", "eth0", "up")
        self.hosts.write_text("127.0.0.1 localhost\n" + "".join(
            f"{address} {name}\n" for name, address in self.addresses.items()))

    def publish(self, name, port):
        """`port` as in `ports:`, 127.0.0.1:5435:5432."""
        address, outside, inside = port.split(":")
        listener = socket.create_server((address, int(outside)))
        threading.Thread(target=self._accept, args=(listener, (self.addresses[name], int(inside))), daemon=True).start()

    def _accept(self, listener, target):
        while True:
            client, _address = listener.accept()
            server = socket.create_connection(target)
            for one, other in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    @staticmethod
    def _pump(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:  # either side is gone, so the other one is told
            source.close()
            target.close()


class Container:
    """One service of compose.yaml."""

    def __init__(self, name, service, folder, network):
        self.name, self.service, self.network = name, service, network
        self.folder = folder / "run" / name
        self.root = self.folder / "root"
        self.environment = {"PATH": PATH, "HOSTNAME": name, "HOME": "/"}
        self.process = None
        self.image = None

    def inside(self, path):
        """Where a path of the container is, its links followed as the container follows them."""
        return self.root / sh("chroot", self.root, "realpath", "-m", path).strip().lstrip("/")

    def prepare(self, image):
        """Mounts the root: `image`, or a throw-away view of this machine's file system for None."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        sh("mount", "-t", "tmpfs", "run", self.folder)
        for each in ("upper", "work", "root", "volumes"):
            (self.folder / each).mkdir()
        sh("mount", "-t", "overlay", "overlay", "-o",
           f"lowerdir={image or '/'},upperdir={self.folder}/upper,workdir={self.folder}/work", self.root)
        if image:
            self.image = parse((REPOSITORY / "deploy/Dockerfile").read_text())[-1]
            self.environment.update(self.image.environment)
        self.environment.update({name: str(value) for name, value in self.service["environment"].items()})
        self.log_path = self.folder / "log"
        self.log_path.touch()
        sh("mount", "--rbind", "/dev", self.inside("/dev"))
        self._bind(self.network.hosts, "/etc/hosts")
        for mount in self.service["tmpfs"]:
            target, _, given = mount.partition(":")
            words = given.split(",")
            options = ["nosuid", "nodev", *([] if "exec" in words else ["noexec"]), *(each for each in words if each != "exec")]
            self.inside(target).mkdir(parents=True, exist_ok=True)
            sh("mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", self.inside(target))
        for source, target, _read_only in compose.mounts(self.service):
            if source.startswith("."):
                self._bind((compose.FILE.parent / source).resolve(), target)
            else:
                self._volume(source, target)

    def _bind(self, source, target):
        place = self.inside(target)
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            place.touch()
        sh("mount", "--bind", source, place)
        sh("mount", "-o", "remount,bind,ro", place)

    def _volume(self, name, target):
        """A new named volume takes the owner and the mode of the folder in the image."""
        volume, place = self.folder / "volumes" / name, self.inside(target)
        volume.mkdir()
        if place.exists() and self.image:
            status = place.stat()
            shutil.chown(volume, status.st_uid, status.st_gid)
            volume.chmod(status.st_mode & 0o7777)
        else:
            place.mkdir(parents=True, exist_ok=True)
            shutil.chown(volume, *self.ids())
        sh("mount", "--bind", volume, place)

    def seal(self):
        """From now on nothing but volumes and tmpfs can be written."""
        sh("mount", "-o", "remount,ro", self.root)

    def ids(self):
        """(uid, gid) of the service's user; one without a group has the one of /etc/passwd."""
        user, _, group = str(self.service["user"]).partition(":")
        uid = int(user) if user.isdigit() else int(sh("id", "--user", user))
        return uid, int(group) if group else int(sh("id", "--group", user))

    def _command(self, words, environment):
        uid, gid = self.ids()
        work = self.image.last("WORKDIR").text if self.image else "/"
        return ["chroot", str(self.root), "/usr/bin/env", "-i", f"--chdir={work}",
                *(f"{name}={value}" for name, value in {**self.environment, **(environment or {})}.items()),
                "setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--bounding-set=-all",
                "--inh-caps=-all", "--no-new-privs", "--", *map(str, words)]

    def start(self, command=None):
        words = command or [*self.image.last("ENTRYPOINT").words, *self.image.last("CMD").words]
        if self.process is None:
            self.seal()
        mounted = f"mount -t proc proc {self.root}/proc && exec \"$@\""
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", self.name, "unshare", "--pid", "--mount", "--fork", "--kill-child",
                 "sh", "-c", mounted, "sh", *self._command(words, None)], stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    @property
    def pid(self):
        """The service's first process, as seen from outside."""
        return wait_until(lambda: processes.children(self.process.pid), 10, f"{self.name} to begin")[0]

    def execute(self, *words, environment=None):
        """As `docker compose exec`."""
        return subprocess.run(["ip", "netns", "exec", self.name, "unshare", "--mount", "sh", "-c",
                               f"mount -t proc proc {self.root}/proc && exec \"$@\"", "sh",
                               *self._command(words, environment)], capture_output=True, text=True, timeout=60)

    def check(self):
        """Runs the health check, compose's or the image's."""
        if "healthcheck" in self.service:
            kind, *words = self.service["healthcheck"]["test"]
            return self.execute(*(["/bin/sh", "-c", *words] if kind == "CMD-SHELL" else words))
        _, _, words = self.image.last("HEALTHCHECK").text.partition("CMD ")
        return self.execute(*parse(f"FROM x\nCMD {words}")[0].last("CMD").words)

    def healthy(self):
        return self.check().returncode == 0

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    def wait_while_running(self, condition, timeout):
        def met_or_dead():
            assert self.process.poll() is None, f"{self.name} ended with code {self.exit_code}:\n{self.log}"
            return condition()
        wait_until(met_or_dead, timeout, f"{self.name} to be healthy")

    def wait_log(self, text):
        wait_until(lambda: text in self.log, 60, f"{self.name} to log {text!r}")

    @property
    def exit_code(self):
        return self.process.returncode

    def kill(self):
        """Kills the first process, with which the kernel ends all others of its namespace."""
        os.kill(self.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """Asks as the engine does, within the grace period; returns the seconds that it took."""
        began, grace = time.monotonic(), {"30s": 30, "1m": 60}[self.service.get("stop_grace_period", "30s")]
        name = self.service.get("stop_signal") or (self.image.last("STOPSIGNAL").text if self.image else "SIGTERM")
        os.kill(self.pid, getattr(signal, name))
        self.process.wait(grace)
        return time.monotonic() - began
