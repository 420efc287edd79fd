"""A file system of a chosen size, which can be filled."""

import os
import subprocess

import pytest


class SmallDisk:
    """A tmpfs mounted on `folder`, which is made. Skips the test where that is not allowed."""

    def __init__(self, folder, size):
        self.folder = folder
        self._ballast = folder / "ballast"
        folder.mkdir()
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True,
                               text=True)
        if mount.returncode != 0:
            pytest.skip(f"a file system of a chosen size cannot be mounted here: {mount.stderr.strip()}")

    def fill(self):
        """To the last block."""
        with open(self._ballast, "wb", buffering=0) as file:
            for block in (1 << 16, 4096):
                try:
                    while True:
                        file.write(b"\0" * block)
                except OSError:  # no space left
                    pass

    def make_room(self, size=None):
        """So many bytes; by default all that was filled."""
        if size is None:
            self._ballast.unlink()
        else:
            os.truncate(self._ballast, self._ballast.stat().st_size - size)

    def close(self):
        """When nobody uses it any more."""
        subprocess.run(["umount", self.folder], check=True)
