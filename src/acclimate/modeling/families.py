"""What is known of each architecture before any of it is loaded: one `Family` a model type, all in one table. No torch.

Nothing else asks for an architecture's name, or for a field or module that only some have: a new one is an entry of `FAMILIES` (and of the
sizes in `tests/modeling/conftest.py`, whereupon `test_every_family.py` holds all that it says against the real thing).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

WIDTH, LAYERS, HEADS, POSITIONS, ENTRIES = 1 << 17, 1_000, 4_096, 1 << 20, 1 << 24
LARGEST = {
    "hidden_size": WIDTH, "embedding_size": WIDTH, "pooler_hidden_size": WIDTH, "intermediate_size": 8 * WIDTH,
    "num_hidden_layers": LAYERS, "num_hidden_groups": LAYERS, "inner_group_num": LAYERS, "num_attention_heads": HEADS,
    "max_position_embeddings": POSITIONS, "vocab_size": ENTRIES, "num_key_value_heads": HEADS, "head_dim": WIDTH,
}  # fmt: skip
"""The largest values that are taken for sizes; far beyond any model of these types."""
OWN_ATTENTION = "its attention does not go through transformers' attention interface"


@dataclass(frozen=True)
class Dimensions:
    """How large a model is: what its config.json says, and what its family takes for granted where that says nothing."""

    layers: int
    distinct: int
    """Layers with weights of their own: fewer where they are shared."""
    width: int
    """Of a token's vector between the layers (D)."""
    heads: int
    head: int
    """Width of a head of attention."""
    feed_forward: int
    """Width inside the feed-forward part."""
    embedding: int
    """Width of a row of the embeddings."""
    positions: int
    """Tokens of the longest sequence, special ones included."""
    vocabulary: int


@dataclass(frozen=True, kw_only=True)
class Family:
    """All that is decided by a model's type. The defaults are those of BERT, of which most others are made."""

    model_type: str
    """What config.json calls it."""
    supported: bool = True
    """Whether a base of this type is taken; the others are only read where somebody hands a trained classifier over."""
    decoder: bool = False
    """It reads from left to right: a token sees those before it, its head for words predicts the next one, and a text's last token answers
    for the text. Elsewhere each token sees all, the head predicts masked words, and the first token answers."""

    # config.json
    sizes: Mapping[str, int] = field(
        default_factory=lambda: {
            "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072,
            "max_position_embeddings": 512, "vocab_size": 30522,
        }
    )  # fmt: skip
    """transformers' own sizes by their usual names, where config.json does not say; without `embedding_size` it is `hidden_size`."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """What its config.json calls the sizes that have another name there than usual."""
    head: int = 0
    """Width of a head of attention where config.json does not say; 0: the width of a token's vector, divided by the heads."""
    dropout_words: tuple[str, ...] = ("dropout",)
    """Every number whose name has one of these in it is a rate of dropout."""
    attention_dropout: str = "attention_probs_dropout_prob"
    """The rate at which weights of attention are dropped."""
    drops_by_itself: bool = True
    """transformers drops some of it in training where config.json says nothing of dropout."""
    pooling: str = ""
    """The field that says what of a text a classifier sees, `cls` or `mean`; where there is none, the first token."""
    per_layer: tuple[str, ...] = ()
    """Lists with an entry a layer: cutting layers cuts them."""
    shares_layers: bool = False
    """All layers are one: there is no lower part to freeze and no upper part to train."""

    # modules, by their path inside the base model, where nothing else is said
    layers: str = "encoder.layer"
    """The list of blocks; with shared layers of one, which runs many times."""
    below: tuple[str, ...] = ("embeddings",)
    """What stands under the layers, in this order."""
    pooler: str = "pooler"
    """What stands over the layers for the sake of whole texts; empty where the base model has no such thing."""
    last_norm: str = ""
    """The norm over the last layer, where that is not the layer's own."""
    classifier: str = "classifier"
    """The part of a classifier (not of its base) that holds the last linear layer."""
    last_linear: str = "classifier"
    """The layer that gives a classifier's logits, inside the classifier's model."""
    tagger_linear: str = "classifier"
    """The layer that gives the logits of every token, inside the model for token classification; empty where transformers has no such."""
    mlm_head: tuple[str, ...] = ("cls.predictions.",)
    """What the names of the tensors of its head for words (masked, or next ones) begin with, in checkpoints."""
    last_attention: str = "attention"
    """The module of a layer after which each position goes its own way; empty where residuals are added outside of modules."""
    asked_of_layers: tuple[str, ...] = ()
    """Attributes of a layer that its base model looks at."""

    # positions
    learned_positions: bool = True
    """Always an embedding for each position; elsewhere they may be relative or rotary alone."""
    shifted_positions: bool = False
    """Positions count from the padding id plus one, so that many fewer tokens fit."""
    padding_id: int | None = None
    """The padding id that is built in, whatever config.json says."""

    # what is known to work
    unpacked: str = ""
    """Why it does not run packed; empty where its packed forward pass and gradients are tested to equal those on padded batches."""
    head_by_position: bool = True
    """Its head for masked language modelling is tested to work position by position."""
    checkpointing: bool = True
    """transformers can compute its activations again in the backward pass."""
    transposed: bool = False
    """Its linear layers are of a kind of their own, which holds weights [inputs, outputs]."""
    first_layer_differs: bool = False
    """The first layer is built unlike the others, so no other can take its place."""

    # how it was pretrained
    mask_rate: float = 0.15
    """The share of tokens that masked language modelling hides where nothing is said."""

    @property
    def divisible(self) -> bool:
        """Whether frozen layers can be run apart from the rest."""
        return not self.unpacked and not self.shares_layers and not self.decoder

    @property
    def stack(self) -> str:
        """The module around the layers; empty where that is the base model itself."""
        return self.layers.rpartition(".")[0]

    @property
    def learned_heads(self) -> tuple[str, ...]:
        """What the names of the tensors of a classifier's head, and of a tagger's, begin with."""
        return tuple(dict.fromkeys(f"{name.partition('.')[0]}." for name in (self.classifier, self.tagger_linear) if name))

    @property
    def above(self) -> tuple[str, ...]:
        """What of the base model stands over its layers and is trained with a head."""
        return tuple(filter(None, (self.pooler, self.last_norm)))

    def pools_mean(self, config: Mapping[str, Any]) -> bool:
        """Whether a classifier's head sees the mean over a text's tokens instead of its first token."""
        return bool(config.get(self.pooling) == "mean")

    def drops(self, config: Mapping[str, Any]) -> bool:
        """Whether anything below its heads is dropped in training."""
        heads = ("class", "pool", "qa_", "summary")
        rates = {name: rate for name, rate in config.items() if any(word in name for word in self.dropout_words)}
        said = [rate for name, rate in rates.items() if isinstance(rate, int | float) and not any(head in name for head in heads)]
        return any(said) if said else self.drops_by_itself

    def with_layers(self, config: Mapping[str, Any], count: int) -> dict[str, Any]:
        """This config.json with so many layers."""
        usual = "num_hidden_layers"  # which transformers reads everywhere
        own = self.renamed.get(usual, usual)
        return {**config, own if own in config else usual: count}

    def limits(self) -> Iterator[tuple[str, int]]:
        """The fields of config.json that are sizes, under each name that is read, with the largest value that is taken for one."""
        for size, most in LARGEST.items():
            for name in dict.fromkeys((size, self.renamed.get(size, size))):
                yield name, most

    def dimensions(self, config: Mapping[str, Any]) -> Dimensions:
        """The dimensions of a model of this family."""

        def size(name: str, otherwise: int = 0) -> int:
            own = config.get(self.renamed.get(name, name))
            return int(config.get(name) or own or self.sizes.get(name, otherwise))

        layers, width, heads, positions = (
            size(name) for name in ("num_hidden_layers", "hidden_size", "num_attention_heads", "max_position_embeddings")
        )
        if self.shifted_positions:
            padding = config.get("pad_token_id", 1) if self.padding_id is None else self.padding_id
            positions -= int(padding or 0) + 1
        return Dimensions(
            layers=layers,
            distinct=min(layers, size("num_hidden_groups", 1)) if self.shares_layers else layers,
            width=width,
            heads=heads,
            head=int(config.get("head_dim") or self.head or width // heads),
            feed_forward=size("intermediate_size", 4 * width),
            embedding=size("embedding_size", width),
            positions=positions,
            vocabulary=size("vocab_size"),
        )


_BERT = Family(model_type="bert")
# Their classifiers are modules of their own; the pooler, which they do without, is the base model's alone.
_ROBERTA = replace(
    _BERT,
    model_type="roberta",
    sizes={**_BERT.sizes, "vocab_size": 50265},
    last_linear="classifier.out_proj",
    mlm_head=("lm_head.",),
    shifted_positions=True,
)
_DEBERTA = replace(
    _BERT,
    model_type="deberta",
    sizes={**_BERT.sizes, "vocab_size": 50265},
    pooler="",  # it is the classifier's
    mlm_head=("cls.predictions.", "lm_predictions."),
    learned_positions=False,
    unpacked=OWN_ATTENTION,
)
_GPT_NEOX = replace(
    _BERT,
    model_type="gpt_neox",
    decoder=True,
    sizes={
        "hidden_size": 6144,
        "num_hidden_layers": 44,
        "num_attention_heads": 64,
        "intermediate_size": 24576,
        "max_position_embeddings": 2048,
        "vocab_size": 50432,
    },
    attention_dropout="attention_dropout",
    drops_by_itself=False,
    layers="layers",
    below=("embed_in",),
    pooler="",
    last_norm="final_layer_norm",
    classifier="score",
    last_linear="score",
    mlm_head=("embed_out.", "lm_head."),  # the first in checkpoints from before transformers 5
    last_attention="",
    learned_positions=False,
)
_LLAMA = replace(
    _GPT_NEOX,
    model_type="llama",
    sizes={
        "hidden_size": 4096,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "intermediate_size": 11008,
        "max_position_embeddings": 2048,
        "vocab_size": 32000,
    },
    below=("embed_tokens",),
    last_norm="norm",
    tagger_linear="score",
    mlm_head=("lm_head.",),
)
_QWEN2 = replace(
    _LLAMA,
    model_type="qwen2",
    sizes={**_LLAMA.sizes, "intermediate_size": 22016, "max_position_embeddings": 32768, "vocab_size": 151936},
    per_layer=("layer_types",),
)
# Loaded as somebody's classifier, never as a base.
_FOREIGN = replace(_ROBERTA, supported=False, unpacked="packed execution is not verified for this architecture", head_by_position=False)

FAMILIES = (
    replace(
        _BERT,
        model_type="albert",
        drops_by_itself=False,
        sizes={
            "hidden_size": 4096, "num_hidden_layers": 12, "num_attention_heads": 64, "intermediate_size": 16384,
            "max_position_embeddings": 512, "vocab_size": 30000, "embedding_size": 128,
        },
        shares_layers=True,
        layers="encoder.albert_layer_groups",
        mlm_head=("predictions.",),
        last_attention="",
        checkpointing=False,
    ),
    _BERT,
    replace(_ROBERTA, model_type="camembert", sizes=_BERT.sizes),
    _DEBERTA,
    replace(
        _DEBERTA,
        model_type="deberta-v2",
        sizes={
            "hidden_size": 1536, "num_hidden_layers": 24, "num_attention_heads": 24, "intermediate_size": 6144,
            "max_position_embeddings": 512, "vocab_size": 128100,
        },
    ),
    replace(
        _BERT,
        model_type="distilbert",
        sizes={**_BERT.sizes, "num_hidden_layers": 6},
        renamed={
            "hidden_size": "dim", "num_hidden_layers": "n_layers", "num_attention_heads": "n_heads", "intermediate_size": "hidden_dim",
        },
        attention_dropout="attention_dropout",
        layers="transformer.layer",
        pooler="",
        mlm_head=("vocab_",),
        last_attention="sa_layer_norm",
    ),
    replace(
        _BERT,
        model_type="electra",
        sizes={**_BERT.sizes, "hidden_size": 256, "num_attention_heads": 4, "intermediate_size": 1024, "embedding_size": 128},
        below=("embeddings", "embeddings_project"),
        pooler="",
        last_linear="classifier.out_proj",
        mlm_head=("generator_",),
    ),
    replace(
        _LLAMA,
        model_type="gemma",
        sizes={
            "hidden_size": 3072, "num_hidden_layers": 28, "num_attention_heads": 16, "intermediate_size": 24576,
            "max_position_embeddings": 8192, "vocab_size": 256000,
        },
        head=256,
    ),
    replace(
        _LLAMA,
        model_type="gemma3_text",
        sizes={
            "hidden_size": 2304, "num_hidden_layers": 26, "num_attention_heads": 8, "intermediate_size": 9216,
            "max_position_embeddings": 131072, "vocab_size": 262208,
        },
        tagger_linear="",
        head=256,
        per_layer=("layer_types",),
    ),
    replace(
        _GPT_NEOX,
        model_type="gpt2",
        sizes={
            "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "max_position_embeddings": 1024, "vocab_size": 50257,
        },
        renamed={
            "hidden_size": "n_embd", "num_hidden_layers": "n_layer", "num_attention_heads": "n_head", "intermediate_size": "n_inner",
            "max_position_embeddings": "n_positions",
        },
        dropout_words=("dropout", "pdrop"),
        attention_dropout="attn_pdrop",
        drops_by_itself=True,
        layers="h",
        below=("wte", "wpe"),
        last_norm="ln_f",
        mlm_head=("lm_head.",),
        learned_positions=True,
        transposed=True,
    ),
    _GPT_NEOX,
    _LLAMA,
    replace(
        _BERT,
        model_type="modernbert",
        drops_by_itself=False,
        sizes={**_BERT.sizes, "num_hidden_layers": 22, "intermediate_size": 1152, "max_position_embeddings": 8192, "vocab_size": 50368},
        attention_dropout="attention_dropout",
        pooling="classifier_pooling",
        per_layer=("layer_types",),  # they take turns: each kept one stays what it was
        layers="layers",
        pooler="",
        last_norm="final_norm",
        mlm_head=("decoder.",),  # the rest of it has the names of the classifier's
        last_attention="",
        asked_of_layers=("attention_type",),  # which mask it wants
        learned_positions=False,
        first_layer_differs=True,
        mask_rate=0.30,
    ),
    replace(
        _ROBERTA,
        model_type="mpnet",
        sizes={**_BERT.sizes, "vocab_size": 30527},
        padding_id=1,
        unpacked=OWN_ATTENTION,
        checkpointing=False,
    ),
    _QWEN2,
    replace(_QWEN2, model_type="qwen3"),
    _ROBERTA,
    replace(_ROBERTA, model_type="xlm-roberta", sizes=_BERT.sizes),
    replace(_FOREIGN, model_type="data2vec-text", sizes=_BERT.sizes),
    replace(_FOREIGN, model_type="roberta-prelayernorm"),
    replace(
        _FOREIGN,
        model_type="xlm-roberta-xl",
        sizes={
            "hidden_size": 2560, "num_hidden_layers": 36, "num_attention_heads": 32, "intermediate_size": 10240,
            "max_position_embeddings": 514, "vocab_size": 250880,
        },
    ),
)  # fmt: skip
"""Every architecture that something is known of."""
SUPPORTED = tuple(each.model_type for each in FAMILIES if each.supported)
"""The types that a base may have."""
MASK_RATES = {each.model_type: each.mask_rate for each in FAMILIES if each.mask_rate != _BERT.mask_rate} | {"others": _BERT.mask_rate}
"""The shares that are masked where nothing is said, as they stand in the key of a pretraining."""
_BY_TYPE = {each.model_type: each for each in FAMILIES}


def family_of(config: object) -> Family:
    """The family of a config.json, or of a transformers configuration; of a type that nothing is known of, BERT's with every doubt."""
    said = config.get("model_type") if isinstance(config, Mapping) else getattr(config, "model_type", None)
    known = _BY_TYPE.get(said) if isinstance(said, str) else None
    if known is not None:
        return known
    unknown = replace(_FOREIGN, model_type=str(said), shifted_positions=False, learned_positions=False)
    return replace(unknown, sizes=_BERT.sizes, renamed={"max_position_embeddings": "n_positions"})


def dimensions_of(config: Mapping[str, Any]) -> Dimensions:
    """The dimensions of the model that a config.json describes."""
    return family_of(config).dimensions(config)
