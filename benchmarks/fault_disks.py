"""Small disks that can be filled: a tmpfs each, where this process may mount one."""

import errno
import os
import subprocess
from contextlib import suppress
from pathlib import Path

_PIECE = 1 << 20


class Disk:
    """A tmpfs on a folder. `mounted` is False where that is not allowed: then it is a plain folder, never full."""

    def __init__(self, name: str, folder: Path, megabytes: int) -> None:
        self.name, self.folder = name, folder
        folder.mkdir(parents=True, exist_ok=True)
        mount = ("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0777", f"forewarn-{name}", str(folder))
        try:
            self.mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
        except FileNotFoundError:
            self.mounted = False
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Leave not a byte free."""
        handle = os.open(self._filler, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        size = _PIECE
        try:
            while size:
                try:
                    os.write(handle, bytes(size))
                except OSError as full:
                    if full.errno != errno.ENOSPC:
                        raise
                    size //= 2
        finally:
            os.close(handle)

    def free(self) -> None:
        """Make room again."""
        self._filler.unlink(missing_ok=True)

    def close(self) -> None:
        """Unmount it; what is in it is gone."""
        if self.mounted:
            self.mounted = False
            with suppress(OSError):
                subprocess.run(("umount", "-l", str(self.folder)), capture_output=True, check=False)
                self.folder.rmdir()
