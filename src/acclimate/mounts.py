"""Whether a folder lies on a file system that other machines may have mounted, too: there a lock of the system's may hold on one alone."""

import os
import re
from pathlib import Path

from acclimate.errors import SettingsError

LOCKS = "ACCLIMATE_LOCKS"  # in the environment: `leases` or `flock`, for whoever knows better than the name of the file system tells
MOUNTS = Path("/proc/self/mountinfo")
NETWORK = frozenset(
    ["nfs", "nfs4", "cifs", "smb3", "lustre", "ceph", "beegfs", "gpfs", "glusterfs", "pvfs2", "panfs", "afs", "9p", "virtiofs", "fuse"]
)
OF_ONE_MACHINE = frozenset({"fuse.fuse-overlayfs", "fuse.snapfuse", "fuse.portal", "fuse.gvfsd-fuse", "fuse.lxcfs"})


def is_shared(folder: Path) -> bool:
    """Whether other machines may see a folder; one that is not there yet lies where its nearest parent does.

    Raises:
        SettingsError: `$ACCLIMATE_LOCKS` says neither `leases` nor `flock`.
    """
    said = os.environ.get(LOCKS)
    if said:
        if said not in ("leases", "flock"):
            raise SettingsError(f"{LOCKS}={said}: is neither leases nor flock")
        return said == "leases"
    try:
        kind = kind_of(folder, MOUNTS.read_text(encoding="utf-8", errors="surrogateescape"))
    except OSError:  # no Linux
        return False
    return kind in NETWORK or (kind.startswith("fuse.") and kind not in OF_ONE_MACHINE)


def kind_of(folder: Path, mounts: str) -> str:
    """The kind of file system that a folder lies on, such as `ext4`, by a process's mountinfo (proc(5)); "" where that does not tell."""
    place = folder.resolve()
    best, found = -1, ""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split()
        if len(fields) < 5 or not after:
            continue
        mount = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4]))
        # Of two at the same place the later one hides the earlier.
        if place.is_relative_to(mount) and len(mount.parts) >= best:
            best, found = len(mount.parts), after.split()[0]
    return found
