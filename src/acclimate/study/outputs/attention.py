"""What a recipe's stages did to attention, for the report: computed from the store's models once, and kept beside them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.data.caches import made_once, seal_cache
from acclimate.errors import first_line
from acclimate.files import digest_json, read_json, write_json
from acclimate.modeling.base_files import CONFIG, VECTORS
from acclimate.modeling.families import dimensions_of, family_of
from acclimate.randomness import generator
from acclimate.study.outputs.best import Candidate, choose
from acclimate.study.outputs.outcomes import Outcomes
from acclimate.study.plan.graph import Node
from acclimate.study.store.entries import CACHE
from acclimate.study.store.whole import whole_model
from acclimate.tasks.task import Task
from acclimate.versions import version
from acclimate.wording import side_by_side

if TYPE_CHECKING:
    from acclimate.modeling.attention_maps import Item

RULES = 2  # raise it when the same models and texts would now give other numbers
TEXTS, SHOWN = 50, 24  # texts of dev that heads are compared over; tokens of the one whose maps are shown
FACTS, FILE = "facts.json", "attention.json"
CHANGING = ("changes", "pretrains", "embeds", "learns")  # roles of stages that leave another model behind


def recipe_attention(
    outcomes: Outcomes, task: Task, asked: bool | str, candidates: Sequence[Candidate]
) -> tuple[dict[str, Any] | None, list[str]]:
    """(what `attention_facts` tells of the models of a recipe, from its base to its end; why there is nothing to tell)

    The recipe is the one that was `asked` for, or else the best on dev of those with attention; of it the run with the median dev score.
    A failure of it ends no study.
    """
    if not asked:
        return None, []
    named = [each for each in candidates if asked in (True, each.recipe)]
    best = choose([each for each in named if _attends(each.model)])
    if best is None:
        what = "no recipe" if asked is True else f"“{asked}”"
        return None, [f"attention before and after is not shown: {what} has a finished run whose model is a transformer"]
    nodes = _models(outcomes, best)
    if len(nodes) < 2:
        return None, [f"attention before and after is not shown: of “{best.recipe}” earlier models are no longer in the store"]
    alike = _of_one_shape(outcomes, nodes)
    try:
        facts = _kept(outcomes, task, alike)
    except Exception as error:  # whatever it is, scores that took hours are worth more
        return None, [f"attention before and after is not shown: {first_line(error)}"]
    other = [name for node, name in zip(nodes, _names(nodes), strict=True) if node not in alike]
    left_out = [f"not shown, for layers and heads are as many only later: {side_by_side(other)}"] if other else []
    facts = facts | {"notes": [*facts["notes"], *left_out]}
    return {"recipe": best.recipe, "seed": best.seed, "labels": best.labels, **facts}, []


def _attends(model: Path) -> bool:
    return (model / CONFIG).is_file() and family_of(read_json(model / CONFIG)).supported


def _models(outcomes: Outcomes, best: Candidate) -> list[Node]:
    """What left a transformer of its own behind, from the base on, as far as the store still has it."""
    end = next(run.end for run in outcomes.plan.runs if (run.recipe, run.seed, run.labels) == (best.recipe, best.seed, best.labels))
    chain = [*reversed([*outcomes.plan.trunk(end)]), outcomes.plan.nodes[end]]
    changed = [node for node in chain if node.stage.role in ("start", *CHANGING)]
    return [node for node in changed if outcomes.store.has(node.key) and _attends(outcomes.store.path(node.key) / "model")]


def _of_one_shape(outcomes: Outcomes, nodes: list[Node]) -> list[Node]:
    """Those from which on layers and heads are as many as at the end, where these are several: heads are compared one by one, and a base
    of which some layers were taken has others."""
    shapes = [dimensions_of(read_json(outcomes.store.path(node.key) / "model" / CONFIG)) for node in nodes]
    alike = [(shape.layers, shape.heads) == (shapes[-1].layers, shapes[-1].heads) for shape in shapes]
    first = len(nodes) - alike[::-1].index(False) if False in alike else 0
    return nodes[first:] if len(nodes) - first > 1 else nodes


def _kept(outcomes: Outcomes, task: Task, nodes: Sequence[Node]) -> dict[str, Any]:
    decides = {
        "rules": RULES,
        "models": [node.key for node in nodes],
        "texts": task.dev.text_fingerprint,
        "libraries": {name: version(name) for name in ("torch", "transformers")},
    }
    key = digest_json(decides)
    folder = outcomes.store.root / CACHE / f"attention-{key[:16]}"

    def write(temporary: Path) -> None:
        write_json(temporary / FILE, _computed(outcomes, task, nodes))
        seal_cache(temporary, FACTS, {"key": key}, [FILE])

    made_once(folder, FACTS, lambda facts: facts.get("key") == key, write)
    found: dict[str, Any] = read_json(folder / FILE)
    return found


def _computed(outcomes: Outcomes, task: Task, nodes: Sequence[Node]) -> dict[str, Any]:
    from acclimate.evaluation.attention_facts import attention_facts
    from acclimate.evaluation.stated import texts_of
    from acclimate.modeling.attention_maps import AttentionReader
    from acclimate.modeling.folder import ModelFolder

    store = outcomes.store
    models = [ModelFolder(whole_model(store, store.path(node.key) / "model")) for node in nodes]
    readers = {name: AttentionReader(model) for name, model in zip(_names(nodes), models, strict=True)}
    # Where the model that comes out judges two texts together, all are shown how they read both.
    both = texts_of(models[-1].config) == 2 and VECTORS not in models[-1].config
    texts = _pairs(task) if both else [*dict.fromkeys(text for text in task.dev.documents() if text.strip())]
    chosen = sorted(generator(0, "attention").choice(len(texts), min(TEXTS, len(texts)), replace=False).tolist())
    sample = [texts[place] for place in chosen]
    first = next(iter(readers.values()))
    lengths = [len(first.pieces(text).ids) for text in sample]
    # The longest that can be shown whole; else the shortest, of which the beginning is.
    short = [place for place, length in enumerate(lengths) if length <= SHOWN]
    shown = max(short, key=lengths.__getitem__) if short else min(range(len(sample)), key=lengths.__getitem__)
    return attention_facts(readers, sample[shown], sample, SHOWN)


def _pairs(task: Task) -> "list[Item]":
    first, second = task.dev.inputs
    return [*dict.fromkeys(zip(first, second, strict=True))]


def _names(nodes: Sequence[Node]) -> list[str]:
    """What each model is called: the base, or after which stage; several of one title are counted."""
    titles = [node.stage.title() if node.stage.role == "start" else f"after {node.stage.title()}" for node in nodes]
    titles = [title.removeprefix("read the base ") for title in titles]
    return [f"{title} ({titles[: place + 1].count(title)})" if titles.count(title) > 1 else title for place, title in enumerate(titles)]
