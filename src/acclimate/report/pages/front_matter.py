"""What a model card tells machines: the block of metadata that the Hugging Face hub reads at the head of a README.md.

The keys are those of https://huggingface.co/docs/hub/model-cards; huggingface_hub writes them, so that no text can break out of its value.
What is not known is left out, or said to be unknown where the hub wants an answer. `language` is left out: nothing here reads what language
the texts are in.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from acclimate.inert import one_line
from acclimate.report.results.chain import Chain

if TYPE_CHECKING:
    from huggingface_hub import ModelCardData

# Our name of a score -> the hub's; its own names are the words of the table beside.
HUB_METRICS = {
    "macro_f1": "f1", "accuracy": "accuracy", "mcc": "matthews_correlation", "macro_precision": "precision", "macro_recall": "recall",
}  # fmt: skip
LICENSE_UNKNOWN = {"license": "other", "license_name": "unknown", "license_link": None}


def front_matter(chain: Chain, name: str, plain: bool) -> "ModelCardData":
    """The metadata of the model at the end of `chain`; `plain`: whether plain transformers loads it. `name` is for people."""
    from huggingface_hub import EvalResult, ModelCardData

    base = chain.base or {}
    terms = _license(base)
    datasets = chain.hub_datasets
    data_name = one_line(str(chain.results.study.get("name") or "study"))
    scores = {metric: value for metric in HUB_METRICS if (value := chain.run.values.get(f"test_{metric}")) is not None}
    results = [
        EvalResult(
            task_type="text-classification",
            task_name="Text Classification",
            dataset_type=chain.hub_task or "unknown",
            dataset_name=chain.hub_task or f"{data_name} (local files)",
            dataset_split="test",
            metric_type=HUB_METRICS[metric],
            metric_name=chain.results.words(metric),
            metric_value=round(value, 6),
        )
        for metric, value in scores.items()
    ]
    return ModelCardData(
        license=terms["license"],
        license_name=terms["license_name"],
        license_link=terms["license_link"],
        base_model=base["name"] if base.get("hub") and not chain.random else None,
        datasets=datasets or None,
        library_name="transformers" if plain else "acclimate",
        pipeline_tag="text-classification",
        tags=["acclimate", *(["domain-adaptation"] if chain.pretrainings else [])],
        metrics=[HUB_METRICS[metric] for metric in scores] or None,
        model_name=one_line(name) if results else None,
        eval_results=results or None,
    )


def _license(base: Mapping[str, Any]) -> dict[str, str | None]:
    found = {key: base.get(key) for key in LICENSE_UNKNOWN}
    # A licence of somebody's own has a name, without which the hub refuses "other".
    if not found["license"] or (found["license"] == "other" and not found["license_name"]):
        return dict(LICENSE_UNKNOWN)
    return found
