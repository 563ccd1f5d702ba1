"""Moto's S3 server for tests, in an environment of its own: what it is made of conflicts with what acclimate needs."""

import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from filelock import FileLock

NEEDS = ("moto[s3]==5.2.5", "flask==3.1.3", "flask-cors==6.0.5")
ENVIRONMENT = Path(sys.prefix) / f"moto-{NEEDS[0].partition('==')[2]}"  # beside what `make setup` installs: made once, gone with it


def python() -> Path:
    """The interpreter that has moto; the environment is made by the first who asks."""
    ready = ENVIRONMENT / "ready"
    with FileLock(f"{ENVIRONMENT}.lock"):
        if not ready.exists():
            shutil.rmtree(ENVIRONMENT, ignore_errors=True)
            quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
            subprocess.run([sys.executable, "-m", "venv", "--without-pip", ENVIRONMENT], check=True)
            words = [sys.executable, "-m", "pip", "--python", str(ENVIRONMENT), "install", "--quiet", "--no-compile", *NEEDS]
            made = subprocess.run(words, check=False, **quiet)
            assert made.returncode == 0, made.stdout
            ready.touch()
    return ENVIRONMENT / "bin" / "python"


@contextmanager
def s3_server() -> Iterator[str]:
    """The address of a server that lives as long as the block."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port = asked.getsockname()[1]
    words = [str(python()), "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            assert process.poll() is None, f"{' '.join(words)}: ended with {process.returncode}"
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def credentials(server: str) -> dict[str, str]:
    """The variables by which a client finds this server."""
    told = {"ACCESS_KEY_ID": "me", "SECRET_ACCESS_KEY": "secret", "REGION": "us-east-1", "ENDPOINT_URL": server}
    return {f"AWS_{name}": value for name, value in told.items()}


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with s3_server() as address:
        yield address


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty bucket, with credentials for it in the environment."""
    for name, value in credentials(s3).items():
        monkeypatch.setenv(name, value)
    name = f"bucket-{uuid.uuid4().hex}"
    urlopen(Request(f"{s3}/{name}", method="PUT")).close()
    return f"s3://{name}/some/prefix"
