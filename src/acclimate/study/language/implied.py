"""A study that names no task and trains on text: it compares models by held-out text, and is written out as if it had said so."""

from acclimate.errors import SettingsError
from acclimate.study.language.contradictions import TASK_READS
from acclimate.study.language.recipe import Recipe
from acclimate.study.language.study import Study

KIND, STAGE = "perplexity", "score"


def with_task(study: Study) -> tuple[Study, str | None]:
    """The study as it is compared, and what is to be said of that.

    Where it has no task, or none that a recipe reads, that is documents held out of the corpora of its pretrainings; those that read on
    are judged at their end.

    Raises:
        SettingsError: no recipe answers the task, or there is none and none learns to predict words: nothing can be compared.
    """
    task = study.data.task
    if task is not None and all(recipe.answers for recipe in study.compared.values()):
        return study, None
    if task is not None and any(set(stage.reads()) & TASK_READS for recipe in study.recipes.values() for stage in recipe.stages):
        ends = study.table.to_answer(task)
        raise SettingsError(f"no recipe answers the task; {ends}; by text alone models are compared where no recipe reads the task")
    kind = next((kind for kind in study.kinds if kind.model_fields["kind"].default == KIND), None)
    score = next((stage for stage in study.table.stages if stage.word() == STAGE), None)
    stages = (stage for recipe in study.recipes.values() for stage in recipe.stages if stage.teaches_words())
    read = dict.fromkeys(name for stage in stages for name in stage.reads() if name not in stage.replays())
    corpora = tuple(dict.fromkeys(source for name in read for source in study.data.sources(name)))
    if kind is None or score is None or not corpora:
        some = any(stage.role == "pretrains" for recipe in study.recipes.values() for stage in recipe.stages)
        why = "no recipe learns to predict words" if some else "no recipe is pretrained"
        raise SettingsError(
            f"there is no `task`, and {why}, so there is nothing by which recipes could be compared: name a `task`; "
            "a single model is made by `acclimate prune`, `acclimate pretrain` or `acclimate distill-vectors`"
        )

    def judged(name: str, recipe: Recipe) -> Recipe:
        if not any(stage.teaches_words() for stage in recipe.stages):
            return recipe
        # What is merged or cut at last is judged as that leaves it, where it is not made for others alone.
        last = recipe.stages[-1].role
        ends = last == "pretrains" or (last == "changes" and name in study.compared)
        return recipe.model_copy(update={"stages": (*recipe.stages, score())}) if ends else recipe

    recipes = {name: judged(name, recipe) for name, recipe in study.recipes.items()}
    held_out = kind.model_validate({"kind": KIND, "on": list(corpora)})
    written = f"task: {{kind: {KIND}, on: [{', '.join(corpora)}]}}"
    why = "there is no `task`" if task is None else "no recipe reads the `task`"
    said = f"{why}: models are compared by held-out text, as by `{written}`, with `{STAGE}` at the end of every recipe that pretrains"
    return study.model_copy(update={"data": study.data.model_copy(update={"task": held_out}), "recipes": recipes}), said
