"""A study that runs is a process of its own: whoever serves the page finds it, tells how it stands, and can stop it."""

import dataclasses
import json
import os
import subprocess
import sys
import threading
import time

import pytest
from tests.page.conftest import HERE, HOSTILE, TOKEN

from acclimate.page import runs, watching
from acclimate.page.app import make_page
from acclimate.page.home import Home
from acclimate.page.runs import Runs, log_of
from acclimate.page.studies import open_study
from acclimate.serving.limits import Limits
from acclimate.serving.server import Stoppable, config_of, listen
from acclimate.study.watch.status import Begun, Process, StageStatus, Status, write_status
from acclimate.training.progress import Progress

STUDY = "data: { task: { path: data/news.jsonl } }\nrecipes: { a: { base: majority } }\n"
# What a study's process does, as far as the page sees it: it says how it stands until somebody asks it to stop.
STANDS = """
import signal, sys, time
from pathlib import Path
from acclimate.study.watch.status import Process, StageStatus, Status, write_status
verb, file, *flags = sys.argv[1:]
print("told", *flags)
out = Path(file).parent / "results" / (Path(file).stem + ("-smoke" if "--smoke" in flags else ""))
out.mkdir(parents=True, exist_ok=True)
print("<b>it runs</b>", flush=True)
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
def tell(state, process):
    stages = (StageStatus("a" * 64, None, "a stage", 1, "running"),)
    write_status(out, Status("study", state, time.time(), time.time(), stages, process=process))
tell("running", Process.this())
while not asked:
    time.sleep(0.01)
tell("interrupted", None)
"""


@pytest.fixture
def study(folder, tmp_path, monkeypatch):
    """A study file, and a command in the place of acclimate's; its text may be another one."""
    (folder / "study.yaml").write_text(STUDY)

    def command(text=STANDS):
        (tmp_path / "acclimate.py").write_text(text)
        monkeypatch.setattr(runs, "COMMAND", (sys.executable, "-P", str(tmp_path / "acclimate.py")))

    command()
    return command


def until(client, words, **asked):
    """The page of the study once it says so; who waits for ever is ended by the suite's own limit."""
    while words not in (page := client.get("/study", params={"file": "study.yaml", **asked})).text:
        assert page.status_code == 200
        time.sleep(0.02)
    return page.text


def test_a_study_is_started_found_by_another_server_and_stopped_there(visit, study, folder):
    first, second = visit(True), visit(True)
    assert "not run yet" in until(first, "Run it")
    assert first.post("/start", data={"file": "study.yaml"}).status_code == 303
    page = until(first, "Stop (it can go on later)")
    page = until(second, "a stage")
    assert "&lt;b&gt;it runs&lt;/b&gt;" in page
    for client in (first, second):
        assert "runs already" in client.post("/start", data={"file": "study.yaml"}).text
    assert 'study.yaml</bdi></a> <span class="small">running' in second.get("/").text
    assert second.post("/stop", data={"file": "study.yaml"}).status_code == 303
    assert "interrupted; the same command continues" in until(second, "Go on")
    assert "does not run" in second.post("/stop", data={"file": "study.yaml"}).text
    assert first.post("/start", data={"file": "study.yaml", "smoke": "1"}).status_code == 303
    until(first, "a stage", smoke="1")
    assert first.post("/stop", data={"file": "study.yaml", "smoke": "1"}).status_code == 303
    until(first, "interrupted", smoke="1")
    assert (folder / "results" / "study-smoke").is_dir()


def test_a_study_that_does_not_begin_says_why(study, client):
    study("import sys; sys.exit('error: <i>no room</i>')")
    client.post("/start", data={"file": "study.yaml"})
    assert "error: &lt;i&gt;no room&lt;/i&gt;" in until(client, "it ended before it began; its log says why")


def begun(folder, **said):
    """A study that was begun on a terminal with these, and stopped."""
    (folder / "results" / "study").mkdir(parents=True, exist_ok=True)
    stages = (StageStatus("d" * 64, None, "a stage", 1, "done"),)
    write_status(folder / "results" / "study", Status("study", "interrupted", 1.0, time.time(), stages, begun=Begun(**said)))


@pytest.mark.parametrize(
    ("said", "goes_on"),
    [
        ({"store": "kept/here", "precision": "bf16", "micro_tokens": 512}, "--store={}/kept/here --precision=bf16 --micro-tokens=512"),
        (
            {"store": "s3://bucket/all", "engine": "ray", "address": "head:6379", "devices": 2, "fsdp": True},
            "--store=s3://bucket/all --engine=ray --address=head:6379 --devices=2 --fsdp",
        ),
        ({"engine": "--allow-code", "workers": 2}, "--engine=--allow-code --workers=2"),
    ],
)
def test_a_study_that_was_begun_on_a_terminal_goes_on_with_the_same_store_and_engine(study, client, folder, said, goes_on):
    begun(folder, **said)
    page = until(client, "Go on")
    assert f"begun with --{next(iter(said))} {next(iter(said.values()))}" in page  # before anybody presses it
    client.post("/start", data={"file": "study.yaml"})
    assert f"told {goes_on.format(folder)}\n" in until(client, "it runs")
    client.post("/stop", data={"file": "study.yaml"})
    until(client, "interrupted")


@pytest.mark.parametrize("said", [{"store": "../secret"}, {"store": "/etc"}, {"store": "a\0b"}, {"engine": "ray", "address": "a\nb"}])
def test_a_status_leads_no_study_out_of_the_folder(study, client, folder, said):
    begun(folder, **said)
    answer = client.post("/start", data={"file": "study.yaml"})
    assert answer.status_code == 400
    assert "study.yaml: " in answer.text
    assert not log_of(folder / "results" / "study").exists()


def test_curves_and_plan_are_those_of_the_store_that_a_study_was_begun_with(study, client, folder):
    file = folder / "kept" / "artifacts" / ("d" * 16) / "log.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text("".join(f"{json.dumps({'step': step, 'loss': 1 / step})}\n" for step in (1, 2)))
    begun(folder, store="kept")
    assert "training loss: from 1.000 to 0.500" in until(client, "a stage")
    begun(folder, store="s3://bucket/<all>")
    assert "They lie in <bdi>s3://bucket/&lt;all&gt;</bdi>, which this page does not read" in until(client, "Go on")
    assert "another store, which this page does not read" in client.get("/plan", params={"file": "study.yaml"}).text


def test_a_study_that_was_killed_is_dead_and_can_go_on(study, client, folder):
    (folder / "results" / "study").mkdir(parents=True)
    gone = dataclasses.replace(Process.this(), started=1.0)
    write_status(folder / "results" / "study", Status("study", "running", 1.0, 2.0, process=gone))
    assert "died without finishing" in until(client, "Go on")


def test_no_process_but_a_study_is_stopped_whatever_a_status_file_says(study, client, folder):
    (folder / "results" / "study").mkdir(parents=True)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        import psutil

        named = dataclasses.replace(Process.this(), pid=other.pid, started=psutil.Process(other.pid).create_time())
        write_status(folder / "results" / "study", Status("study", "running", 1.0, time.time(), process=named))
        assert "none of this machine" in client.post("/stop", data={"file": "study.yaml"}).text
        assert other.poll() is None
        other.communicate(b"\n")


def test_what_a_page_does_not_run_is_not_started(study, client, folder):
    (folder / "mine.py").write_text("def loss(*a): pass\n")
    code, outside = STUDY.replace("{ base: majority }", "[finetune: { loss: mine:loss }]"), STUDY.replace("data/news", "../secret/news")
    for name, text in (("code", code), ("outside", outside)):
        (folder / f"{name}.yaml").write_text(text)
        assert client.post("/start", data={"file": f"{name}.yaml"}).status_code == 400
    (folder / "results").symlink_to(folder.parent / "secret")
    assert client.post("/start", data={"file": "study.yaml"}).status_code == 400
    assert sorted(path.name for path in (folder.parent / "secret").iterdir()) == ["news.jsonl"]


def test_states_curves_and_errors_are_told_as_text(folder, study):
    opened, out = open_study(Home.of(folder), "study.yaml"), folder / "results" / "study"
    out.mkdir(parents=True)
    log_of(out).write_text(f"{HOSTILE}\n\x1b[31m")
    artifact = folder / ".acclimate" / "artifacts" / ("d" * 16)
    artifact.mkdir(parents=True)
    log = [{"step": step, "loss": 1 / step, "dev_macro_f1": step / 9} for step in (1, 2, 3)]
    (artifact / "log.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in log))
    running = Progress("tuned", 3, 10, 0, 120.0, 0.5, 7.0)
    curves = {"loss": ((1, 2.0), (3, 0.5)), "dev_macro_f1": ((1, 0.25), (2, 0.75)), "heldout_loss": ((2, 1.5),)}
    stages = (
        StageStatus("d" * 64, None, f"base {HOSTILE}", 2, "done", 3.0),
        StageStatus("c" * 64, "d" * 64, "tuned", 1, "running", 5.0, running, curves=curves),
        StageStatus("f" * 64, "d" * 64, "failed one", 1, "failed", error=HOSTILE),
    )
    write_status(out, Status("study", "running", time.time() - 9, time.time(), stages, 7.0, process=Process.this()))
    home = Home.of(folder)
    pieces = watching.pieces(home, Runs(home, os.environ).standing(opened, False), opened, False)
    assert {"<script", "<img", "\x1b"} & {piece for piece in ("<script", "<img", "\x1b") if piece in "".join(pieces.values())} == set()
    assert "1 of 3 stages done, 1 running, 1 failed" in pieces["now"]
    assert "about 7.0 s left" in pieces["now"]
    assert '<progress max="10" value="3"' in pieces["tree"]
    assert "depth-1 running" in pieces["tree"]
    assert "training loss: from 2.000 to 0.500" in pieces["running"]
    assert "dev macro f1: from 0.250 to 0.750" in pieces["running"]
    assert "dev macro f1 0.7500" in pieces["tree"]
    assert "held-out loss 1.5000" in pieces["tree"]
    assert "held-out loss" not in pieces["running"]  # a point is no curve
    assert "dev macro f1: from 0.111 to 0.333" in pieces["done"]
    write_status(out, Status("study", "finished", 1.0, 2.0, (StageStatus("../../secret", None, "odd", 1, "done"),)))
    pieces = watching.pieces(home, Runs(home, os.environ).standing(opened, False), opened, False)
    assert "results/study/.status.json: is damaged: &#39;../../secret&#39;" in pieces["now"]


def test_twenty_open_pages_are_told_what_changes_and_the_server_ends_at_once(folder, study):
    (folder / "results" / "study").mkdir(parents=True)
    home, told, there = Home.of(folder), [], threading.Semaphore(0)

    def tell(state):
        process = Process.this() if state == "running" else None
        write_status(folder / "results" / "study", Status("study", state, time.time(), time.time(), process=process))

    def follow(port, cookie):
        import http.client

        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", "/events?file=study.yaml", headers={"cookie": cookie})
        response = connection.getresponse()
        news = []
        while line := response.readline():
            if line.startswith(b"data: "):
                news.append(json.loads(line[6:]))
                there.release()
        told.append((response.status, news))

    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        app = make_page(home, TOKEN, port, lambda line: None)
        server = Stoppable(config_of(app, Limits()), lambda: None)
        app.state.ending = lambda: server.should_exit
        serving = threading.Thread(target=server.run, kwargs={"sockets": [taken]})
        serving.start()
        import http.client

        entering = http.client.HTTPConnection("127.0.0.1", port)
        entering.request("GET", f"/?token={TOKEN}")
        cookie = entering.getresponse().headers["set-cookie"].partition(";")[0]
        entering.close()
        tell("running")
        pages = [threading.Thread(target=follow, args=(port, cookie)) for _ in range(20)]
        for page in pages:
            page.start()
        for _ in pages:
            there.acquire()
        tell("finished")
        for _ in pages:
            there.acquire()
        server.should_exit = True
        for thread in (*pages, serving):
            thread.join()
    assert HERE.startswith("http://127.0.0.1")
    assert [status for status, _ in told] == [200] * 20
    for _, news in told:
        assert {"act", "now"} <= news[0].keys()
        assert "running" in news[0]["act"]
        last = {name: piece for each in news for name, piece in each.items()}
        assert "finished" in last["act"]
        assert "tree" not in news[-1]  # nothing is sent again that did not change
