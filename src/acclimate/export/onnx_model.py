"""A model that `acclimate export` wrote, run by onnxruntime, tokenizers and numpy alone. A copy of this file lies beside each of them.

    from onnx_model import OnnxModel

    model = OnnxModel("folder")                     # int8=True: the smaller one, where there is one
    model.answers(["a text", "another"])            # as `acclimate predict` answers; of pairs: answers(texts, texts_b)
    model.encode(["a text"])                        # [N, E] of a model of vectors

    python onnx_model.py folder < texts.txt         # a JSON object a line; the two texts of a pair stand in a line with a tab between

It imports nothing of acclimate, so what it does is written here once more; acclimate checks each export by this very file against itself.
"""

import argparse
import json
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

FACTS, HEAD, FORMAT = "acclimate_onnx.json", "head.npz", 2
OLDEST = (1, 25)  # of onnxruntime: those before it let a model name files outside of its folder as its weights
Array = NDArray[Any]
Row = tuple[list[int], list[int]]
"""Token ids of a sequence, special ones included, and their segments; of a filled template 1 where it is asked, else 0."""
Span = tuple[int, int]
"""Begin and end of a word, in characters."""


class OnnxModel:
    """An exported model in memory."""

    def __init__(self, folder: str | Path, int8: bool = False, threads: int | None = None, batch: int = 32) -> None:
        """`threads` of the CPU (default all); `batch`: sequences of like length that go through the model at a time.

        Raises:
            ValueError: the folder holds no exported model, or not this one of it, or one that names files outside of it.
            RuntimeError: this onnxruntime is too old.
        """
        if tuple(int(part) for part in onnxruntime.__version__.split(".")[:2]) < OLDEST:
            raise RuntimeError(f"onnxruntime {onnxruntime.__version__}: {OLDEST[0]}.{OLDEST[1]} or newer is needed")
        self.folder, self.batch = Path(folder), batch
        self.facts = facts_of(self.folder)
        self.labels: tuple[str, ...] = tuple(self.facts["labels"])
        found = self.facts["thresholds"]
        self.thresholds = None if found is None else np.array(found, dtype=np.float64)
        self._tokenizer = Tokenizer.from_file(str(_inside(self.folder, "tokenizer.json")))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._template: list[Any] = self.facts.get("template") or []
        self._cutting = Tokenizer.from_str(self._tokenizer.to_str()) if self._template or self.facts["texts"] != 1 else self._tokenizer
        if self._cutting is not self._tokenizer:  # the longer text is cut first, and a template never
            self._cutting.enable_truncation(self.facts["max_length"] - sum(isinstance(part, int) for part in self._template))
        name = self.facts["files"].get("int8" if int8 else "float32")
        if name is None:
            raise ValueError(f"{folder}: holds no model in int8; export it with --int8")
        graph = _inside(self.folder, name)
        if (beside := weights_beside(graph).name) in self.facts["weights"]:
            _whole(_inside(self.folder, beside), self.facts["weights"][beside])
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # its warnings are for whoever writes graphs
        if threads is not None:
            options.intra_op_num_threads = threads
        try:
            # By its path: onnxruntime then refuses weights that lie anywhere else.
            self._session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # it raises classes of its own, none of which can be imported
            raise ValueError(f"{self.folder / name}: onnxruntime refuses it ({str(error).splitlines()[0]})") from error
        self._head = {}
        if self.facts["head"] is not None:
            with np.load(_inside(self.folder, HEAD), allow_pickle=False) as arrays:
                self._head = {key: arrays[key] for key in arrays.files}

    # What is asked

    def answers(self, *columns: Sequence[Any]) -> list[dict[str, Any]]:
        """An answer for each item of one column of texts or two; of a tagger for each text, or each list of words.

        Raises:
            ValueError: as `probabilities`.
        """
        _check_columns(columns)
        if self.facts["output"] == "tokens":
            return self._entities(columns[0])
        outputs_NL = self.probabilities(*columns)
        if self.facts["link"] == "none":
            return [self._number(row) for row in outputs_NL]
        return [self._label(row) for row in outputs_NL]

    def probabilities(self, *columns: Sequence[str], words: Sequence[Sequence[Span]] | None = None) -> NDArray[np.float64]:
        """[N, L] of N items, of a tagger [all words, L]; of a regression its numbers. `words`: of each text, where they are not found.

        Raises:
            ValueError: items have another number of texts than the model answers, or it gives vectors; or a column is a single text.
        """
        _check_columns(columns)
        if self.facts["texts"] not in (None, len(columns)):
            raise ValueError(f"{self.folder}: this model answers {'pairs' if self.facts['texts'] == 2 else 'single texts'}")
        if self.facts["output"] == "tokens":
            return np.concatenate(
                [np.zeros((0, len(self.labels))), *self._words(columns[0], words or [words_in(text) for text in columns[0]])]
            )
        if not len(columns[0]):
            return np.zeros((0, len(self.labels)))
        if self.facts["output"] == "vectors":
            if self.facts["head"] is None:
                raise ValueError(f"{self.folder}: this model gives vectors, and no labels: say encode(texts)")
            return self._by_vectors([self.encode(column) for column in columns])
        if self.facts["pool"] is None:
            return self._meaning(np.stack(self._run(self.sequences(*columns))))
        windows = [self._windows(encoding.ids, spread=False) for encoding in self._encoded(columns[0])]
        outputs_NL = self._meaning(np.stack(self._run([row for each in windows for _, row in each])))
        ends = np.cumsum([len(each) for each in windows])
        return np.stack([self._pooled(part) for part in np.split(outputs_NL, ends[:-1])])

    def encode(self, texts: Sequence[str], side: str | None = None) -> NDArray[np.float32]:
        """The vectors [N, E] of texts; with a `side`, query or document, of its prompt with the text behind it.

        Raises:
            ValueError: the model gives labels, or a single text was given.
        """
        _check_columns([texts])
        if self.facts["output"] != "vectors":
            raise ValueError(f"{self.folder}: this model gives labels, and no vectors: say answers(texts)")
        prompt = "" if side is None else self.facts["prompts"][side]
        found = self._run(self.sequences([prompt + text for text in texts]))
        return np.stack(found) if found else np.zeros((0, self.facts["width"]), dtype=np.float32)

    # From texts to tokens, through the model

    def sequences(self, *columns: Sequence[str]) -> list[Row]:
        """The tokens of each item, cut to those that the model reads."""
        if self._template:
            return [self._filled(encoding) for encoding in self._together(self._cutting, columns)]
        if len(columns) == 2:
            return [(encoding.ids, encoding.type_ids) for encoding in self._together(self._cutting, columns)]
        return [self._framed(encoding.ids[: self._room]) for encoding in self._encoded(columns[0])]

    def tokens(self, *columns: Sequence[str]) -> list[tuple[int, int]]:
        """Of each item how many tokens it has, special ones left out, and how many of them are not read."""
        if self._template or len(columns) == 2:
            whole, read = ([len(each.ids) for each in self._together(by, columns)] for by in (self._tokenizer, self._cutting))
            special = 0 if self._template else self._tokenizer.num_special_tokens_to_add(True)
            return [(all_ - special, all_ - kept) for all_, kept in zip(whole, read, strict=True)]
        lengths = [len(encoding.ids) for encoding in self._encoded(columns[0])]
        return [(length, max(0, length - self._room) if self._cuts else 0) for length in lengths]

    def feeds(self, rows: Sequence[Row]) -> dict[str, NDArray[np.int64]]:
        """What goes into the model for these sequences, padded to the longest: [B, T] each."""
        longest = max(len(ids) for ids, _ in rows)
        made = {"input_ids": [ids + [self.facts["pad_id"]] * (longest - len(ids)) for ids, _ in rows]}
        made["attention_mask"] = [[1] * len(ids) + [0] * (longest - len(ids)) for ids, _ in rows]
        made["token_type_ids"] = made["asked_tokens"] = [types + [0] * (longest - len(types)) for _, types in rows]
        return {name: np.array(made[name], dtype=np.int64) for name in self.facts["inputs"]}

    def run(self, feeds: dict[str, NDArray[np.int64]]) -> Array:
        """What the graph gives: logits [B, L], of a tagger [B, T, L], or vectors [B, E]."""
        (found,) = self._session.run(None, feeds)
        return np.asarray(found)

    @property
    def _cuts(self) -> bool:
        return self.facts["pool"] is None and self.facts["output"] != "tokens"

    @property
    def _room(self) -> int:
        return int(self.facts["max_length"]) - len(self.facts["prefix"]) - len(self.facts["suffix"])

    def _encoded(self, texts: Sequence[str]) -> list[Any]:
        found = list(self._tokenizer.encode_batch(list(texts), add_special_tokens=False))
        empty = [number for number, encoding in enumerate(found, start=1) if not encoding.ids]
        if empty and not (self.facts["prefix"] or self.facts["suffix"] or self.facts["output"] == "tokens"):
            raise ValueError(
                f"{len(empty):,} of {len(found):,} texts have no token (the first is number {empty[0]:,}), and this tokenizer puts none "
                "around them: no model can answer; leave them out"
            )
        return found

    def _together(self, tokenizer: Tokenizer, columns: Sequence[Sequence[str]]) -> list[Any]:
        # Both texts of each pair; what stands in a template behind what stands directly before it there.
        leads = {part["column"]: part["lead"] for part in self._template if not isinstance(part, int)}
        led = [[leads.get(at, "") + text for text in column] for at, column in enumerate(columns)]
        items = list(zip(*led, strict=True)) if len(led) == 2 else led[0]
        return list(tokenizer.encode_batch(items, add_special_tokens=not self._template))

    def _filled(self, encoding: Any) -> Row:
        texts: dict[int, list[int]] = {0: [], 1: []}
        for token, column in zip(encoding.ids, encoding.sequence_ids, strict=True):
            texts[column].append(token)
        parts = [[part] if isinstance(part, int) else texts[part["column"]] for part in self._template]
        asked = [int(number == self.facts["mask"]) for number, part in enumerate(parts) for _ in part]
        return [token for part in parts for token in part], asked

    def _framed(self, ids: list[int]) -> Row:
        # A text without words needs no answer, and a model some token.
        whole = [*self.facts["prefix"], *ids, *self.facts["suffix"]] or [self.facts["pad_id"]]
        return whole, [0] * len(whole)

    def _run(self, rows: Sequence[Row]) -> list[Array]:
        # In the order of length, so that little is padding; back in the order of the rows.
        order = sorted(range(len(rows)), key=lambda number: len(rows[number][0]))
        found: list[Array] = [np.zeros(0)] * len(rows)
        for at in range(0, len(order), self.batch):
            chosen = order[at : at + self.batch]
            outputs = self.run(self.feeds([rows[number] for number in chosen]))
            for number, output in zip(chosen, outputs, strict=True):
                found[number] = output
        return found

    def _windows(self, ids: list[int], spread: bool) -> list[tuple[int, Row]]:
        # Where each window of a text begins, and its tokens; neighbours share `stride` of them, `spread` ones at least so many.
        beyond, step = max(len(ids) - self._room, 0), self._room - int(self.facts["stride"])
        count = 1 + -(-beyond // step)
        begins = [number * beyond // max(count - 1, 1) if spread else number * step for number in range(count)]
        return [(begin, self._framed(ids[begin : begin + self._room])) for begin in begins]

    # From what it gives to answers

    def _meaning(self, logits_NL: Array) -> NDArray[np.float64]:
        logits_NL = logits_NL.astype(np.float64)
        if self.facts["link"] == "none":
            return logits_NL
        if self.facts["link"] == "sigmoid":
            return _sigmoid(logits_NL)
        return _softmax(logits_NL)

    def _pooled(self, windows_WL: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.facts["pool"] == "mean":
            return np.asarray(windows_WL.mean(axis=0))
        highest_L = windows_WL.max(axis=0)
        return np.asarray(highest_L / highest_L.sum() if self.facts["link"] == "softmax" and len(windows_WL) > 1 else highest_L)

    def _by_vectors(self, columns_ND: list[Array]) -> NDArray[np.float64]:
        kind, columns = self.facts["head"], [column.astype(np.float64) for column in columns_ND]
        if kind == "cosine":
            return np.asarray((_unit(columns[0]) * _unit(columns[1])).sum(axis=1)[:, None])
        features_NF = columns[0]
        if len(columns) == 2:
            first, second = columns
            features_NF = np.concatenate([first, second, np.abs(first - second), first * second], axis=1)
        if kind == "logistic":
            return self._meaning(features_NF @ self._head["weights"].T + self._head["bias"])
        similar_NM = _unit(features_NF).astype(np.float32) @ self._head["vectors"].T
        nearest_NK = np.argsort(-similar_NM, axis=1, kind="stable")[:, : self.facts["neighbours"]]
        return np.asarray(self._head["gold"][nearest_NK].mean(axis=1))

    def _label(self, row_L: Array) -> dict[str, Any]:
        named = {label: round(value, 6) for label, value in zip(self.labels, row_L.tolist(), strict=True)}
        if self.facts["link"] == "sigmoid":
            above = row_L > (0.5 if self.thresholds is None else self.thresholds)
            return {"labels": [label for label, holds in zip(self.labels, above.tolist(), strict=True) if holds], "probabilities": named}
        return {"label": self.labels[int(self._best(row_L[None])[0])], "probabilities": named}

    def _number(self, row_L: Array) -> dict[str, Any]:
        numbers = {label: float(f"{value:.7g}") for label, value in zip(self.labels, row_L.tolist(), strict=True)}
        return {"value": next(iter(numbers.values()))} if len(numbers) == 1 else {"values": numbers}

    def _best(self, rows_NL: Array) -> Array:
        return np.asarray((rows_NL if self.thresholds is None else rows_NL / self.thresholds).argmax(axis=1))

    # Words

    def _words(self, texts: Sequence[str], words: Sequence[Sequence[Span]]) -> list[NDArray[np.float64]]:
        """Of each text [W, L] of its words: the first piece of a word answers, in the window in which it has most text on both sides; of a
        decoder the last, in the first window that holds it."""
        encoded = self._encoded(texts)
        windows = [self._windows(encoding.ids, spread=True) for encoding in encoded]
        outputs = iter(self._run([row for each in windows for _, row in each]))
        found = []
        for encoding, begins, spans in zip(encoded, windows, words, strict=True):
            pieces = [np.zeros((0, len(self.labels)))]
            for number, (begin, _) in enumerate(begins):
                first = 0 if number == 0 else self._part(begins[number - 1][0], begin)
                last = len(encoding.ids) if number + 1 == len(begins) else self._part(begin, begins[number + 1][0])
                logits_TL = next(outputs)[len(self.facts["prefix"]) :]
                pieces.append(_softmax(logits_TL[first - begin : last - begin].astype(np.float64)))
            found.append(self._of_words(np.concatenate(pieces), np.array(encoding.offsets).reshape(-1, 2), spans))
        return found

    def _part(self, begin: int, following: int) -> int:
        # Two neighbours part in the middle of what they share; where nothing behind a piece is seen, at its end.
        end = begin + self._room
        return end if self.facts["last_piece"] else (following + end) // 2

    def _of_words(self, pieces_PL: Array, offsets_P2: Array, words: Sequence[Span]) -> NDArray[np.float64]:
        unseen = [float(name == "O") for name in self.labels] if "O" in self.labels else [1 / len(self.labels)] * len(self.labels)
        found_WL, before = np.tile(np.array(unseen), (len(words), 1)), -1
        for number, (start, end) in enumerate(words):
            over = np.flatnonzero((offsets_P2[:, 1] > start) & (offsets_P2[:, 0] < end))
            if not len(over):
                continue
            answering = over[-1 if self.facts["last_piece"] else 0]
            found_WL[number] = pieces_PL[answering]
            if answering == before:  # one piece for several words: what begins with the first goes on in the others
                self._go_on(found_WL[number])
            before = answering
        return found_WL

    def _go_on(self, word_L: Array) -> None:
        for begin, name in enumerate(self.labels):
            if "O" in self.labels and name.startswith("B-") and f"I-{name[2:]}" in self.labels:
                both = [begin, self.labels.index(f"I-{name[2:]}")]
                word_L[both] = np.sort(word_L[both])

    def _entities(self, items: Sequence[str | Sequence[str]]) -> list[dict[str, Any]]:
        given = [not isinstance(item, str) for item in items]
        texts = [item if isinstance(item, str) else " ".join(item) for item in items]
        spans = [_spaced(text) if lists else words_in(text) for text, lists in zip(texts, given, strict=True)]
        answers = []
        for text, lists, words, rows_WL in zip(texts, given, spans, self._words(texts, spans), strict=True):
            tags = self._best(rows_WL) if len(rows_WL) else np.zeros(0, dtype=np.int64)
            sure = rows_WL[np.arange(len(tags)), tags]
            answer: dict[str, Any] = {"entities": list(_joined(text, words, [self.labels[tag] for tag in tags], sure, "O" in self.labels))}
            answers.append(answer | ({"tags": [self.labels[tag] for tag in tags]} if lists else {}))
        return answers


def _check_columns(columns: Sequence[Sequence[Any]]) -> None:
    if any(isinstance(column, str) for column in columns):  # whose letters would be taken for texts
        raise ValueError("a list of texts is wanted, and this is a single one: say [text]")
    if len({len(column) for column in columns}) > 1:
        raise ValueError(f"a pair has two texts, and these are {' and '.join(str(len(column)) for column in columns)}")


def words_in(text: str) -> list[Span]:
    """Begin and end of each word: a run of letters, digits and marks, or one other character that is no white space."""
    return [match.span() for match in _pattern().finditer(text)]


@cache
def _pattern() -> re.Pattern[str]:
    # Python's \w knows no combining marks.
    marks = "".join(f"\\U{code:08x}" for code in range(0x300, sys.maxunicode + 1) if unicodedata.category(chr(code))[0] == "M")
    return re.compile(rf"[^\W_](?:[^\W_]|[{marks}])*|\S")


def _spaced(text: str) -> list[Span]:
    return [match.span() for match in re.finditer(r"[^ ]+", text)]


def _joined(text: str, words: Sequence[Span], tags: Sequence[str], sure: Array, outside: bool) -> Iterator[dict[str, Any]]:
    # An entity begins at B-x, or at I-x behind another type; where there is no O, each word is one.
    types = [None if tag == "O" else tag[2:] if outside and tag[:2] in ("B-", "I-") else tag for tag in tags]
    begins = [
        kind is not None and (not outside or number == 0 or tag[:2] == "B-" or types[number - 1] != kind)
        for number, (tag, kind) in enumerate(zip(tags, types, strict=True))
    ]
    for first in (number for number, holds in enumerate(begins) if holds):
        end = first + 1
        while end < len(tags) and types[end] == types[first] and not begins[end]:
            end += 1
        start, stop = words[first][0], words[end - 1][1]
        score = round(float(sure[first:end].mean()), 6)
        yield {"start": start, "end": stop, "label": types[first], "text": text[start:stop], "score": score}


def facts_of(folder: Path) -> dict[str, Any]:
    """What an exported folder says of its model.

    Raises:
        ValueError: it holds none, or one that another version of acclimate wrote.
    """
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder}: holds no model that acclimate exported ({FACTS}: {error})") from error
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise ValueError(f"{folder / FACTS}: written by another version of acclimate; export the model again")
    return facts


def _inside(folder: Path, name: str) -> Path:
    path = (folder / name).resolve()
    if path.parent != folder.resolve() or not path.is_file():
        raise ValueError(f"{folder / name}: is not a file of this folder; export the model again")
    return path


def weights_beside(graph: Path) -> Path:
    """Where the weights of a graph stand that cannot hold them itself."""
    return graph.with_name(f"{graph.name}.data")


def _whole(file: Path, size: int) -> None:
    if (found := file.stat().st_size) != size:
        raise ValueError(f"{file}: has {found:,} bytes of {size:,}; copy the folder again")


def _softmax(logits_NL: Array) -> NDArray[np.float64]:
    powers_NL = np.exp(logits_NL - logits_NL.max(axis=1, keepdims=True))
    return np.asarray(powers_NL / powers_NL.sum(axis=1, keepdims=True))


def _sigmoid(logits_NL: Array) -> NDArray[np.float64]:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits_NL)))  # never overflows


def _unit(vectors_ND: Array) -> Array:
    lengths = np.linalg.norm(vectors_ND, axis=1, keepdims=True)
    return np.asarray(vectors_ND / np.where(lengths > 0, lengths, 1))


def main() -> None:
    """Answer the lines of standard input."""
    parser = argparse.ArgumentParser(description="Answer texts, one a line; the two texts of a pair have a tab between them.")
    parser.add_argument("folder", help="of the exported model")
    parser.add_argument("--int8", action="store_true", help="take the smaller model")
    parser.add_argument("--threads", type=int, default=None)
    asked = parser.parse_args()
    try:
        model = OnnxModel(asked.folder, asked.int8, asked.threads)
        vectors = model.facts["output"] == "vectors" and model.facts["head"] is None
        give: Callable[..., Any] = (lambda texts: model.encode(texts).tolist()) if vectors else model.answers
        items = list(_items(sys.stdin.buffer, model.facts["texts"] == 2))
        for answer in give(*zip(*items, strict=True)) if items else ():
            sys.stdout.buffer.write(json.dumps(answer, ensure_ascii=False).encode() + b"\n")
        sys.stdout.flush()
    except (ValueError, RuntimeError) as error:  # of the folder, the lines, or this onnxruntime
        sys.exit(f"error: {error}")


def _items(lines: Iterable[bytes], pairs: bool) -> Iterator[list[str]]:
    # UTF-8, whatever this machine usually writes.
    for number, line in enumerate(lines, start=1):
        try:
            texts = line.rstrip(b"\r\n").decode().split("\t", 1 if pairs else 0)
        except UnicodeDecodeError as error:
            raise ValueError(f"line {number}: is not UTF-8, at byte {error.start + 1}; save the file so") from error
        if len(texts) < 1 + pairs:
            raise ValueError(f"line {number}: this model answers pairs, and there is no tab between two texts")
        yield texts


if __name__ == "__main__":
    main()
