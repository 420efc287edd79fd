"""Certificates for a test, made by the openssl command: good ones, and each kind of bad one."""

import pathlib
import subprocess

_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


class Certificates:
    """Files in `folder`: NAME.pem and NAME.key, readable by every user, since servers may run as other ones.

    ca, other-ca     authorities
    broker           of localhost
    expired          the same, but its time is over
    elsewhere        of broker.example
    stranger         of localhost, signed by other-ca
    client           of a client
    """

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        self.folder.chmod(0o755)
        for authority in ("ca", "other-ca"):
            self._openssl("req", "-x509", *_KEY, "-subj", f"/CN={authority}", "-days", "2",
                          "-keyout", self.key(authority), "-out", self.pem(authority))
        self.make("broker", "localhost")
        self.make("expired", "localhost", days=-1)
        self.make("elsewhere", "broker.example")
        self.make("stranger", "localhost", authority="other-ca")
        self.make("client", "edge-01")
        for path in self.folder.iterdir():
            path.chmod(0o644)

    def pem(self, name):
        return self.folder / f"{name}.pem"

    def key(self, name):
        return self.folder / f"{name}.key"

    def make(self, name, host, authority="ca", days=2):
        """Makes a certificate for a host. `days`: how long it holds, from now; negative: it is over already."""
        request = self.folder / f"{name}.csr"
        self._openssl("req", "-new", *_KEY, "-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}",
                      "-keyout", self.key(name), "-out", request)
        self._openssl("x509", "-req", "-in", request, "-CA", self.pem(authority), "-CAkey", self.key(authority),
                      "-CAcreateserial", "-copy_extensions", "copy", "-days", days, "-out", self.pem(name))

    @staticmethod
    def _openssl(*arguments):
        done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
        assert done.returncode == 0, f"openssl {arguments[0]}: {done.stderr}"
