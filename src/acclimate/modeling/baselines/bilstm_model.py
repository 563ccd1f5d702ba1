"""The neural plain baseline: words embedded from scratch, a bidirectional LSTM over them, the highest value of each unit over time.

Max pooling and a linear layer on top, as Conneau et al. (2017) found best for sentences. Kept as JSON and safetensors.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence, pad_packed_sequence

from acclimate.data.sequences import Sequences
from acclimate.data.windows import first
from acclimate.errors import ModelError
from acclimate.files import read_json, write_json
from acclimate.modeling.baselines.table import BILSTM
from acclimate.modeling.baselines.word_list import WordList
from acclimate.modeling.links import link_of, said
from acclimate.modeling.tensors import TensorBatch
from acclimate.randomness import seed_of
from acclimate.tasks.kind import Link


@dataclass(frozen=True)
class BilstmConfig:
    """What a BiLSTM is made of: V words, L labels, and its sizes."""

    labels: tuple[str, ...]
    words: WordList
    embedding: int  # width of a word's vector
    hidden: int  # units of each direction
    layers: int
    max_length: int  # words of a text that are read
    link: Link = "softmax"  # what the logits mean


class BilstmClassifier(nn.Module):
    """Reads flat batches of word numbers; `dropout` on word vectors, between layers and before the last layer."""

    def __init__(self, config: BilstmConfig, dropout: float = 0.0, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_of(seed, "init", "bilstm"))
            self.embeddings = nn.Embedding(len(config.words), config.embedding)
            widths = [config.embedding, *[2 * config.hidden] * config.layers]
            # A module a layer, so that dropout between them is torch's own: that inside cuDNN's stacks goes on from a state which no
            # seed resets, and a resumed training would draw other masks.
            self.lstms = nn.ModuleList([nn.LSTM(width, config.hidden, bidirectional=True) for width in widths[:-1]])
            self.out = nn.Linear(widths[-1], len(config.labels))
            self._draw()
        self.drop = nn.Dropout(dropout)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the logits."""
        return self.config.labels

    @property
    def link(self) -> Link:
        """What the logits mean."""
        return self.config.link

    def forward(self, batch: TensorBatch) -> Tensor:
        """Logits [B, L]. Sequences are packed, so no result depends on what else stands in the batch."""
        # Float32 also where the rest is half: a recurrence of hundreds of small steps gains no time by it, and rounding adds up.
        with torch.autocast(batch.input_ids.device.type, enabled=False):
            packed = pack_sequence(list(torch.split(batch.input_ids, list(batch.lengths))), enforce_sorted=False)
            packed = packed._replace(data=self.embeddings(packed.data))
            for lstm in self.lstms:
                packed, _ = lstm(packed._replace(data=self.drop(packed.data)))
            hidden_TBD, _ = pad_packed_sequence(packed, padding_value=-torch.inf)  # the maximum never looks at what is padded
            logits_BL: Tensor = self.out(self.drop(hidden_TBD.amax(dim=0)))
            return logits_BL

    def sequences(self, texts: Sequence[str]) -> Sequences:
        """Texts as this model reads them: the numbers of their first words."""
        store = self.config.words.encode(texts)
        return Sequences(store, first(store, self.config.max_length), (), ())

    def save(self, folder: Path) -> None:
        """Write the model's folder."""
        folder.mkdir(parents=True, exist_ok=True)
        sizes = {name: getattr(self.config, name) for name in _SIZES}
        facts = {"model_type": BILSTM, "labels": self.config.labels, **sizes, "words": self.config.words.words}
        facts |= said(self.config.link) | ({"marks": True} if self.config.words.marks else {})
        write_json(folder / "config.json", facts)
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in self.state_dict().items()}
        save_file(tensors, folder / "model.safetensors")

    @staticmethod
    def load(folder: Path) -> "BilstmClassifier":
        """Read a folder that `save` wrote, ready to predict.

        Raises:
            ModelError: it is another kind of model, or its files do not belong together.
        """
        config: dict[str, Any] = read_json(folder / "config.json")
        if config.get("model_type") != BILSTM:
            raise ModelError(f"{folder}: not a BiLSTM baseline but {config.get('model_type')!r}")
        sizes = {name: int(config[name]) for name in _SIZES}
        words = WordList(tuple(config["words"]), bool(config.get("marks")))
        model = BilstmClassifier(BilstmConfig(tuple(config["labels"]), words, **sizes, link=link_of(config)))
        try:
            model.load_state_dict(load_file(folder / "model.safetensors"))
        except RuntimeError as error:
            raise ModelError(f"{folder}: model.safetensors does not fit config.json; the folder is damaged, copy it again") from error
        return model.eval()

    def _draw(self) -> None:
        # All else is torch's own: word vectors of standard deviation 1 are right, too. With a tenth of that the LSTM hears little of its
        # words at first, and with few labels ends lower (ChemProt, 500 labels: macro F1 of .16 instead of .21).
        for lstm in self.lstms:
            for name, parameter in lstm.named_parameters():
                if name.startswith("bias_ih"):
                    # The gates of an LSTM are input, forget, cell, output. To remember is the better beginning (Jozefowicz et al. 2015).
                    with torch.no_grad():
                        parameter[self.config.hidden : 2 * self.config.hidden] = 1.0


_SIZES = ("embedding", "hidden", "layers", "max_length")
