"""The head of what is fine-tuned; apart from the code that builds it, so that reading a study file does not load torch."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import (
    Field,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from acclimate.data.cloze import check_template
from acclimate.errors import SettingsError
from acclimate.modeling.embedding_form import EmbeddingForm
from acclimate.modeling.label_words import TEMPLATES, Cloze
from acclimate.settings import Settings
from acclimate.tasks.kind import Form

MLM = "mlm"
WORDS = {"vector": True, "architecture": False}  # what `head` says in one word -> `head: {vector: ...}`
Word = Annotated[str, Field(pattern=r"\S")]


class MlmHead(Settings):
    """The head for masked words, asked which of the labels' words stands at the mask of a template (Schick & Schütze 2021)."""

    template: str | None = None
    """`{text}` stands for the text, `{mask}` for the word that is asked for, and for pairs `{text_b}` for the second text; default
    `"{text} This text is about {mask}."`, for pairs `"{text} ? {mask} , {text_b}"`, or of a decoder, which sees nothing behind the mask,
    `"First: {text} Second: {text_b} Relation: {mask}."`."""
    names: dict[str, Word | Annotated[tuple[Word, ...], Field(min_length=1)]] = Field(default_factory=dict)
    """The words of a label, where they are not the label itself: `{pos: great, neg: [terrible, bad]}`. Of several the mean logit counts,
    and of the tokens of one word; a decoder's mean probability, and the product of its tokens'."""

    @field_validator("template")
    @classmethod
    def _places(cls, template: str | None) -> str | None:
        if template is not None:
            try:
                check_template(template)
            except SettingsError as error:
                raise ValueError(str(error).removeprefix("template: ")) from error
        return template

    def cloze(self, labels: tuple[str, ...], texts: int, templates: Mapping[int, str] = TEMPLATES) -> Cloze:
        """What items of so many texts are asked, for these labels; `templates` are the usual ones."""
        names = {label: (words,) if isinstance(words, str) else words for label, words in self.names.items()}
        return Cloze(labels, self.template or templates[texts], names, texts)

    def asked(self) -> dict[str, Any]:
        """As it stands in a key: a default is what it comes to, and which of them that is, is decided by the task."""
        usual = list(TEMPLATES.values())
        names = {label: [words] if isinstance(words, str) else list(words) for label, words in self.names.items()}
        return {"template": usual if self.template in (None, *usual) else self.template, "names": names}


class HeadSettings(Settings):
    """Linear layers of the classifier; `vector`: one on the vectors of texts, `architecture`: none on these; or `mlm`: the head for masked
    words, asked for the words of the labels."""

    layers: int = Field(default=1, ge=1, le=8)
    """1: one linear layer, as the architecture has it; more: hidden layers with GELU before it."""
    hidden: int | None = Field(default=None, gt=0)
    """Width of the hidden layers; default the model's."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Dropout after each hidden layer; on the vector where the head stands on one and the stage says none."""
    vector: bool | None = None
    """Whether it is one linear layer on the vector of a text (of pairs both, their difference and product), made as the model says
    (`acclimate_embedding`; else the mean of the states, of length 1), or the architecture's own; default after `embed` the vector, of
    pairs with `train: head` alone."""
    mlm: MlmHead | None = None
    """No fresh classifier, but the base's own head for masked words, and a template (kinds `classify` and `pair`)."""

    @model_validator(mode="before")
    @classmethod
    def _by_its_word(cls, value: Any) -> Any:
        if isinstance(value, str) and value in WORDS:
            return {"vector": WORDS[value]}
        if value == MLM:
            return {MLM: MlmHead()}
        if isinstance(value, dict) and MLM in value and value[MLM] is None:
            return {**value, MLM: MlmHead()}  # `head: {mlm: }`
        return value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.hidden is not None and self.layers == 1:
            raise ValueError("`hidden` needs `layers` of 2 or more: one linear layer has no hidden width")
        if self.mlm is not None and (said := sorted(self.model_fields_set - {MLM})):
            raise ValueError(f"`{said[0]}` is said of a fresh classifier, and `mlm` is the head for masked words that the base has")
        if self.vector and self.layers > 1:
            raise ValueError("`vector` is one linear layer on the vector of a text; leave `layers` out, or `vector`")
        return self

    def on_vector(self, config: Mapping[str, Any], form: Form, texts: int, alone: bool) -> bool:
        """Whether the head of a model of this config.json stands on the vectors of its texts: as it is said, or where labels trained these.

        `form`, `texts`: what an item is answered with, and how many texts it has; of two it does so where it is trained `alone`, for what
        learns with it gains from reading both together.
        """
        if self.vector is not None or self.mlm is not None:
            return bool(self.vector)
        return self.layers == 1 and form == "sequence" and (texts == 1 or alone) and EmbeddingForm.of(config).trained

    @model_serializer(mode="wrap")
    def _one_of_both(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # What is silent leaves no trace: heads were written so before there was a choice.
        written: dict[str, Any] = write(self)
        silent = {"vector"} if self.vector is None else set()
        return {name: value for name, value in written.items() if (name == MLM) == (self.mlm is not None) and name not in silent}

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        full = handler.resolve_ref_schema(super().__get_pydantic_json_schema__(core_schema, handler))
        return {"anyOf": [{"const": word} for word in (MLM, *WORDS)] + [full], "description": full.get("description", "")}
