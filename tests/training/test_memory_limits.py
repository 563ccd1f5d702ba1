"""What a container, a batch system or a shell allows is seen before memory runs out."""

import pytest
import torch

from acclimate.training.memory import free_bytes, group_rooms


def group(folder, limit, used, files=0, version=2):
    folder.mkdir(parents=True, exist_ok=True)
    names = ("memory.max", "memory.current") if version == 2 else ("memory.limit_in_bytes", "memory.usage_in_bytes")
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{used}\n")
    prefix = "" if version == 2 else "total_"
    (folder / "memory.stat").write_text(f"anon 1\n{prefix}inactive_file {files}\n{prefix}active_file 0\n")


def test_the_smallest_limit_of_nested_groups_is_among_those_that_are_seen(tmp_path):
    (tmp_path / "cgroup").write_text("0::/user/job/step\n")
    group(tmp_path / "fs/user", "max", 500)
    group(tmp_path / "fs/user/job", 1000, 700, files=100)
    group(tmp_path / "fs/user/job/step", "max", 10)
    assert group_rooms(tmp_path / "cgroup", tmp_path / "fs") == [400]


def test_version_1_is_seen_with_its_own_names(tmp_path):
    (tmp_path / "cgroup").write_text("5:cpu:/x\n4:memory:/slurm/job\n0::/\n")
    group(tmp_path / "fs/memory", 2**63 - 4096, 100, version=1)
    group(tmp_path / "fs/memory/slurm", 5000, 1000, version=1)
    group(tmp_path / "fs/memory/slurm/job", 3000, 1000, files=500, version=1)
    assert sorted(group_rooms(tmp_path / "cgroup", tmp_path / "fs"))[:2] == [2500, 4000]


def test_in_a_container_the_top_is_seen_where_the_name_leads_nowhere(tmp_path):
    (tmp_path / "cgroup").write_text("0::/../../machine/name\n")
    group(tmp_path / "fs", 800, 300)
    assert group_rooms(tmp_path / "cgroup", tmp_path / "fs") == [500]
    assert group_rooms(tmp_path / "nothing", tmp_path / "fs") == []


def test_a_limit_on_addresses_counts(monkeypatch):
    resource = pytest.importorskip("resource")
    import psutil

    used = psutil.Process().memory_info().vms
    monkeypatch.setattr(resource, "getrlimit", lambda which: (used + 2**28, used + 2**28))
    assert 0 <= free_bytes(torch.device("cpu")) <= 2**28
