"""What each setting of a study allows alone, but not together with the others."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from acclimate.data.corpus import CorpusSettings
from acclimate.errors import SettingsError
from acclimate.settings import per_class
from acclimate.stages.base import ABOUT_TASKS, ANSWERING, LABELS_OF, OWN_BASE, Stage
from acclimate.study.language.bases import RANDOM, EndOf, LayersOf, New
from acclimate.study.language.general_text import unmeasurable
from acclimate.study.language.mistakes import Mistake, did_you_mean
from acclimate.study.language.recipe import Recipe
from acclimate.study.language.selections import selection_mistakes
from acclimate.study.language.yaml import Place
from acclimate.tasks.kind import TaskKind
from acclimate.tasks.labelled_kind import NO_PLACE

if TYPE_CHECKING:  # a study asks this file what is wrong with it
    from acclimate.study.language.study import Study

MOST_RUNS = 20_000  # of a study: their plan alone takes half a minute
TASK_READS = frozenset(
    ("labels", "exam", "task text", "train text", "dev text", "test text")
)  # what a stage reads of the task rather than of a corpus


def too_many_runs(study: "Study") -> Mistake:
    """What is wrong with a study of more than `MOST_RUNS` runs, said of the setting that makes most of them."""
    runs, recipes, budgets = study.number_of_runs, len(study.compared), len(study.labels)
    seeds = runs // (recipes * budgets)
    sizes = {"recipes": recipes, "labels": budgets, "seeds": seeds}
    parts = f"{recipes:,} recipes x {seeds:,} seeds x {budgets:,} label budgets"
    message = f"{parts} are {runs:,} runs, and a study has at most {MOST_RUNS:,}; split it, or take fewer"
    return Mistake((max(sizes, key=sizes.__getitem__),), message)


def contradictions(study: "Study", whole: bool = True) -> Iterator[Mistake]:
    """What each setting allows alone, but not together with the others; unless it is `whole`, data may still be given from Python."""
    seeds = study.seed_list
    if twice := sorted(seed for seed, times in Counter(seeds).items() if times > 1):
        yield Mistake(("seeds",), f"the seed {twice[0]} stands here twice")
    if doubled := [budget for budget, times in Counter(study.labels).items() if times > 1]:
        yield Mistake(("labels",), f"the budget {doubled[0]} stands here twice")
    if study.data.task is not None and not study.data.task.classed and any(per_class(labels) for labels in study.label_budgets):
        place = next(place for place, labels in enumerate(study.label_budgets) if per_class(labels))
        yield Mistake(("labels", place), f"{study.data.task.kind} has no classes of which so many could be drawn; say how many in all")
    if study.reference is not None and study.reference not in study.compared:
        names = tuple(study.compared)
        near = did_you_mean(study.reference, names)
        what = "not a recipe that is compared" if study.reference in study.recipes else "not a recipe"
        yield Mistake(("reference",), f"{study.reference!r} is {what}{near}; recipes are {', '.join(names)}")
    needing = [name for name, recipe in study.recipes.items() if recipe.needs_base]
    if needing and study.base in (RANDOM, *study.table.baseline_names):
        yield Mistake(
            ("base",), f"{study.base!r} is not a pretrained model, and {_some(needing)} from it; give a hub id or a folder, or leave it out"
        )
    reading = [name for name, recipe in study.recipes.items() if any(set(stage.reads()) & TASK_READS for stage in recipe.stages)]
    if whole:
        yield from _without_place(study)
    if whole and reading and study.data.task is None:
        # What trains nothing is written where models are compared by text.
        forms = {form for kind in study.kinds if not kind.learned for form in kind.answered}
        answers = any(stage.role == "answers" and forms & stage.serves.keys() for name in reading for stage in study.recipes[name].stages)
        corpora = ", ".join(study.data.corpora_by_name()) or "NAME"
        mend = f"; held-out text is one, too: `task: {{kind: perplexity, on: [{corpora}]}}`" if answers else ""
        yield Mistake(("data",), f"there is no `task`, and {_some(reading, 'reads', 'read')} it{mend}")
    if study.data.leaks == "drop" and not study.data.corpora_by_name() and not getattr(study.data.task, "unlabeled", None):
        mend = "train stays as it is: what stands in it and in test word for word is dropped by `duplicates: drop` under `task:`"
        yield Mistake(("data", "leaks"), f"`drop` reads corpora without what leaks, and there is none; {mend}")
    yield from selection_mistakes(study.data, study.base in (RANDOM, *study.table.baseline_names))
    yield from _unknown_scores(study)
    yield from unmeasurable(study)
    yield from _without_attention(study)
    compared = any(stage.role in ANSWERING for recipe in study.recipes.values() for stage in recipe.stages)
    task = study.data.task
    if task is not None and not task.learned:
        yield from _learning_from(study, task)
    elif not compared and study.labels != ("all",):
        yield Mistake(("labels",), f"no recipe reads labels; {study.table.to_be_compared}")
    for name, recipe in study.recipes.items():
        path = ("recipes", name)
        if not name or name != name.strip():
            yield Mistake(path, f"the recipe's name {name!r} is empty, or has spaces around it")
        yield from (Mistake((*path, *mistake.path), mistake.message) for mistake in _recipe_contradictions(study, recipe))
        yield from _layers_of(study, name)
        yield from _end_of(study, name)
        yield from _asked(study, name)
        yield from _beside(study, name)
        if (compared or (task is not None and not task.learned)) and recipe.stages and not recipe.answers and name in study.compared:
            last = recipe.stages[-1]
            other = f", which is about {last.about()} and not about the study's task" if last.about() is not None else ""
            yield Mistake(path, f"ends with {last.word()}{other}; {study.table.to_answer(task)}")


def _learning_from(study: "Study", task: TaskKind) -> Iterator[Mistake]:
    """Where the task only judges, there are no labels to count and no text of its own to train on."""
    if study.labels != ("all",):
        yield Mistake(("labels",), f"the task is of the kind {task.kind}, which has no labels to learn from, and so no budgets of them")
    for name, recipe in study.recipes.items():
        for place, stage in enumerate(recipe.stages):
            if stage.role in ANSWERING:
                continue  # whether it can is asked of every kind
            if read := set(stage.reads()) & {"labels", "task text", "dev text", "test text"}:
                what = "labels" if "labels" in read else "text"
                message = (
                    f"reads the {what} of the task, and one of the kind {task.kind} is there to judge by alone; name a corpus of `data`"
                )
                yield Mistake(("recipes", name, "stages", place, stage.word()), message)


def _without_place(study: "Study") -> Iterator[Mistake]:
    """Data of which a study that was made in Python does not say where it is."""
    if study.data.task is not None and not study.data.task.placed:
        yield Mistake(("data", "task"), f"{NO_PLACE}; or give rows to `run_study`, with `task=`")
    for name, task in study.data.tasks.items():
        if not task.placed:
            yield Mistake(("data", "tasks", name), f"{NO_PLACE}; or give rows to `run_study`, with `tasks=`")
    places: dict[Place, CorpusSettings | None] = {("data", "task", "unlabeled"): getattr(study.data.task, "unlabeled", None)}
    for name, corpus in study.data.corpora_by_name().items():
        places[("data", "corpora", name) if name in study.data.corpora else ("data", name)] = corpus
    for path, settings in places.items():
        if settings is not None and not settings.placed:
            yield Mistake(path, "no `path` says where its texts are; or give them to `run_study`, with `corpora=`")


def _unknown_scores(study: "Study") -> Iterator[Mistake]:
    """Scores are names that the kind of task has; without a task, nothing is scored, and some kind must have them."""
    said: dict[Place, tuple[str | None, str | None]] = {("metric",): (study.metric, None)}
    for name, recipe in study.recipes.items():
        for place, stage in enumerate(recipe.stages):
            said["recipes", name, "stages", place, stage.word(), "select_by"] = (getattr(stage, "select_by", None), stage.about())
    for path, (score, about) in said.items():
        task = _task(study, about)
        kinds = study.kinds if task is None else (type(task),)
        refusals = [None if score is None else _refused(kind, score) for kind in kinds]
        if refusals[0] is not None and all(refusals):
            yield Mistake(path, refusals[0])


def _without_attention(study: "Study") -> Iterator[Mistake]:
    named = study.attention
    if isinstance(named, str) and named not in study.compared:
        what = f"there is no recipe {named!r} that is compared{did_you_mean(named, study.compared)}"
        yield Mistake(("attention",), f"{what}; recipes are {', '.join(study.compared)}")
    elif named and all(study.recipes[name].is_baseline for name in ([named] if isinstance(named, str) else study.compared)):
        what = f"{named} is a plain baseline" if isinstance(named, str) else "every recipe is a plain baseline"
        yield Mistake(("attention",), f"{what}, and these have no attention; leave it out")


def _task(study: "Study", about: str | None) -> TaskKind | None:
    return study.data.task if about is None else study.data.tasks.get(about)


def _refused(kind: type[TaskKind], score: str) -> str | None:
    try:
        kind.metric(score)
    except SettingsError as error:
        return str(error)
    return None


def _layers_of(study: "Study", name: str) -> Iterator[Mistake]:
    # A student of a recipe, of a recipe ...: the way down must end.
    base, seen = study.recipes[name].base, [name]
    if isinstance(base, LayersOf) and base.layers_of not in study.recipes and base.layers_of in (RANDOM, *study.table.baseline_names):
        yield Mistake(("recipes", name, "base", "layers_of"), f"{base.layers_of} is neither a recipe nor a pretrained model")
    while isinstance(base, LayersOf) and base.layers_of in study.recipes:
        teacher = study.recipes[base.layers_of]
        if base.layers_of in seen:
            yield Mistake(("recipes", name, "base", "layers_of"), f"goes in a circle: {' of '.join((*seen, base.layers_of))}")
            return
        if teacher.is_baseline:
            yield Mistake(("recipes", name, "base", "layers_of"), f"{base.layers_of} is a plain baseline and has no layers")
        if isinstance(teacher.base, EndOf):
            mend = f"name {teacher.base.end_of}"
            yield Mistake(("recipes", name, "base", "layers_of"), f"{base.layers_of} goes on from the end of another model; {mend}")
        seen, base = [*seen, base.layers_of], teacher.base


def _end_of(study: "Study", name: str) -> Iterator[Mistake]:
    # What a recipe goes on from is a model, or a recipe that has one and does not lead back here.
    base, path = study.recipes[name].base, ("recipes", name, "base", "end_of")
    if not isinstance(base, EndOf):
        return
    other = study.recipes.get(base.end_of)
    if other is None and base.end_of in (RANDOM, *study.table.baseline_names):
        yield Mistake(path, f"{base.end_of} is neither a recipe nor a pretrained model")
    elif other is not None and other.is_baseline:
        yield Mistake(path, f"{base.end_of} is a plain baseline, and no stage goes on from one")
    elif way := _way(study, base.end_of, name):
        yield Mistake(path, f"goes in a circle: {name} needs {' needs '.join(way)}")


def _asked(study: "Study", name: str) -> Iterator[Mistake]:
    # The classifier that a stage asks has learned before it, in this recipe or in those that it goes on from; else the base brings it.
    own = study.data.task
    for place, stage in enumerate(study.recipes[name].stages):
        if not stage.asks_trained or own is None:
            continue
        texts, path = stage.asked_texts(own), ("recipes", name, "stages", place, stage.word())
        what = "pairs of texts" if texts > 1 else "single texts"
        mend = "[finetune, {}]" if texts == own.texts() else "[finetune: {{task: NAME}}, {}] with a task of pairs under `data: tasks:`"
        mend = f"e.g. {mend.format(stage.word())}"
        learned, start = _learned_before(study, name, place)
        task = None if learned is None else _task(study, learned.about())
        if learned is None and (start == RANDOM or isinstance(start, New)):
            yield Mistake(path, f"asks a model that has learned {what}, and random weights have not; {mend}")
        elif learned is not None and task is not None and task.texts() != texts:
            of = f"the task {learned.about()}" if learned.about() is not None else "the study's task"
            yield Mistake(path, f"asks a model that has learned {what}, and {of}, of the kind {task.kind}, has none; {mend}")


def _learned_before(study: "Study", name: str, place: int) -> tuple[Stage | None, object]:
    """The last stage that learns before a place of a recipe, and the base below it where there is none."""
    stages, seen = study.recipes[name].stages[:place], {name}
    while True:
        if learned := [stage for stage in stages if stage.role == "learns"]:
            return learned[-1], None
        base = study.recipes[name].base
        if not isinstance(base, EndOf) or base.end_of not in study.recipes or base.end_of in seen:
            return None, base
        name = base.end_of
        seen.add(name)
        stages = study.recipes[name].stages


def _beside(study: "Study", name: str) -> Iterator[Mistake]:
    # What a stage needs besides the model it is given is another recipe, whose way must not lead back.
    recipes = tuple(study.recipes)
    for place, stage in enumerate(study.recipes[name].stages):
        for other in stage.beside():
            path = ("recipes", name, "stages", place, stage.word())
            if other == OWN_BASE:
                if other in recipes:
                    meant = f"what {name} starts from, or the recipe of that name"
                    yield Mistake(path, f"model: {other} may be {meant}; call the recipe something else")
            elif stage.beside_models != "none" and (
                study.recipes[other].is_baseline if other in study.recipes else other in study.table.baseline_names
            ):
                yield Mistake(
                    path,
                    f"{other} is a plain baseline, and what is needed here is a transformer; name a recipe of one",
                )
            elif stage.asks_all_seeds() and (other not in study.recipes or len(study.seed_list) == 1):
                why = "is no recipe of this study" if other not in study.recipes else "has a single seed here"
                yield Mistake(path, f"ensemble: the runs of all seeds are asked, and {other} {why}; leave `ensemble` out")
            elif other not in study.recipes and stage.beside_models == "none":
                yield Mistake(path, f"{other!r} is not a recipe{did_you_mean(other, recipes)}; recipes are {', '.join(recipes)}")
            elif way := _way(study, other, name):
                yield Mistake(path, f"goes in a circle: {name} needs {' needs '.join(way)}")


def _way(study: "Study", start: str, end: str) -> tuple[str, ...] | None:
    """The recipes from `start` to `end`, each of which needs the next; None where there is no way."""
    # A student that is cut from a recipe needs only what stands there before the first stage that learns.
    seen: set[tuple[str, bool]] = set()
    ways: list[tuple[tuple[str, ...], bool]] = [((start,), True)]
    while ways:
        way, whole = ways.pop()
        recipe = study.recipes.get(way[-1])
        if recipe is None or (way[-1], whole) in seen:
            continue
        if way[-1] == end and whole:
            return way
        seen.add((way[-1], whole))
        ways += [((*way, other), True) for stage in (recipe.stages if whole else recipe.unsupervised) for other in stage.beside()]
        if isinstance(recipe.base, LayersOf):
            ways.append(((*way, recipe.base.layers_of), False))
        if isinstance(recipe.base, EndOf):
            ways.append(((*way, recipe.base.end_of), True))
    return None


def _some(recipes: list[str], one: str = "starts", several: str = "start") -> str:
    if len(recipes) == 1:
        return f"the recipe {recipes[0]} {one}"
    return f"the recipes {', '.join(recipes[:3])}{', ...' if len(recipes) > 3 else ''} {several}"


def _recipe_contradictions(study: "Study", recipe: Recipe) -> Iterator[Mistake]:
    corpora = (*study.data.corpora_by_name(), *study.data.selections())
    if not recipe.stages:
        yield Mistake(
            (), f"has no stages; the shortest recipe is [{'finetune' if study.data.task is None or study.data.task.learned else 'score'}]"
        )
    random = recipe.base == RANDOM or isinstance(recipe.base, New)
    if recipe.draw and not random and not any(stage.draws() for stage in recipe.stages):
        yield Mistake(("draw",), "nothing in this recipe is drawn at random, so another draw is the same model")
    if recipe.is_baseline and [stage.word() for stage in recipe.stages] != [recipe.base]:
        yield Mistake((), f"{recipe.base} is a plain baseline and takes no stages")
    for place, stage in enumerate(recipe.stages):
        name = stage.word()
        path = ("stages", place, name)
        if name in study.table.baseline_names and name != recipe.base:
            yield Mistake(path, f"{name} is a base, not a step on the way: write {{base: {name}}}")
        elif stage.role == "answers" and place != len(recipe.stages) - 1:
            yield Mistake(path, f"{name} trains nothing: it answers the task, and is the last stage")
        yield from (Mistake((*path, *mistake.path), mistake.message) for mistake in _about(study, stage))
        for what in stage.reads():
            if what not in TASK_READS and what not in corpora and not what.startswith(LABELS_OF):
                known = (*corpora, *(["task"] if study.data.task is not None else []))
                among = f"those in `data` are {', '.join(known)}" if known else "`data` has none"
                yield Mistake((*path, "corpus"), f"there is no corpus {what!r}{did_you_mean(what, known)}; {among}")
        yield from (Mistake((*path, "corpus"), message) for message in _single_texts(study, stage))


def _single_texts(study: "Study", stage: Stage) -> Iterator[str]:
    """Corpora of single texts of which a stage takes the records for items of its task, where these have more than one."""
    task, corpora, selections = _task(study, stage.about()), study.data.corpora_by_name(), study.data.selections()
    for name in stage.unlabelled_items():
        have = corpora[name].texts if name in corpora else 1 if name in selections else None
        if task is None or have is None or task.texts() <= have:
            continue
        mend = (
            "what is chosen from others is chosen text by text"
            if name in selections
            else "name the column of the second with `text_b:` where the corpus is, or leave it out"
        )
        yield f"{name} holds single texts, and an item of {task.kind} has {task.texts()}; {mend}"


def _about(study: "Study", stage: Stage) -> Iterator[Mistake]:
    """The task that a stage is about must be there, and one that it can learn or answer."""
    about, tasks = stage.about(), tuple(study.data.tasks)
    if about is not None and about not in tasks:
        among = f"those in `data: tasks:` are {', '.join(tasks)}" if tasks else "`data` has no `tasks`"
        yield Mistake(("task",), f"there is no task {about!r}{did_you_mean(about, tasks)}; {among}")
    task = _task(study, about)
    if task is not None and stage.role in ABOUT_TASKS and not stage.takes(task):
        does = {"answers": "answer", "embeds": "learn vectors from"}.get(stage.role, "learn")
        ends = f"; {study.table.to_answer(task)}" if about is None and stage.role in ANSWERING else ""
        yield Mistake((), f"{stage.word()} does not {does} tasks of the kind {task.kind}{ends}")
