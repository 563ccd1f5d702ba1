"""No file, however damaged, ends in anything but records or an error that names it (every reader, on files with bytes changed and cut),
and what stands in texts and names does nothing where they are shown."""

import bz2
import gzip
import io
import json
import lzma
import sys
from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from huggingface_hub import ModelCard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.cli.test_streams import ended
from tests.report.test_card import BASE, EVIL, FACTS, Make, _inert, chain_of, steps

from acclimate.data.readers.problems import Problems
from acclimate.data.readers.reading import Reading
from acclimate.data.readers.records import open_source
from acclimate.errors import AcclimateError, SettingsError
from acclimate.report.pages.card import card

EXAMPLES = 25  # of each format, each time; run it with more after a change of a reader
ROWS = [{"text": f'Text {n}, "quoted"; or\tnot é\n' * (n % 3 + 1), "label": "ab"[n % 2], "n": n} for n in range(12)]


def _table(delimiter):
    quoted = [delimiter.join('"' + str(value).replace('"', '""') + '"' for value in row.values()) for row in ROWS]
    return "\n".join([delimiter.join(ROWS[0]), *quoted]).encode()


def _parquet():
    target = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), target)
    return target.getvalue()


FILES = {
    "csv": _table(","),
    "tsv": "\n".join(["text\tlabel", *(f"a {n}\t{n % 2}" for n in range(12))]).encode(),
    "jsonl": "\n".join(json.dumps(row) for row in ROWS).encode(),
    "json": json.dumps(ROWS, indent=1).encode(),
    "txt": "\n\n".join(row["text"] for row in ROWS).encode(),
    "parquet": _parquet(),
}
PACKED = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
TELLING = [
    *(b"", b"\0", b"\n", b"\r", b"\r\n", b'"', b'""', b"\\", b",", b"\t", b";", b"|", b"[", b"]", b"{", b"}", b":", b"'", b"-", b" " * 300),
    *(
        b"\xff",
        b"\xfe",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xe2\x80\xa8",
        b"\x1a",
        b"\x80",
        b"\\ud800",
        b"null",
        b"NaN",
        b"1e999",
        b"9" * 5000,
    ),
    *(b"[" * 2000, b'{"a":' * 2000, b'"text"', b"text,label\n", b"sep=;\n", b"PAR1"),
]


@st.composite
def mutated(draw, content):
    """The content with some pieces replaced, removed, doubled or cut off."""
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(content)))
        end = draw(st.sampled_from([start, start + 1, start + 4, len(content)]) | st.integers(start, len(content)))
        piece = draw(st.sampled_from(TELLING) | st.binary(max_size=8) | st.just(content[start:end] * 2))
        content = content[:start] + piece + content[end:]
    return content


ENCODING = st.sampled_from([None, "cp1252", "utf-16", "utf-8"])
READINGS = {
    "csv": st.builds(
        Reading,
        delimiter=st.sampled_from([None, ",", ";", "tab"]),
        quoting=st.sampled_from([None, "quotes", "none"]),
        encoding=ENCODING,
        header=st.sampled_from([None, True, False]),
    ),
    "txt": st.builds(Reading, documents=st.sampled_from([None, "line", "blank", "file"]), encoding=ENCODING),
    "jsonl": st.builds(Reading, encoding=ENCODING),
}
READINGS |= {"tsv": READINGS["csv"], "json": READINGS["jsonl"]}


def outcome(path, reading, skip_bad):
    """What came of reading a file: rows, and how many of them are good and bad; or the error's words."""
    try:
        source = open_source(path.name, path.parent, reading)
        columns = [name for name in source.columns if source.columns.count(name) == 1][:2]
        with Problems(skip_bad=skip_bad, rejects=path.with_name("rejects.jsonl")) as problems:
            rows = list(source.rows(columns, problems))
        good = sum(row.values is not None for row in rows)
        assert problems.rows.get(path, 0) == len(rows)
        assert [row.row for row in rows] == list(range(len(rows)))
        assert all(row.values is None or all(column in row.values for column in columns) for row in rows)
        assert all(before.line <= after.line for before, after in pairwise(rows))
        return len(rows), good, problems.rejected
    except AcclimateError as error:
        assert path.name in str(error), str(error)  # noqa: PT017
        return str(error)


@pytest.mark.parametrize("ending", PACKED)
@pytest.mark.parametrize("format", FILES)
def test_a_damaged_file_ends_in_records_or_in_an_error_that_names_it(tmp_path, format, ending):
    path = tmp_path / f"a.{format}{ending}"

    @settings(max_examples=EXAMPLES if not ending else EXAMPLES // 5, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def check(data):
        packed = data.draw(st.booleans())  # what is damaged: the packed bytes, or what they hold
        content = PACKED[ending](FILES[format]) if packed else FILES[format]
        content = data.draw(mutated(content))
        path.write_bytes(content if packed else PACKED[ending](content))
        reading = data.draw(READINGS.get(format, st.just(Reading())))
        strict, lenient = outcome(path, reading, False), outcome(path, reading, True)
        if isinstance(strict, tuple):
            assert strict == lenient
            assert strict[0] == strict[1]
        if isinstance(lenient, tuple):
            rows, good, rejected = lenient
            # Several bad lines may stand in one row (a quoted field, a document over several lines).
            assert rows - good <= rejected, lenient
            assert (rows == good) == (rejected == 0), lenient

    check()


def test_control_characters_are_written_out_on_both_streams(capsys):
    def verb():
        print("a\x1b[31mb\rc\u202ed\udc80e\x9bf\tg\nh")
        print("i\x00j", file=sys.stderr)

    code, out, err = ended(capsys, verb)
    assert (code, out) == (0, "a\\u001b[31mb\\u000dc\\u202ed\\udc80e\\u009bf\tg\nh\n")
    assert err == "i\\u0000j\n"


def test_control_characters_in_errors_are_written_out(capsys):
    def verb():
        raise SettingsError("x\x1b]0;title\x07.csv: no")

    assert ended(capsys, verb) == (2, "", "error: x\\u001b]0;title\\u0007.csv: no\n")


def test_hostile_names_labels_and_commands_stay_text(results_of: Make) -> None:
    facts = {
        **FACTS, "name": f"{EVIL}\ud800", "labels": [EVIL, "x"], "command": f"acclimate study {EVIL}", "versions": {EVIL: EVIL},
        "bases": [{**BASE, "name": EVIL, "hub": False, "license": None, "model_type": EVIL}],
        "machine": {"system": EVIL, "cpus": EVIL, "gpu": EVIL},
        "version": EVIL,
        "data": {
            "task": {
                "examples": {"train": 1}, "label_counts": {"test": {EVIL: 1}}, "files": {"train": [f"/secret/{EVIL}.csv"]},
                "detected": {"text": EVIL},
            },
            "corpora": {EVIL: {"documents": 1, "paths": [EVIL]}}, "overlap": {EVIL: 0.5},
        },
    }  # fmt: skip
    stages = steps(EVIL)
    stages[1]["settings"]["corpus"] = EVIL
    stages[2]["settings"]["class_weights"] = {EVIL: 2.0}
    results = results_of({"a": {"all": [0.8, 0.8]}, EVIL: {"all": [0.9, 0.9]}}, reference="a", stages=stages, **facts)
    text = card(chain_of(results, EVIL), True, role="best")
    _inert(text)
    assert "/secret" not in text
    assert ModelCard(text).data.model_name == ModelCard(str(ModelCard(text))).data.model_name
