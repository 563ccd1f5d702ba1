"""A bucket of an object store (S3, Google Cloud Storage, Azure), by obstore: whole objects under names, errors that say what to mend."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.errors import MissingExtraError, SettingsError, StoreError, UnreadableError, first_line

if TYPE_CHECKING:
    from obstore.store import ObjectStore

SCHEMES = ("s3", "gs", "az")
BLOCK = 8 << 20  # bytes of a file that are in memory at once
PROBING = {"max_retries": 2, "retry_timeout": timedelta(seconds=10)}  # is it there at all? Whoever has mistyped it should not wait
WORKING = {"max_retries": 10, "retry_timeout": timedelta(minutes=3)}  # a network that is gone for a minute ends no study
# No request of ours is silent for a minute while it is alive; as a whole it may take as long as a large file does.
CLIENT = {"connect_timeout": "10s", "read_timeout": "60s", "timeout": "3600s"}
NO_BUCKET = ("NoSuchBucket", "ContainerNotFound", "The specified bucket does not exist")
NO_CREDENTIALS = ("169.254.169.254", "metadata.google.internal", "InvalidAccessKeyId", "SignatureDoesNotMatch", "NoAuthHandler")
CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}

Version = dict[str, Any]
"""Which state of an object it is, for `replace`."""


@dataclass(frozen=True)
class Found:
    """A small object that was read."""

    content: bytes
    version: Version


@dataclass(frozen=True)
class Listed:
    """An object of a listing; `modified` in seconds since 1970, by the clock of the bucket."""

    name: str
    size: int
    modified: float


class Bucket:
    """What lies below `address`, such as `s3://bucket/prefix`. Making one asks nobody.

    Every method raises StoreError where there is no such bucket or no right to it, and UnreadableError where it cannot be reached.
    """

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        self._scheme, _, rest = address.partition("://")
        if self._scheme not in SCHEMES or not rest.strip("/"):
            known = ", ".join(f"{scheme}://BUCKET/PREFIX" for scheme in SCHEMES)
            raise SettingsError(f"--store {address}: is no address of a store; a folder, or one of {known}")

    def check(self) -> None:
        """See that it is there and may be read; does not wait for a network that is not there."""
        with self._told():
            next(iter(self._made(PROBING).list(chunk_size=1)), None)

    def get(self, name: str) -> Found | None:
        """A small object; None where there is none."""
        with self._told():
            try:
                answer = self._client.get(name)
                content = bytes(answer.bytes())
            except FileNotFoundError as error:
                self._refuse_no_bucket(error)
                return None
        return Found(content, _version(answer.meta))

    def put(self, name: str, content: bytes) -> Version:
        """Write a small object, over one that may be there."""
        with self._told():
            return _version(self._client.put(name, content))

    def create(self, name: str, content: bytes) -> Version | None:
        """Write a small object where there is none; None where there is one.

        A store without conditional writes is asked before: two may then write at the same time, and the later one stays.
        """
        from obstore.exceptions import AlreadyExistsError, NotSupportedError

        with self._told():
            try:
                return _version(self._client.put(name, content, mode="create"))
            except AlreadyExistsError:
                return None
            except (NotImplementedError, NotSupportedError):
                return self.put(name, content) if self.get(name) is None else None

    def replace(self, name: str, content: bytes, version: Version) -> Version | None:
        """Write over a small object in this version; None where it is another by now, or gone."""
        from obstore.exceptions import NotSupportedError, PreconditionError

        with self._told():
            try:
                return _version(self._client.put(name, content, mode=version))  # type: ignore[arg-type]
            except (PreconditionError, FileNotFoundError) as error:
                self._refuse_no_bucket(error)
                return None
            except (NotImplementedError, NotSupportedError):
                found = self.get(name)
                return self.put(name, content) if found is not None and found.version == version else None

    def upload(self, file: Path, name: str) -> None:
        """Write a file as an object, which appears when it is whole."""
        with self._told():
            self._client.put(name, file, chunk_size=BLOCK)

    def download(self, name: str, file: Path) -> bool:
        """Write an object into a file; False where there is none."""
        with self._told():
            try:
                answer = self._client.get(name)
                with file.open("wb") as writing:
                    for block in answer.stream(min_chunk_size=BLOCK):
                        writing.write(block)
            except FileNotFoundError as error:
                self._refuse_no_bucket(error)
                return False
        return True

    def list(self, prefix: str = "") -> Iterator[Listed]:
        """What is there below a prefix."""
        with self._told():
            for chunk in self._client.list(prefix or None):
                yield from (Listed(each["path"], each["size"], each["last_modified"].timestamp()) for each in chunk)

    def delete(self, names: Iterable[str]) -> None:
        """Remove objects; those that are gone already are no fault."""
        with self._told():
            self._client.delete([*names])

    @cached_property
    def _client(self) -> "ObjectStore":
        return self._made(WORKING)

    def _made(self, retries: dict[str, Any]) -> "ObjectStore":
        try:
            from obstore import store
        except ImportError as error:
            raise MissingExtraError(f'{self.address}: needs obstore: pip install "acclimate[cluster]"') from error
        # Who names a server without encryption has asked for it; it need not be said in a second variable.
        plain = any(os.environ.get(name, "").startswith("http://") for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT"))
        options: Any = {**CLIENT, **({"allow_http": True} if plain else {})}
        with self._told():
            made: ObjectStore = store.from_url(self.address, client_options=options, retry_config=retries)  # type: ignore[call-overload]
            return made

    @contextmanager
    def _told(self) -> Iterator[None]:
        from obstore.exceptions import BaseError

        try:
            yield
        except BaseError as error:
            raise self._said(error) from error
        except FileNotFoundError as error:
            self._refuse_no_bucket(error)
            raise

    def _refuse_no_bucket(self, error: BaseException) -> None:
        if any(sign in str(error) for sign in NO_BUCKET):
            raise StoreError(f"{self.address}: there is no such bucket; make it first, or mend the address") from error

    def _said(self, error: BaseException) -> StoreError:
        from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

        self._refuse_no_bucket(error)
        text = str(error)
        set_them = f"the credentials are those of the environment: {CREDENTIALS[self._scheme]}"
        if any(sign in text for sign in NO_CREDENTIALS):
            return StoreError(f"{self.address}: there are no credentials for it, or they are wrong; {set_them}")
        if isinstance(error, PermissionDeniedError | UnauthenticatedError) or "403 Forbidden" in text:
            return StoreError(f"{self.address}: these credentials have no right to do this; {set_them}")
        if "error sending request" in text or "timed out" in text:
            return UnreadableError(f"{self.address}: cannot be reached (network, name of the server); run it again when it can")
        return UnreadableError(f"{self.address}: {first_line(error)[:300]}; nothing was changed: run it again when it can")


def _version(told: Any) -> Version:
    return {name: told[name] for name in ("e_tag", "version") if told[name] is not None}
