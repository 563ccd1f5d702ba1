"""What a study's result files say of how large and how fast the models are that its recipes hand over."""

from dataclasses import dataclass

from acclimate.report.results.finished import Results


@dataclass(frozen=True)
class Timed:
    """The models of one recipe at the largest label budget."""

    recipe: str
    score: float | None  # on test, the mean of the seeds
    parameters: float | None
    bytes: float | None  # of the folder
    latency: float  # seconds for one text
    per_second: float  # texts, in batches
    by: str  # who answered: `transformers` or `acclimate`


def timed_models(results: Results) -> tuple[Timed, ...]:
    """Every recipe whose model was timed, in the study's order; none where nothing was, and of a smoke run."""
    told = (results.study.get("speeds") or {}).get("recipes") or {}
    labels = results.budgets[-1] if results.budgets else ""
    found = []
    for recipe in results.recipes:
        latency, per_second = (results.values(recipe, labels, name) for name in ("latency_seconds", "batch_texts_per_second"))
        if latency and per_second:
            parameters, size = (max(results.values(recipe, labels, name), default=None) for name in ("parameters", "disk_bytes"))
            by = str((told.get(recipe) or {}).get("by") or "acclimate")
            found.append(Timed(recipe, results.mean(recipe, labels, results.metric), parameters, size, latency[0], per_second[0], by))
    return tuple(found)


def batch_of(results: Results) -> int:
    """How many texts a batch had."""
    return int((results.study.get("speeds") or {}).get("batch") or 32)


def compared_with(results: Results, models: tuple[Timed, ...], recipe: str) -> Timed | None:
    """The model beside which a recipe's is told: its teacher's, or else the best on dev of the largest; None of these themselves."""
    of = {model.recipe: model for model in models}
    teachers = [name for stage in results.stages if stage.stage.startswith("distill") and recipe in stage.recipes for name in stage.beside]
    known = [of[name] for name in teachers if name in of and name != recipe]
    if known:
        return known[0]
    most = max((model.parameters or 0 for model in models), default=0)
    largest = tuple(model.recipe for model in models if (model.parameters or 0) == most)
    best = results.best_on_dev(largest)
    return of[best] if best is not None and recipe not in largest else None
