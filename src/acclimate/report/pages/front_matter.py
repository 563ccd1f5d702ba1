"""What a model card tells machines: the block of metadata that the Hugging Face hub reads at the head of a README.md.

The keys are those of https://huggingface.co/docs/hub/model-cards; huggingface_hub writes them, so that no text can break out of its value.
What is not known is left out, or said to be unknown where the hub wants an answer. `language` is left out: nothing here reads what language
the texts are in.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from acclimate.inert import one_line
from acclimate.report.results.chain import Chain
from acclimate.report.results.kind_facts import ScoreFacts

if TYPE_CHECKING:
    from huggingface_hub import ModelCardData

LICENSE_UNKNOWN = {"license": "other", "license_name": "unknown", "license_link": None}


def front_matter(chain: Chain, name: str, plain: bool) -> "ModelCardData":
    """The metadata of the model at the end of `chain`; `plain`: whether plain transformers loads it. `name` is for people."""
    from huggingface_hub import EvalResult, ModelCardData

    base = chain.base or {}
    terms = _license(base)
    datasets = chain.hub_datasets
    data_name = one_line(str(chain.results.study.get("name") or "study"))
    kind = chain.results.kind
    scores = [(each, value) for name, each in hub_scores(chain).items() if (value := chain.run.values.get(f"test_{name}")) is not None]
    results = [
        EvalResult(
            task_type=kind.card.tag,
            task_name=kind.card.tag.replace("-", " ").title(),
            dataset_type=chain.hub_task or "unknown",
            dataset_name=chain.hub_task or f"{data_name} (local files)",
            dataset_split="test",
            metric_type=str(each.hub),
            metric_name=each.words,
            metric_value=round(value, 6),
        )
        for each, value in scores
    ]
    return ModelCardData(
        license=terms["license"],
        license_name=terms["license_name"],
        license_link=terms["license_link"],
        base_model=base["name"] if base.get("hub") and not chain.random else None,
        datasets=datasets or None,
        library_name="transformers" if plain else "acclimate",
        pipeline_tag=kind.card.tag,
        tags=["acclimate", *(["domain-adaptation"] if chain.pretrainings else [])],
        metrics=list(dict.fromkeys(str(each.hub) for each, _ in scores)) or None,
        model_name=one_line(name) if results else None,
        eval_results=results or None,
    )


def hub_scores(chain: Chain) -> dict[str, ScoreFacts]:
    """The scores that the hub knows, by our names, in the kind's order."""
    return {name: score for name, score in chain.results.kind.metrics.items() if score.hub}


def _license(base: Mapping[str, Any]) -> dict[str, str | None]:
    found = {key: base.get(key) for key in LICENSE_UNKNOWN}
    # A licence of somebody's own has a name, without which the hub refuses "other".
    if not found["license"] or (found["license"] == "other" and not found["license_name"]):
        return dict(LICENSE_UNKNOWN)
    return found
