"""What the engine of a Ray cluster refuses, and what it asks of nodes; a cluster itself is tried in tests/faults/test_lost_nodes.py."""

import sys
from dataclasses import replace

import pytest

from acclimate.errors import ClusterError, MissingExtraError, SettingsError, StoreError
from acclimate.study.engines.ray_cluster import Ask, Node
from acclimate.study.engines.ray_preflight import Answer, look_around, other_locks, unfit
from acclimate.study.engines.table import Asked, engine_of

NODE = Node("id", "blue", cpus=8, gpus=2, memory=10 * 10**9)


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        (Asked(address="ray://blue:10001"), SettingsError, "run the command on a machine of the cluster"),
        (Asked(address="blue"), SettingsError, "neither `auto` nor HOST:PORT"),
        (Asked(address="127.0.0.1:1"), ClusterError, "nothing answers there; start one with `ray start --head`"),
        (Asked(gpus=2), SettingsError, "a stage trains on one GPU, or on a share of one.* --devices N trains it on several"),
        (Asked(gpus=0.5, devices=2), SettingsError, "each takes a whole GPU"),
    ],
)
def test_a_cluster_that_cannot_be_had_is_refused_with_the_mend(asked, error, message):
    with pytest.raises(error, match=message):
        engine_of("ray", asked)


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"acclimate\[cluster\]"):
        engine_of("ray", Asked())


def test_what_is_about_a_cluster_needs_one(monkeypatch):
    with pytest.raises(SettingsError, match="--address is about a Ray cluster"):
        engine_of("local", Asked(address="blue:6379"))
    with pytest.raises(SettingsError, match="--devices is about a Ray cluster"):
        engine_of("local", Asked(devices=2))
    with pytest.raises(SettingsError, match=r"--fsdp divides a model .* start several by torchrun, or by --engine ray --devices N"):
        engine_of("local", Asked(fsdp=True))
    with pytest.raises(SettingsError, match="'raj' is not among inline, local, ray"):
        engine_of("raj", Asked())
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SettingsError, match="torchrun and Ray"):
        engine_of("ray", Asked())


@pytest.mark.parametrize(
    ("ask", "at_once"),
    [(Ask(1), 8), (Ask(3), 2), (Ask(1, gpus=1), 2), (Ask(1, gpus=0.5), 4), (Ask(1, memory=3 * 10**9), 3), (Ask(9), 0), (Ask(1, gpus=3), 0)],
)
def test_a_node_holds_as_many_stages_as_all_of_its_resources_allow(ask, at_once):
    assert NODE.holds(ask) == at_once


GOOD = Answer({"python": "3.11.9", "torch": "2.13.0"}, (True, True), {"/home/me/own.py": "abc"}, clock=100.0, free=10**12)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"versions": {"python": "3.11.9", "torch": "2.12.0"}},
            r"blue: other versions than here.*: torch 2\.12\.0 \(here 2\.13\.0\) — install",
        ),
        ({"versions": {"python": "3.11.9", "torch": ""}}, r"torch missing \(here 2\.13\.0\)"),
        ({"seen": (True, False)}, "blue: does not see /root as it is here"),
        ({"store": "s3://bucket: no credentials"}, r"blue: cannot use the store \(s3://bucket: no credentials\); variables and rights"),
        ({"files": {"/home/me/own.py": None}}, "blue: /home/me/own.py is not there"),
        ({"files": {"/home/me/own.py": "abd"}}, "blue: /home/me/own.py is another file"),
    ],
)
def test_a_node_that_would_give_other_results_is_named_with_what_is_other(changes, message):
    def found(answer):
        return unfit(NODE, answer, GOOD.versions, ["/store", "/root"], GOOD.files)

    assert found(GOOD) is None
    with pytest.raises(ClusterError, match=message):
        raise ClusterError(found(replace(GOOD, **changes)))


def test_a_node_tries_the_store_by_itself_unless_its_folders_are_other_ones(tmp_path):
    def refused():
        raise StoreError("no credentials")

    assert look_around((), (tmp_path,), (), refused).store == "no credentials"
    assert look_around((), (tmp_path,), (), lambda: None).store == ""
    elsewhere = look_around((), (tmp_path, tmp_path / "rows"), (), refused)
    assert (elsewhere.seen, elsewhere.store) == ((True, False), "")


def test_a_node_whose_locks_this_machine_does_not_see_is_named_with_the_mend(tmp_path, monkeypatch):
    monkeypatch.setenv("ACCLIMATE_LOCKS", "flock")
    there = look_around((), (), (), None, (tmp_path,))
    assert there.leases == (False,)
    assert other_locks(NODE, there.leases, (tmp_path,)) is None
    monkeypatch.setenv("ACCLIMATE_LOCKS", "leases")
    assert "blue: keeps others out of" in other_locks(NODE, there.leases, (tmp_path,))
    monkeypatch.setenv("ACCLIMATE_LOCKS", "both")
    assert "is neither leases nor flock" in look_around((), (), (), None, (tmp_path,)).store
