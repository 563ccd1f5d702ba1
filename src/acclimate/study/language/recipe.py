"""One entry of `recipes`: a base and the stages that adapt it."""

import json
from collections.abc import Mapping
from itertools import takewhile
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, model_validator

from acclimate.settings import OneOf, Settings
from acclimate.stages import STAGES
from acclimate.stages.base import ABOUT_TASKS, ANSWERING, OWN_BASE, Stage
from acclimate.study.language.bases import NOT_BASELINES, RANDOM, Base, New
from acclimate.study.language.counts import Seed
from acclimate.study.language.stage_table import StageTable

TABLE = StageTable(STAGES)


class Recipe(Settings):
    """A base and the stages that adapt it. In a study file: a list of stages, or `{base, stages}`."""

    table: ClassVar[StageTable] = TABLE

    base: Base | None = None
    """Where it starts: a hub id, a folder or a short name, `random` (the study's base with fresh weights), `random: {sizes}`,
    `{layers_of: model or recipe, keep: layers}`, `{end_of: recipe}`, a plain baseline (`majority`, `tfidf`, `bilstm`,
    `linear_tagger`, `doc2vec`, `static`, `bm25`), or
    `{zero_shot: model or recipe, settings}` (or `as_is`), short for that model's end and the stage; default the study's base."""
    stages: tuple[Annotated[Stage, OneOf("stage", TABLE.stages), BeforeValidator(TABLE.as_written)], ...] = ()
    """What is done to it, in this order: each a stage's name, or `name: {settings}`."""
    draw: Seed = 0
    """Another number draws everything random anew (fresh heads, order, masks, dropout), on the same labelled texts: the same recipe once
    more, for an A/A study."""

    @property
    def is_baseline(self) -> bool:
        """Whether it is a plain baseline, which starts from no model."""
        return self.base in self.table.baseline_names

    @property
    def answers(self) -> bool:
        """Whether its last stage answers the study's task, so that it can be compared: one that learns it, or one that trains nothing."""
        return bool(self.stages) and self.stages[-1].role in ANSWERING and self.stages[-1].about() is None

    @property
    def needs_base(self) -> bool:
        """Whether it takes anything from the study's base."""
        own = any(stage.made_from() == OWN_BASE for stage in self.stages)
        return own or self.base in (None, RANDOM) or (isinstance(self.base, New) and self.base.random.tokenizer is None)

    @property
    def unsupervised(self) -> tuple[Stage, ...]:
        """The stages before the first that is about a task: what a student of this recipe is cut from."""
        return tuple(takewhile(lambda stage: stage.role not in ABOUT_TASKS, self.stages))

    @model_validator(mode="before")
    @classmethod
    def _as_written(cls, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return {"stages": tuple(value)}
        if isinstance(value, Recipe):
            return value if isinstance(value, cls) else {name: getattr(value, name) for name in type(value).model_fields}
        if not isinstance(value, Mapping):
            raise ValueError("a recipe is a list of stages, such as [finetune], or {base, stages}")
        for name in value:
            if name in cls.table.names and name not in cls.table.baseline_names:
                raise ValueError(f"the stages of a recipe are a list: write [{name}: {{...}}]")
        base, stages = value.get("base"), value.get("stages")
        if (meant := cls._meant(value)) is not None:
            raise ValueError(f"a plain baseline is a base, and its settings stand below its name: write {meant}")
        if isinstance(base, Mapping):
            name = next(iter(base), None)
            asking = [word for word in base if word in cls.table.asking_names]
            if asking:
                return {**value, **cls._asking(asking[0], base, stages)}
            if name in NOT_BASELINES:
                return {**value, "stages": ()} if stages is None else value
            if len(base) != 1 or name not in cls.table.baseline_names:
                forms = [
                    "a hub id",
                    "a folder",
                    "`random`",
                    "`random: {sizes}`",
                    "`{layers_of: model, keep: layers}`",
                    "`{end_of: recipe}`",
                ]
                forms += [f"`{{{word}: model or recipe, settings}}`" for word in cls.table.asking_names]
                if cls.table.with_settings is not None:
                    plain = ", ".join(f"`{name}`" for name in cls.table.baseline_names)
                    forms += [f"a plain baseline ({plain})", cls.table.with_settings]
                raise ValueError(f"base: should be {', '.join(forms[:-1])}, or {forms[-1]}")
            if stages:
                raise ValueError(f"{name} is a plain baseline and takes no stages")
            return {**value, "base": name, "stages": (cls.table.as_written(base),)}
        if base in cls.table.baseline_names and not stages:
            return {**value, "stages": (base,)}
        return {**value, "stages": ()} if stages is None else value

    @classmethod
    def _meant(cls, value: Mapping[str, Any]) -> str | None:
        """How a plain baseline is written whose settings stand beside its name (or it in the place of `base`); None where they do not."""
        base = value.get("base")
        for stage in cls.table.baselines:
            name = stage.word()
            known = stage.model_fields.keys() - {"stage"}
            if base == name:
                beside = {key: each for key, each in value.items() if key not in cls.model_fields}
            elif isinstance(base, Mapping) and name in base:
                beside = {key: each for key, each in base.items() if key != name}
            elif name in value and base is None:
                beside = value[name] if isinstance(value[name], Mapping) else {}
                if not beside:
                    return f"base: {name}"
            else:
                continue
            if beside and beside.keys() <= known:
                return f"base: {{{name}: {{{', '.join(f'{key}: {_flow(each)}' for key, each in beside.items())}}}}}"
        return None

    @classmethod
    def _asking(cls, word: str, base: Mapping[str, Any], stages: Any) -> dict[str, Any]:
        """`{zero_shot: NAME, settings}` as what it is short for: NAME at its end, and the stage."""
        if stages:
            raise ValueError(
                f"base: {{{word}: NAME}} is a whole recipe and takes no stages; write {{base: {{end_of: NAME}}, stages: [...]}}"
            )
        if not isinstance(base[word], str) or not base[word]:
            raise ValueError(f"base: {word}: should be a model (a hub id, a folder, a short name) or a recipe, not {base[word]!r}")
        settings = {key: setting for key, setting in base.items() if key != word}
        return {"base": {"end_of": base[word]}, "stages": (cls.table.as_written({word: settings}),)}


def _flow(value: Any) -> str:
    """A setting as YAML writes it on one line; JSON is YAML, and plain words need no quotes."""
    return (
        value if isinstance(value, str) and value.replace("-", "_").isidentifier() else json.dumps(value, ensure_ascii=False, default=str)
    )
