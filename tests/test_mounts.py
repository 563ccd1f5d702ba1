from pathlib import Path

import pytest

from acclimate import mounts
from acclimate.errors import SettingsError
from acclimate.mounts import is_shared, kind_of

MOUNTS = r"""22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:45 /export /mnt/data rw,relatime shared:20 - nfs4 server:/export rw,vers=4.2
31 30 8:2 / /mnt/data/scratch rw - xfs /dev/sdb1 rw
32 22 0:46 / /mnt/with\040space rw - fuse.sshfs me@there: rw
33 22 0:47 / /over rw - tmpfs tmpfs rw
34 33 0:48 / /over rw - lustre there@tcp:/one rw
a line that is none
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/home/me/store", "ext4"),
        ("/mnt/data/store/not/there/yet", "nfs4"),
        ("/mnt/database", "ext4"),
        ("/mnt/data/scratch/store", "xfs"),
        ("/mnt/with space/store", "fuse.sshfs"),
        ("/over/store", "lustre"),
    ],
)
def test_the_file_system_of_a_folder_is_that_of_the_nearest_mount_above_it(folder: str, kind: str) -> None:
    assert kind_of(Path(folder), MOUNTS) == kind


@pytest.mark.parametrize(
    ("kind", "shared"),
    [("nfs", True), ("fuse.sshfs", True), ("cifs", True), ("ext4", False), ("fuse.fuse-overlayfs", False)],
)
def test_network_file_systems_are_shared_and_disks_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, shared: bool
) -> None:
    monkeypatch.delenv("ACCLIMATE_LOCKS", raising=False)
    told = tmp_path / "mountinfo"
    told.write_text(f"22 1 8:1 / / rw - {kind} somewhere rw\n")
    monkeypatch.setattr(mounts, "MOUNTS", told)
    assert is_shared(tmp_path) is shared
    monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "no Linux")
    assert not is_shared(tmp_path)


def test_the_environment_may_say_it_and_is_refused_where_it_says_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for said, shared in (("leases", True), ("flock", False)):
        monkeypatch.setenv("ACCLIMATE_LOCKS", said)
        assert is_shared(tmp_path) is shared
    monkeypatch.setenv("ACCLIMATE_LOCKS", "perhaps")
    with pytest.raises(SettingsError, match="neither leases nor flock"):
        is_shared(tmp_path)
