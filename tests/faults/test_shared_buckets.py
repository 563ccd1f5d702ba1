import os
import signal
import time
from contextlib import ExitStack, contextmanager, suppress
from functools import partialmethod

import pytest
from tests.faults.holder import BRINGING, PATIENT, QUICK, bring_and_hang
from tests.study.test_store import KEY, in_process, make

from acclimate.errors import StoreError, UnreadableError
from acclimate.locks import Busy
from acclimate.study.language.study import load_study
from acclimate.study.run import Options, run_study
from acclimate.study.store import bucket_work
from acclimate.study.store.bucket import Bucket
from acclimate.study.store.claims import facts_of
from acclimate.study.store.objects import ObjectStore
from acclimate.training import checkpoint, loop


@pytest.fixture
def machine(bucket, tmp_path):
    """A function from a name to the store of a machine: its own folder, the same bucket."""
    return lambda name, terms=PATIENT: ObjectStore(bucket, tmp_path / name, terms)


def weights(store: ObjectStore) -> str:
    with store.using(KEY) as folder:
        return (folder / "model" / "weights").read_text()


@pytest.fixture
def killed(bucket, tmp_path):
    """The machine `killed` had a process that was killed when it had brought half of an artifact."""
    sign = tmp_path / "sign"
    process = in_process(bring_and_hang, bucket, tmp_path / "killed", KEY, sign)
    while not sign.exists():
        assert process.is_alive()
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.join()


def test_what_a_killed_writer_finished_is_brought_by_the_next_on_its_machine_at_once(killed, machine) -> None:
    store = machine("killed")
    assert not machine("other").has(KEY)  # half of it is no artifact
    with store.lock(KEY, timeout=0):
        assert store.has(KEY)
    assert machine("other").has(KEY)


def test_another_machine_takes_the_claim_of_a_killed_writer_when_it_has_expired(killed, machine) -> None:
    other = machine("other", QUICK)
    with pytest.raises(Busy), other.lock(KEY, timeout=0):
        pass
    make(other, weights="of the other")
    assert weights(machine("third")) == "of the other"
    # What the killed one had made is of no use any more, and gives way.
    assert machine("killed").has(KEY)
    assert weights(machine("killed")) == "of the other"


@pytest.mark.parametrize("harm", ["truncated", "changed", "missing", "a mark that is none"])
def test_a_damaged_object_is_found_and_its_artifact_computed_again(machine, harm, caplog) -> None:
    store = machine("one")
    make(store)
    name = next(each.name for each in store.bucket.list() if each.name.endswith("/weights"))
    match harm:
        case "truncated":
            store.bucket.put(name, b"0123")
        case "changed":
            store.bucket.put(name, b"0123456780")
        case "missing":
            store.bucket.delete([name])
        case _:
            store.bucket.put(next(each.name for each in store.bucket.list() if each.name.endswith("/stage.json")), b"{")
    other = machine("two")
    assert not other.has(KEY)
    assert "will be computed again" in caplog.text
    make(other)
    assert weights(machine("three")) == "0123456789"


def test_a_damaged_copy_on_a_machine_is_fetched_again(machine) -> None:
    make(machine("one"))
    store = machine("two")
    assert store.has(KEY)
    copy = store.path(KEY) / "model" / "weights"
    copy.write_text("0123456780")
    assert machine("two").has(KEY)
    assert copy.read_text() == "0123456789"


def test_where_claims_are_not_exclusive_two_may_compute_and_the_artifact_is_of_one(machine, monkeypatch) -> None:
    # As a server does that does not know conditional writes, and writes.
    monkeypatch.setattr(Bucket, "create", Bucket.put)
    one, two = machine("one"), machine("two")
    with ExitStack() as both:
        for store in (one, two):
            both.enter_context(store.lock(KEY))
        for store, text in ((one, "first"), (two, "second")):
            with store.building(KEY, {}) as folder:
                (folder / "model").mkdir()
                (folder / "model" / "weights").write_text(text)
                (folder / "metrics.json").write_text(f'"{text}"')
    for store in (machine("one"), machine("two"), machine("three")):
        assert weights(store) == "second"
        assert (store.path(KEY) / "metrics.json").read_text() == '"second"'


def test_without_conditional_writes_a_claim_still_keeps_others_away(machine, monkeypatch) -> None:
    monkeypatch.setenv("AWS_CONDITIONAL_PUT", "disabled")
    with machine("one").lock(KEY):
        while facts_of(machine("one").bucket.get(f"claims/{KEY[:16]}"))["renewed"] < 2:
            time.sleep(0.05)
        with pytest.raises(Busy), machine("two").lock(KEY, timeout=0):
            pass
    make(machine("two"))
    assert machine("one").has(KEY)


def test_a_claim_that_was_lost_ends_no_work(machine) -> None:
    """A process that was held up for longer than a claim lasts: another machine has done the work, and its artifact is the one."""
    one, two = machine("one"), machine("two")
    with one.lock(KEY), one.building(KEY, {}) as folder:
        (folder / "weights").write_text("late")
        one.bucket.delete([each.name for each in one.bucket.list("claims/")])
        make(two)
    assert weights(one) == weights(two) == "0123456789"


def test_a_network_that_is_gone_keeps_what_was_made_and_the_next_try_brings_it(machine, monkeypatch) -> None:
    store = machine("one")

    def gone(*_: object) -> None:
        raise UnreadableError("the network is gone")

    with monkeypatch.context() as patch:
        patch.setattr(Bucket, "upload", gone)
        with pytest.raises(UnreadableError, match="the network is gone"):
            make(store)
    assert not machine("two").has(KEY)
    with store.lock(KEY):
        assert store.has(KEY)
    assert weights(machine("two")) == "0123456789"


def test_a_wrong_bucket_and_a_server_that_is_not_there_are_said_before_anything_is_done(
    bucket,
    acclimate,
    write_study,
    tmp_path,
    monkeypatch,
) -> None:
    study = write_study(tmp_path)
    monkeypatch.setenv("ACCLIMATE_CACHE", str(tmp_path / "cache"))
    assert acclimate("study", study, "--store", "s3://nowhere-at-all/prefix", "--engine", "inline").returncode == 2
    ran = acclimate("plan", study, "--store", "s3://nowhere-at-all/prefix")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "s3://nowhere-at-all/prefix: there is no such bucket" in ran.stderr
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    ran = acclimate("study", study, "--store", bucket)
    assert ran.returncode == 2
    assert "cannot be reached" in ran.stderr
    assert not (tmp_path / "results").exists()


def test_missing_credentials_are_told_by_what_the_server_says() -> None:
    from obstore.exceptions import GenericError, PermissionDeniedError

    told = Bucket("s3://bucket/prefix")
    for error in (GenericError("Error performing PUT http://169.254.169.254/latest/api/token"), PermissionDeniedError("403")):
        with pytest.raises(StoreError, match="AWS_SECRET_ACCESS_KEY"), told._told():
            raise error


class Lost(BaseException):
    """As sudden as the loss of a machine: no stage catches it."""


def wait_for(bucket: Bucket, name: str) -> None:
    """Until checkpoints with this file are in the bucket."""
    while not any(name in facts_of(bucket.get(each.name))["files"] for each in bucket.list("work/") if each.name.endswith("files.json")):
        time.sleep(0.05)


@contextmanager
def lost_at(store: ObjectStore, step: int):
    """A stage takes KEY up, comes to this step, and its machine is lost when that is in the bucket."""
    with suppress(Lost), store.lock(KEY):
        store.take_up(KEY)
        with store.building(KEY, {"title": "a stage"}):
            yield store.work(KEY)
            for number in (step - 1, step):
                state = store.work(KEY) / "all" / f"state-{number}"
                state.mkdir(parents=True, exist_ok=True)
                (state / "model").write_text("w" * number)
            (store.work(KEY) / "all" / "best").write_text(f"of step {step}")
            wait_for(store.bucket, f"all/state-{step}/model")
            raise Lost


def checkpoints(store: ObjectStore) -> dict[str, str]:
    work = store.work(KEY)
    return {file.relative_to(work).as_posix(): file.read_text() for file in work.rglob("*") if file.is_file() and file.name != ".turn"}


def test_checkpoints_of_a_lost_machine_are_fetched_by_who_goes_on_and_are_gone_when_the_stage_is_done(machine) -> None:
    assert bucket_work.STATE == checkpoint.STATE
    one, two, said = machine("one", BRINGING), machine("two", BRINGING), []
    with lost_at(one, 8):
        pass
    (entry,) = machine("three").ls()
    assert (entry.kind, entry.key, entry.title) == ("work", KEY, "a stage")
    assert machine("three").prune() == []
    with lost_at(two, 9) as work:
        assert checkpoints(two) == {"all/best": "of step 8", "all/state-8/model": "w" * 8}  # and not the state before the last
        assert work.is_dir()
    assert "all/state-8/model" in checkpoints(one)
    with one.lock(KEY):
        one.take_up(KEY, said.append)
        assert checkpoints(one) == {"all/best": "of step 9", "all/state-9/model": "w" * 9}
        one.take_up(KEY, said.append)
        assert len(said) == 1
        with one.building(KEY, {"title": "a stage"}):
            pass
    assert [entry.kind for entry in one.ls()] == ["artifact"]
    assert not [*one.bucket.list("work/")]


def test_checkpoints_in_a_bucket_that_are_damaged_or_nobodys_are_not_taken_up_and_go_when_it_is_tidied(machine, caplog) -> None:
    one = machine("one", BRINGING)
    with lost_at(one, 3):
        pass
    (name,) = [each.name for each in one.bucket.list("work/") if each.size == 3]
    one.bucket.put(name, b"???")
    two = machine("two")
    with two.lock(KEY):
        two.take_up(KEY)
        assert checkpoints(two) == {}
    assert "or not as it was written; the stage goes on from what this machine has of it, or begins again" in caplog.text
    with machine("three").lock(KEY):
        assert two.prune(set()) == []
    assert [entry.kind for entry in two.prune(set())] == ["work"]
    assert two.ls() == []


SMALL = """
{head}
seeds: 1
labels: [30]
recipes:
  fine-tune: [finetune: {{ lr: 1e-2, epochs: 2, batch_size: 4, min_steps: 0, patience: null }}]
  majority: {{ base: majority }}
"""


def test_a_training_whose_machine_is_lost_goes_on_from_the_bucket_and_ends_bitwise_equal(
    bucket, write_study, tmp_path, monkeypatch, capsys
) -> None:
    study = load_study(write_study(tmp_path, SMALL))
    do_whole = loop._Training._do

    def do(training, step):
        if training.state.step == 10:
            wait_for(Bucket(bucket), "all/state-10/state.json")
            raise Lost
        do_whole(training, step)

    def run(name: str, store) -> None:
        options = {"threads": 1, "micro_tokens": 1024, "checkpoint_seconds": 0.0, "engine": "inline", "say": lambda _: None}
        run_study(study, tmp_path, Options(tmp_path / f"out-{name}", store, **options))

    def on(name: str) -> None:
        monkeypatch.setenv("ACCLIMATE_CACHE", str(tmp_path / name))
        run(name, bucket)

    run("straight", tmp_path / "straight")
    with monkeypatch.context() as patched:
        patched.setattr(ObjectStore, "__init__", partialmethod(ObjectStore.__init__, terms=BRINGING))
        patched.setattr(loop._Training, "_do", do)
        with pytest.raises(Lost):
            on("one")
    on("two")
    assert "going on after step 10 of 16" in capsys.readouterr().err
    ended = {name: sorted((tmp_path / name).rglob("artifacts/*/model/model.safetensors")) for name in ("straight", "two")}
    assert [each.parent.parent.name for each in ended["straight"]] == [each.parent.parent.name for each in ended["two"]] != []
    assert [each.read_bytes() for each in ended["straight"]] == [each.read_bytes() for each in ended["two"]]
