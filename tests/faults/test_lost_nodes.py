"""A Ray cluster that loses what it has: nodes, processes, its head, the driver. Several raylets on this machine, one for the whole file."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pyarrow.parquet as parquet
import pytest
from safetensors.torch import load_file
from tests.moto_server import credentials
from tests.study.performers import Diary, done, job
from tests.study.test_engines import Log

from acclimate.errors import ClusterError
from acclimate.study.engines import ray_cluster
from acclimate.study.engines.engine import Needs
from acclimate.study.engines.ray import Ray
from acclimate.study.language.study import load_study
from acclimate.study.run import Options, run_study
from acclimate.study.store.opened import open_store
from acclimate.training.progress import Progress

# Of a node, and of what the head asks about nodes: a lost one is known after some seconds, and a slow one is not taken for it.
NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}
QUICK = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 300}
# Ray's processes stand back behind all others (a niceness of 15) by default: beside other tests they would hardly ever run.
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_memory_monitor_refresh_ms": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_worker_niceness": "0",
}


@pytest.fixture(scope="module")
def cluster(s3, tmp_path_factory):
    """A head without processors, three nodes with one each, two of which the study loses, and this process as their driver.

    Each node has a folder of its own for what it fetches from a bucket, and credentials for buckets of `s3`, as by `ray start`.
    """
    import ray
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**ENVIRONMENT, **credentials(s3)}.items():
            patch.setenv(name, value)
        made = Cluster(initialize_head=True, head_node_args={**NODE, "num_cpus": 0, "_system_config": QUICK})
        for _ in range(3):
            patch.setenv("ACCLIMATE_CACHE", str(tmp_path_factory.mktemp("node")))
            made.add_node(**NODE)
        ray.init(address=made.address, log_to_driver=False, logging_level="error")
        yield made
        ray.shutdown()
        made.shutdown()


def test_a_cluster_does_parents_first_and_tells_what_it_does_as_one_machine_would(cluster, tmp_path):
    jobs = [job("a", "", "tell"), job("b", "a", "fail"), job("c", "b"), job("d", "a", "print"), job("e", "ad")]
    log, lines = Log(), []
    reports = Ray().run(jobs, Diary(tmp_path / "diary"), lines.append, log)
    assert {key: report.status for key, report in reports.items()} == {"a": "done", "b": "failed", "c": "failed", "d": "done", "e": "done"}
    assert reports["c"].error == "needs 'job b', which failed: it did not work"
    order = done(tmp_path)
    assert sorted(order) == ["a", "b", "d", "e"]  # what fails by itself is not tried again
    assert order.index("e") > max(order.index("a"), order.index("d")) > order.index("a") == 0
    steps = [(Progress("title a", step, 2), "a") for step in range(3)]
    assert [told for told in log.told if told[1] == "a"] == [("began", "a"), *steps, ("done", "a")]
    assert [line for line in lines if "job" not in line] == ["to standard output", "to standard \ufffd error", "without an end"]


def test_a_killed_process_and_one_that_is_taken_away_are_run_again_and_the_third_loss_is_the_last(cluster, tmp_path):
    jobs = [job("a", "", "crash once"), job("b", "", "taken away"), job("c", "", "crash"), job("d", "c")]
    lines, log = [], Log()
    reports = Ray().run(jobs, Diary(tmp_path / "diary"), lines.append, log)
    assert {key: report.status for key, report in reports.items()} == {"a": "done", "b": "done", "c": "failed", "d": "failed"}
    assert reports["c"].error.startswith("given up after 3 attempts: 1. its process on node ")
    assert [done(tmp_path).count(key) for key in "abcd"] == [2, 2, 3, 0]
    lost = [line for line in lines if line.startswith("lost: ")]
    assert len([line for line in lost if "job b" in line and "was taken away (stopped after step 7)" in line]) == 1
    assert len([line for line in lost if "job c" in line]) == 2
    assert [log.told.count(("lost", key)) for key in "abcd"] == [1, 1, 2, 0]  # the third is told as the end


@pytest.mark.parametrize("devices", [1, 2])
def test_ctrl_c_reaches_the_nodes_and_what_had_not_begun_has_no_report(cluster, tmp_path, devices):
    class Impatient(Log):
        def began(self, key):
            os.kill(os.getpid(), signal.SIGINT)

    jobs = [replace(job("a", "", "long"), needs=Needs(trains=True)), job("b", "a")]
    reports = Ray(devices=devices).run(jobs, Diary(tmp_path / "diary"), print, Impatient())
    assert {key: report.status for key, report in reports.items()} == {"a": "interrupted"}


def test_a_command_whose_own_machine_the_cluster_has_given_up_ends_and_does_not_wait_for_ever(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(ray_cluster, "LOOK_EVERY", 0.0)
    given_up = Ray()
    given_up._cluster.here = "another node"
    with pytest.raises(ClusterError, match=r"has given up this machine.*`ray stop` and `ray start` here, and the same command goes on"):
        given_up._cluster.look()


def test_a_stage_that_no_node_can_hold_is_refused_and_does_not_wait_for_ever(cluster, tmp_path):
    large = replace(job("a"), needs=Needs(trains=True, model_bytes=10**15))
    with pytest.raises(ClusterError, match=r"job a: asks for 1 CPU and .* GB of memory, and the largest node, .*, has 1 CPU and"):
        Ray().run([large], Diary(tmp_path / "diary"), print)
    spread = replace(large, needs=Needs(trains=True))
    with pytest.raises(
        ClusterError, match=r"job a: 4 processes that each ask for 1 CPU and .*, and the cluster has room for 3; fewer --devices"
    ):
        Ray(devices=4).run([spread], Diary(tmp_path / "diary"), print)
    assert not (tmp_path / "diary").exists()


TWELVE = """
{head}
seeds: 4
labels: [30]
recipes:
  fine-tune: [finetune: {{ loss: deadly:loss, lr: 1e-2, epochs: 2, min_steps: 0, patience: null }}]
  TAPT:
    - pretrain: {{ corpus: task, epochs: 1, batch_tokens: 256, lr: 5e-3 }}
    - finetune: {{ lr: 1e-2, epochs: 1, min_steps: 0, patience: null }}
  tfidf: {{ base: tfidf }}
"""
# Takes its node along, before the first checkpoint of a stage and after some: each moment once in all, marked by a file.
DEADLY = """\
import os, signal, time
from pathlib import Path
from torch.nn.functional import cross_entropy

CALLS = []


def loss(outputs, labels):
    CALLS.append(1)
    mark = Path(__file__).with_name(f"lost at {len(CALLS)}")
    if len(CALLS) in (1, 3) and str(os.getppid()) not in Path(__file__).with_name("spared").read_text().split():
        try:
            mark.touch(exist_ok=False)
        except FileExistsError:
            pass
        else:
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(600)
    return cross_entropy(outputs, labels, reduction="none")
"""
SPREAD = """
{head}
seeds: 1
labels: [30]
recipes:
  fine-tune: [finetune: {{ loss: deadly:loss, lr: 1e-2, epochs: 2, batch_size: 4, min_steps: 0, patience: null, dropout: 0.0 }}]
  majority: {{ base: majority }}
"""
# Ends the second of two processes that train together, once.
DEADLY_TO_ONE = """\
import os, signal
from pathlib import Path
from torch.nn.functional import cross_entropy

CALLS = []


def loss(outputs, labels):
    CALLS.append(1)
    mark = Path(__file__).with_name("lost")
    if len(CALLS) == 11 and os.environ.get("RANK") == "1" and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return cross_entropy(outputs, labels, reduction="none")
"""


def test_two_processes_train_what_one_trains_and_go_on_by_a_bucket_when_one_is_lost(cluster, bucket, write_study, tmp_path, monkeypatch):
    """On two nodes, each with a folder of its own for what it fetches: the bucket is all that they share."""
    monkeypatch.setenv("ACCLIMATE_CACHE", str(tmp_path / "driver"))
    (tmp_path / "deadly.py").write_text(DEADLY_TO_ONE)
    study, lines, ended = load_study(write_study(tmp_path, SPREAD)), [], {}
    options = {"threads": 1, "checkpoint_seconds": 0.0, "allow_code": True, "say": lines.append}
    asked = {"two": (bucket, {"engine": "ray", "devices": 2, "fsdp": True}), "one": (tmp_path / "one", {"engine": "inline"})}
    for name, (place, engine) in asked.items():
        assert run_study(study, tmp_path, Options(tmp_path / f"out-{name}", place, **options, **engine)).failed == 0
        store = open_store(place)
        kept = {entry.title: entry for entry in store.ls() if entry.kind == "artifact"}
        assert sorted(kept) == [
            "fine-tune, seed 0, 30 labels: finetune",
            "fine-tune: read the base model",
            "majority, seed 0, 30 labels: majority",
        ]
        with store.using(kept["fine-tune, seed 0, 30 labels: finetune"].key) as folder:
            record = json.loads((folder / "stage.json").read_text())
            ended[name] = (record["processes"], record["fsdp"]), load_file(folder / "model" / "model.safetensors")
    left = open_store(bucket).bucket
    assert not [*left.list("claims/"), *left.list("leases/"), *left.list("work/")]
    assert (tmp_path / "out-two" / "best").is_dir()
    (lost,) = [line for line in lines if line.startswith("lost: ")]
    assert "fine-tune, seed 0, 30 labels: finetune — its process on node " in lost
    assert [line for line in lines if "going on after step 8 of 16" in line]
    assert (ended["one"][0], ended["two"][0]) == ((1, False), (2, True))  # each of two held half of it
    for name, tensor in ended["one"][1].items():
        # Sums of two processes are added in another order.
        assert (tensor - ended["two"][1][name]).abs().max() < 1e-3, name


OF_TIME_OR_MACHINE = ("seconds", "per_second", "peak_memory", "device", "threads")


def artifacts(store):
    return {path.parent.name: path.stat().st_mtime_ns for path in (store / "artifacts").glob("*/stage.json")}


@pytest.mark.measured(0)
def test_a_study_whose_nodes_are_lost_at_several_moments_ends_as_on_one_machine(cluster, write_study, tmp_path):
    import ray

    (tmp_path / "deadly.py").write_text(DEADLY)
    # Of all nodes of a machine its driver may be given any by some versions of Ray; and the study of one machine runs in this process.
    here = next(node for node in cluster.list_all_nodes() if node.node_id == ray.get_runtime_context().get_node_id())
    (tmp_path / "spared").write_text(f"{os.getppid()} {here.all_processes['raylet'][0].process.pid}")
    study = load_study(write_study(tmp_path, TWELVE))
    options = {"threads": 1, "checkpoint_seconds": 0.0, "micro_tokens": 1024, "allow_code": True}
    lines, finished, store = [], {}, tmp_path / "store"

    def say(line):
        lines.append(line)
        if line.startswith("lost: "):
            finished.update(artifacts(store))

    ended = run_study(study, tmp_path, Options(tmp_path / "several", store, "ray", say=say, **options))
    lost = [line for line in lines if line.startswith("lost: ")]
    assert (ended.runs, ended.failed, len(lost)) == (12, 0, 2)
    again = artifacts(store)
    assert {name: again[name] for name in finished} == finished  # nothing that was there was made again
    notes = json.loads((tmp_path / "several/study.json").read_text())["notes"]
    assert sum(note.count("was lost") for note in notes if "was run again" in note) == 2  # of one stage or of two
    run_study(study, tmp_path, Options(tmp_path / "one", tmp_path / "store-one", "inline", say=lambda _: None, **options))
    one, several = tmp_path / "one", tmp_path / "several"
    for name in ("predictions.parquet", "contributions.parquet", "verdicts.json", "disagreements.json", "study.yaml"):
        assert (one / name).read_bytes() == (several / name).read_bytes(), name
    weights = [path.relative_to(tmp_path / "store-one") for path in (tmp_path / "store-one").rglob("*.safetensors")]
    assert len(weights) > 12
    for path in weights:
        assert (tmp_path / "store-one" / path).read_bytes() == (store / path).read_bytes(), path
    tables = [parquet.read_table(folder / "results.parquet") for folder in (one, several)]
    kept = [name for name in tables[0].column_names if not any(each in name for each in OF_TIME_OR_MACHINE)]
    assert tables[0].select(kept).equals(tables[1].select(kept))
    assert len(kept) > 10


DRIVER = """
    import sys
    from pathlib import Path
    sys.path.insert(0, {folder!r})
    from acclimate.errors import ClusterError
    from acclimate.study.engines import ray_cluster
    from acclimate.study.engines.ray import Ray
    from tests.study.performers import Diary, job

    address, head = sys.argv[2:]
    if head == "own":
        from ray.cluster_utils import Cluster
        cluster = Cluster(initialize_head=True, head_node_args={node!r})
        address = cluster.address
        ray_cluster.HEAD_SECONDS = ray_cluster.LOOK_EVERY = 0.5
    engine = Ray(address=address)

    def say(line):
        print(line, flush=True)

    class Watcher:
        owns_terminal = False
        def began(self, key):
            if head == "own":
                cluster.head_node.kill_gcs_server()
        def progress(self, key, progress): ...
        def lost(self, key, why): ...
        def ended(self, report): ...

    try:
        engine.run([job("a", "", "pid"), job("b", "a")], Diary(Path(sys.argv[1])), say, Watcher())
    except ClusterError as error:
        print(error, flush=True)
        sys.exit(error.exit_code)
"""


def driver(folder, address, head):
    program = folder / "driver.py"
    program.write_text(textwrap.dedent(DRIVER.format(folder=str(Path(__file__).resolve().parents[2]), node=NODE)))
    words = [sys.executable, program, folder / "diary", address, head]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**os.environ, **ENVIRONMENT})


def test_when_the_driver_is_killed_its_stages_leave_the_nodes(cluster, tmp_path):
    process = driver(tmp_path, cluster.address, "ours")
    diary = tmp_path / "diary"
    while not (diary.exists() and len(diary.read_text().split()) == 2):
        assert process.poll() is None
        time.sleep(0.1)
    process.kill()
    process.wait()
    pid = int(done(tmp_path)[1])
    while psutil.pid_exists(pid):
        time.sleep(0.1)


def test_the_loss_of_the_head_is_said_and_ends_the_command(tmp_path):
    process = driver(tmp_path, "auto", "own")
    told, _ = process.communicate()
    assert "the head of the Ray cluster at" in told
    assert "the same command goes on" in told
    assert process.returncode == ClusterError.exit_code
