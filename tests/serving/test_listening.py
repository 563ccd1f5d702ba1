"""A server that listens: clients that are slow, gone or many do not hold it, and it ends well."""

import contextlib
import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from tests.serving.conftest import Lengths, service_of

from acclimate.errors import SettingsError
from acclimate.modeling.baselines.majority_model import MajorityModel
from acclimate.serving.app import make_app
from acclimate.serving.gate import Allowed
from acclimate.serving.limits import Limits
from acclimate.serving.server import Stoppable, address_of, config_of, listen
from bench.http_load import load

POST = b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
BODY = json.dumps({"texts": ["a", "much longer"]}).encode()
WHOLE = POST % (len(BODY), BODY)


@contextlib.contextmanager
def listening(model=None, sends=None, **limits):
    """A server in a thread, whose system keeps `sends` bytes for a client that does not read: its port, its application, and itself."""
    limits = Limits(**limits)
    app = make_app(service_of(model or Lengths()), Allowed(True), limits, lambda line: None)
    ready = threading.Event()
    with listen("127.0.0.1", 0) as taken:
        if sends is not None:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, sends)  # whoever is accepted inherits it
        server = Stoppable(config_of(app, limits), ready.set)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]})
        port = taken.getsockname()[1]
        thread.start()
        ready.wait()
        try:
            yield port, app, server
        finally:
            server.should_exit = True
            thread.join()


def received(connection):
    """All that comes until the other side closes."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def ask(port):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("POST", "/predict", BODY, {"content-type": "application/json"})
    return json.loads(connection.getresponse().read())["answers"]


def test_requests_one_behind_the_other_in_a_connection_are_all_answered_in_order():
    with listening() as (port, app, _), socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(WHOLE * 30 + WHOLE.replace(b"localhost", b"localhost\r\nconnection: close"))
        assert received(connection).count(b'"label": "long"') == 31
        assert app.state.answering.responses == {200: 31}


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", b"408"),
        (b"POST /predict HTTP/1.1\r\nhost: local", b"408"),
        (WHOLE[:-5], b"408"),
        (WHOLE + WHOLE[:30], b"200"),
        (POST.replace(b"content-length: %d", b"transfer-encoding: chunked") % b"5\r\naaaaa\r\n", b"408"),
    ],
    ids=["nothing", "half a head", "half a body", "half of the second", "endless chunks"],
)
def test_a_client_that_does_not_go_on_is_let_go(sent, status, monkeypatch):
    monkeypatch.setattr("acclimate.serving.server.LINGER", 0.05)
    monkeypatch.setattr("acclimate.serving.server.KEEP_ALIVE", 0.1)
    with listening(arrival=0.1) as (port, app, _), socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(sent)
        assert received(connection).startswith(b"HTTP/1.1 " + status)
        assert ask(port)[1]["label"] == "long"
        assert app.state.answering.held == 0


def test_what_is_no_http_is_told_in_the_form_of_all_errors(caplog):
    no_http = (b"\x16\x03\x01" * 20 + b"\r\n\r\n", WHOLE.replace(b"host:", b"host: a\r\nhost:"), POST % (-5, b""))
    with listening() as (port, _, _):
        for sent in no_http:
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(sent)
                head, _, body = received(connection).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 400 ")
            assert json.loads(body)["error"]["problem"] == "this is no valid request of HTTP/1.1"
        with socket.create_connection(("127.0.0.1", port)) as connection:  # whose answer has begun by then
            connection.sendall(b"POST /nowhere HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n")
            told = b""
            while not told.endswith(b"}}"):
                told += connection.recv(65536)
            assert told.startswith(b"HTTP/1.1 404 ")
            connection.sendall(b"no number of bytes\r\n")
            assert received(connection) == b""
        assert ask(port)[1]["label"] == "long"
    assert caplog.records == []


def test_a_client_that_drips_is_let_go(monkeypatch):
    monkeypatch.setattr("acclimate.serving.server.LINGER", 0.05)
    with listening(arrival=0.1) as (port, _, _), socket.create_connection(("127.0.0.1", port)) as connection:
        with contextlib.suppress(OSError):
            while True:  # ends when the server closes
                connection.sendall(b"x")
                time.sleep(0.01)
        assert ask(port)[1]["label"] == "long"


def test_who_is_refused_and_sends_on_is_let_go(monkeypatch):
    monkeypatch.setattr("acclimate.serving.server.LINGER", 0.05)
    with listening(arrival=0.1) as (port, _, _), socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"POST /nowhere HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n")
        with contextlib.suppress(OSError):
            while True:
                connection.sendall(b"5\r\naaaaa\r\n")
                time.sleep(0.01)
        assert ask(port)[1]["label"] == "long"


def test_who_does_not_read_its_answers_is_let_go():
    many = POST % (len(body := json.dumps({"texts": ["a"] * 250}).encode()), body)
    with listening(sends=4096, seconds=0.1) as (port, app, server), socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", port))
        with contextlib.suppress(OSError):
            connection.sendall(many * 30)
        while not app.state.answering.responses or server.server_state.connections:
            time.sleep(0.01)
        assert ask(port)[1]["label"] == "long"


def test_what_is_too_large_is_told_to_a_client_that_sends_all_of_it_first():
    with listening(body=1_000) as (port, _, _):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for body in (b"x" * 3_000_000, iter([b"x" * 1_000_000] * 3)):
            connection.request("POST", "/predict", body, {"content-type": "application/json"})
            response = connection.getresponse()
            assert (response.status, b"larger than 1,000 bytes" in response.read()) == (413, True)
        connection.request("POST", "/predict", BODY, {"content-type": "application/json"})
        assert connection.getresponse().status == 200, "the connection serves further requests"


def test_under_load_every_request_is_answered_or_told_to_come_again():
    with listening() as (port, _, _):
        found = load(port, ["a", "much longer"], 6, 0.3)
        assert found.lost == 0
        assert found.statuses.keys() == {200}
        assert found.percentile(0.5) <= found.percentile(0.99)
    with listening(Lengths(lambda texts: time.sleep(0.01)), waiting=1) as (port, _, _):
        crowded = load(port, ["a"], 6, 0.3)
        assert crowded.lost == 0
        assert crowded.statuses.keys() == {200, 503}


def test_there_are_only_so_many_connections():
    with listening(connections=3) as (port, _, _), contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(3)]
        for connection in held:
            connection.sendall(WHOLE)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        with socket.create_connection(("127.0.0.1", port)) as further:
            assert b"503 Service Unavailable" in (told := received(further))
            assert b"retry-after: 1" in told


def test_what_a_client_that_went_had_asked_is_not_answered_any_more():
    go, begun = threading.Event(), threading.Event()

    def wait(texts):
        begun.set()
        go.wait()

    model = Lengths(wait)
    with listening(model) as (port, app, _):
        first = threading.Thread(target=ask, args=(port,))
        first.start()
        begun.wait()
        batcher = app.state.answering.batcher
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(POST % (19, b'{"texts": ["gone"]}'))
            while batcher.open < 2:
                time.sleep(0.01)
        while batcher.open > 1:
            time.sleep(0.01)
        go.set()
        first.join()
    assert ["gone"] not in model.passes


def test_what_is_there_when_it_ends_is_answered_and_nothing_new_is_taken():
    go, begun = threading.Event(), threading.Event()

    def wait(texts):
        begun.set()
        go.wait()

    answers = []
    with listening(Lengths(wait)) as (port, _, server):
        client = threading.Thread(target=lambda: answers.append(ask(port)))
        client.start()
        begun.wait()
        server.should_exit = True
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
            except ConnectionRefusedError:
                break
            time.sleep(0.01)
        go.set()
        client.join()
    assert answers[0][1]["label"] == "long"


def test_a_port_in_use_and_an_address_of_another_machine_are_told():
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert address_of(taken) == f"http://127.0.0.1:{port}"
        with pytest.raises(SettingsError, match=f"--port {port}: another program listens there"):
            listen("127.0.0.1", port)
    for host in ("192.0.2.1", "no such name"):
        with pytest.raises(SettingsError, match=f"--host {host}: .*127.0.0.1 is this machine alone"):
            listen(host, 0)


def test_the_command_answers_until_it_is_told_to_stop(tmp_path):
    MajorityModel(("neg", "pos"), (0.25, 0.75)).save(tmp_path / "model")
    words = [sys.executable, "-m", "acclimate", "serve", "model", "--port", "0"]
    with subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        told = process.stderr.readline()
        assert told.startswith("model: POST http://127.0.0.1:"), told
        port = int(told.split("/")[2].rpartition(":")[2])
        assert [answer["label"] for answer in ask(port)] == ["pos", "pos"]
        process.send_signal(signal.SIGTERM)
        assert process.stderr.read() == "stopped; requests answered: 1 with 200\n"
        assert process.wait() == 0
