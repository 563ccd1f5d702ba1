"""A model ready to give the vectors of texts: any base that a study can begin with, whatever brought it about."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from acclimate.errors import ModelError, SettingsError
from acclimate.evaluation.plain_encoder import PlainEncoder, PlainEncoding
from acclimate.evaluation.trained_folder import refuse_exported, refuse_one_text
from acclimate.evaluation.unread import Unread
from acclimate.files import digest_json
from acclimate.modeling.base_files import VECTORS
from acclimate.modeling.embedding_form import EMBEDDING, EmbeddingForm, Pooling, Side, check_pooling
from acclimate.modeling.families import dimensions_of
from acclimate.modeling.source import Source, resolve_base
from acclimate.training.precision import Precision
from acclimate.versions import version

if TYPE_CHECKING:
    from acclimate.evaluation.inference import Told

MICRO_TOKENS = 8192  # of a forward pass
COUNTED = ("texts", "cut_texts", "units", "cut_units")  # of `Unread`
RULES = 1  # raise it when the same weights would now give other vectors


def load_encoder(
    model: str | Path, pooling: Pooling | None = None, dimensions: int | None = None, max_tokens: int = MICRO_TOKENS,
    precision: Precision = "float32",
) -> "Encoder | PlainEncoder":  # fmt: skip
    """What gives the vectors of texts: a model's folder, a `best/` of a study, a folder of sentence-transformers, a short name or a hub id.

    Static vectors and Doc2Vec are such models, too.

    `load_encoder("minilm").encode(texts)` is [N, D], float32; `encode(texts, side="query")` puts the prompt of that side before each.
    How vectors are made stands in the folder (`acclimate_embedding` in config.json, or modules.json); where nothing does, they are the
    mean of the last hidden states, of a decoder the last of them, of length 1, or by `pooling`: mean, cls, max or last. `dimensions`: the
    first so many of each vector, of length 1 again. `max_tokens` go through the model at a time.

    Raises:
        ModelError: the model is refused (pickle, remote code, an unknown module), damaged, or cannot be found.
        SettingsError: `pooling` is said of a model that says it itself, or that has nothing there, or it has fewer `dimensions`.
    """
    return encoding_of(model, pooling, dimensions, max_tokens, precision).load()


def encoding_of(
    model: str | Path, pooling: Pooling | None = None, dimensions: int | None = None, max_tokens: int = MICRO_TOKENS,
    precision: Precision = "float32",
) -> "Encoding | PlainEncoding":  # fmt: skip
    """How texts are to become vectors, before the model is read; as `load_encoder` says."""
    plain = PlainEncoding.of(model, pooling, dimensions, precision)
    return plain if plain is not None else Encoding.of(model, pooling, dimensions, max_tokens, precision)


class Encoding:
    """How texts are to become vectors, before a weight is read."""

    def __init__(
        self, source: Source, form: EmbeddingForm, dimensions: int, max_tokens: int, precision: Precision, said: bool
    ) -> None:  # fmt: skip
        self.source, self.form, self.dimensions = source, form, dimensions
        self.max_tokens, self.precision, self.said = max_tokens, precision, said

    @classmethod
    def of(
        cls, model: str | Path, pooling: Pooling | None, dimensions: int | None, max_tokens: int = MICRO_TOKENS,
        precision: Precision = "float32",
    ) -> "Encoding":  # fmt: skip
        """As `load_encoder` says."""
        refuse_exported(Path(model).expanduser())
        source = resolve_base(str(model), Path.cwd())
        form, said = EmbeddingForm.of(source.config), EMBEDDING in source.config
        if pooling is not None:
            if said and pooling != form.pooling:
                raise SettingsError(f"`pooling:` {pooling}: {model} says itself how its vectors are made, {form.pooling}")
            check_pooling(pooling, source.config)
            form = form.model_copy(update={"pooling": pooling})
        width = form.width(dimensions_of(source.config).width)
        answering = source.config.get(VECTORS)
        if dimensions is None and isinstance(answering, dict):
            dimensions = answering.get("dimensions")  # those by which a study judged it
        if dimensions is not None and not 1 <= dimensions <= width:
            raise SettingsError(f"`dimensions:` {dimensions}: the vectors of {model} have {width}, and 1 to {width} of them can be taken")
        return cls(source, form, dimensions or width, max_tokens, precision, said)

    @property
    def name(self) -> str:
        """What the user calls the model."""
        return self.source.name

    @property
    def folder(self) -> Path:
        """In which the model stands."""
        return self.source.folder

    def load(self) -> "Encoder":
        """The model, ready to be asked."""
        return Encoder(self)

    def told(self) -> list[str]:
        """What should be known of the vectors before any is made."""
        notes = list(self.source.modules.notes if self.source.modules is not None else ())
        if not self.said:
            one = {"cls": "the first state", "last": "the last state"}
            way = f"{one.get(self.form.pooling) or f'the {self.form.pooling} of the states'} of each text"
            notes.append(f"{self.source.name}: says nothing of how vectors are made, so they are {way}, of length 1")
        trained = self.form.dimensions
        if trained and self.dimensions not in (*trained, self.form.width(dimensions_of(self.source.config).width)):
            listed = ", ".join(map(str, trained))
            notes.append(f"{self.source.name}: its vectors were trained to be cut at {listed} dimensions, not at {self.dimensions}")
        return notes

    def key(self, side: Side | None) -> str:
        """Of all that decides the vector of a text."""
        libraries = {name: version(name) for name in ("torch", "transformers", "tokenizers")}
        form = self.form.model_dump(mode="json", exclude={"dimensions"})
        how: dict[str, Any] = {"dimensions": self.dimensions, "micro": self.max_tokens, "precision": self.precision, "side": side}
        return digest_json({"rules": RULES, "model": self.source.digest, "form": form, "libraries": libraries, **how})


class Encoder:
    """The vectors of texts; counts what it does not read of them."""

    def __init__(self, encoding: Encoding) -> None:
        from acclimate.evaluation.encoder_vectors import EncoderVectors
        from acclimate.evaluation.trained_folder import finite_weights
        from acclimate.modeling.embedder import load_embedder
        from acclimate.modeling.imported_base import import_base
        from acclimate.training.devices import Devices

        self._encoding = encoding
        devices = Devices(encoding.precision)
        with tempfile.TemporaryDirectory() as place:
            folder = import_base(encoding.source, Path(place) / "model")
            embedder, tokenizer = load_embedder(folder, encoding.form), folder.tokenizer()
        finite_weights(encoding.source.folder, embedder)
        cut = None if encoding.dimensions == embedder.width else encoding.dimensions
        self._vectors = EncoderVectors(embedder, tokenizer, encoding.max_tokens, devices, cut)

    @property
    def dimensions(self) -> int:
        """D, of each vector."""
        return self._encoding.dimensions

    @property
    def form(self) -> EmbeddingForm:
        """How vectors are made."""
        return self._encoding.form

    @property
    def unread(self) -> Unread:
        """What was cut of the texts so far."""
        return self._vectors.unread

    @property
    def unknown(self) -> int:
        """Tokens of the texts so far that are unknown to the vocabulary; where it drops what it does not know, the runs of characters."""
        return self._vectors.unknown

    @property
    def empty(self) -> int:
        """Texts without a vector of their own: none, an encoder gives one to each."""
        return 0

    @property
    def counts(self) -> dict[str, int]:
        """All that was counted so far."""
        return {name: getattr(self.unread, name) for name in COUNTED} | {"unknown": self.unknown}

    def count_from(self, counts: Mapping[str, int]) -> None:
        """Go on counting from here; what is not named is 0."""
        self._vectors.unread = Unread(self.unread.length, "tokens", *(counts.get(name, 0) for name in COUNTED))
        self._vectors.unknown = counts.get("unknown", 0)

    def encode(self, texts: Sequence[str], side: Side | None = None, told: "Told | None" = None) -> NDArray[np.float32]:
        """The vectors [N, D] of N texts; with a `side`, `query` or `document`, of its prompt with the text behind it.

        Texts are cut to the tokens that the model reads. `told` gets to know the tokens so far and those of all, and may raise to end it.

        Raises:
            DataError: a text is not valid Unicode.
            ModelError: vectors are no numbers.
            TypeError: one text stands in the place of several.
        """
        refuse_one_text(texts)
        vectors_NE = self._vectors.of(texts, side, told)
        if not np.isfinite(vectors_NE).all():
            raise ModelError(f"{self._encoding.source.name}: the model is broken, not the data: its vectors are not finite numbers")
        return vectors_NE
