"""The model card of what a study hands over: a README.md beside the weights that the Hugging Face hub and people can read.

It stands with the report rather than with the study, because it is the same thing: a function of the result files, in the report's words,
and needs the verdicts and what is said of them. So `acclimate report` writes it again, too.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from acclimate.data.mixture import shares
from acclimate.data.windows import usual_stride
from acclimate.evaluation.pooling import POOLS
from acclimate.files import read_json, write_text
from acclimate.inert import one_line
from acclimate.modeling.base_files import CONFIG, HALVES, MAX_LENGTH, POOL, STRIDE, TEMPLATE, THRESHOLDS, VECTORS, is_tagger
from acclimate.modeling.families import family_of
from acclimate.modeling.hypotheses import Hypotheses
from acclimate.modeling.label_prompt import LabelPrompt
from acclimate.modeling.label_words import Cloze
from acclimate.modeling.links import PROBLEM_TYPE
from acclimate.report.pages import cloze_use, decoder_use, long_text_use, markdown, prompt_use, vectors_use, zero_shot_use
from acclimate.report.pages.front_matter import front_matter, hub_scores
from acclimate.report.pages.markdown import bullets, escaped, named, plain
from acclimate.report.results.chain import Chain
from acclimate.report.results.facts import StageFact
from acclimate.report.results.finished import Results
from acclimate.report.results.kind_facts import CardFacts, counted
from acclimate.report.results.searches import searches
from acclimate.report.results.speeds import batch_of
from acclimate.report.tables.comparison import markdown_table, table_rows
from acclimate.report.tables.data_facts import data_facts
from acclimate.report.words.cautions import limits
from acclimate.report.words.sentences import recipe_sentences
from acclimate.report.words.text import amount, duration, labels_of, listing, moment, percent, score, size, with_labels
from acclimate.study.outputs.best import loads_plainly

NAME = "README.md"
HANDED_OVER = ("best", "best_transformer")
ROUNDED = (
    "Its weights are {dtype}, as those of its base are; scores and costs here are those of the float32 weights that these were rounded "
    "from."
)
SETTINGS_LEFT_OUT = frozenset(("stage", "digest", "corpus", "random"))  # said in words


def write_cards(folder: Path) -> tuple[Path, ...]:
    """Write the cards of the models that a study's output folder holds; returns their paths.

    Raises:
        SettingsError: the folder does not hold the results of a study.
    """
    results = Results.load(folder)
    best: Mapping[str, Any] = results.study.get("best") or {}
    written = []
    for name, chosen in zip(HANDED_OVER, (best, best.get("transformer")), strict=True):
        if chosen and (folder / name / "config.json").is_file():
            chain = Chain.of(results, str(chosen["recipe"]), int(chosen["seed"]), str(best["labels"]))
            if chain is not None:
                written.append(write_card(folder / name, chain, name))
    return tuple(written)


def write_card(model: Path, chain: Chain, role: str = "") -> Path:
    """Write the card into a model's folder; `role` is its name in a study's output folder, empty for a model that was made alone."""
    config = read_json(model / CONFIG)
    length, hypotheses = config.get(MAX_LENGTH), Hypotheses.read(config, str(model / CONFIG))
    length = length if isinstance(length, int) else None
    if hypotheses is not None:
        chain = _used(chain, zero_shot_use.told_of(hypotheses, length))
    elif LabelPrompt.read(config, str(model / CONFIG)) is not None:
        chain = _used(chain, prompt_use.told_of(config[TEMPLATE], length))
    elif Cloze.read(config, str(model / CONFIG)) is not None:
        chain = _used(chain, cloze_use.told_of(config[TEMPLATE], length))
    elif family_of(config).decoder and not chain.results.kind.labelled:
        chain = _used(chain, decoder_use.TOLD)
    elif family_of(config).decoder and is_tagger(config):
        chain = _used(chain, decoder_use.TAGS)
    elif isinstance(config.get(VECTORS), dict) or config.get("model_type") in vectors_use.RANKINGS:
        chain = _used(chain, vectors_use.told_of(config, chain.results.kind.card.own_use))
    elif config.get(POOL) in POOLS and length is not None:
        problem = config.get(PROBLEM_TYPE) or "single_label_classification"
        chain = _used(chain, long_text_use.told_of(config[POOL], int(config.get(STRIDE, usual_stride(length))), length, problem))
    if config.get("dtype") in HALVES.values():
        chain = _used(chain, {"limits": [*chain.results.kind.card.limits, ROUNDED.format(dtype=config["dtype"])]})
    write_text(model / NAME, card(chain, loads_plainly(model), length, role, THRESHOLDS in config))
    return model / NAME


def _used(chain: Chain, told: Mapping[str, Any]) -> Chain:
    """The chain as if its kind of task were one whose models are used in another way than usual."""
    study = chain.results.study
    told = {**study.get("card", {}), **told}
    return replace(chain, results=replace(chain.results, study={**study, "card": told}))


def card(chain: Chain, plain_model: bool, length: int | None = None, role: str = "", tuned: bool = False) -> str:
    """The card as text: metadata, then Markdown.

    `plain_model`: whether plain transformers loads it; `length`: the tokens to which it cuts a text; `tuned`: whether it
    answers by thresholds that dev chose.
    """
    study, recipe = str(chain.results.study.get("name") or "study"), chain.run.recipe
    title = study if study == recipe else f"{study}: {recipe}"
    parts = [
        f"# {plain(title)}",
        _introduction(chain, role),
        _use(plain_model, length, chain.results.kind.card, tuned),
        _history(chain),
        _data(chain),
        _scores(chain),
        _cost(chain),
        f"## Limits\n\n{bullets(limits(chain))}",
        _again(chain),
    ]
    metadata = front_matter(chain, title, plain_model).to_yaml()
    return f"---\n{metadata}\n---\n\n" + "\n\n".join(part for part in parts if part) + "\n"


def _introduction(chain: Chain, role: str) -> str:
    results, run = chain.results, chain.run
    labels = results.names
    shown = ", ".join(named(label) for label in labels[:20]) + (f" and {len(labels) - 20} more" if len(labels) > 20 else "")
    what = f"A model that {plain(counted(results.kind.card.does, labels))}" + (f" ({shown})." if labels and results.kind.labelled else ".")
    made = f"It was made with acclimate {plain(str(results.study.get('version', '')))}"
    if not role:
        return f"{what} {made} by fine-tuning once, with seed {run.seed}."
    seeds = len(results.values(run.recipe, run.labels, results.metric))
    metric = results.score.words
    among = f"the best of {len(results.recipes)} recipes by {metric} on the dev set"
    if role == "best_transformer":
        among = f"the best on the dev set of those recipes that plain transformers can load ({metric})"
    which = f"seed {run.seed}, the one with the median dev score of {seeds}" if seeds > 1 else f"seed {run.seed}"
    return f"{what} {made}: the recipe {named(run.recipe)} is {among}, and this is its run with {which}. The test set chose nothing."


def _use(plain_model: bool, length: int | None, told: CardFacts, tuned: bool) -> str:
    usual, by_thresholds = (told.plain_use, told.tuned_plain_use) if plain_model else (told.own_use, told.tuned_own_use)
    code = (by_thresholds if tuned and by_thresholds else usual).replace("{cut}", "" if length is None else f", max_length={length}")
    why = "" if plain_model else "Plain transformers cannot load this model; acclimate does."
    command = markdown.block(told.whole_use, "sh")
    whole = f"A whole file, with FOLDER for the path of this folder:\n\n{command}"
    return "\n\n".join(part for part in ("## How to use it", why, markdown.block(code, "python") if code else "", whole) if part)


def _history(chain: Chain) -> str:
    steps = [line for stage in chain.stages if (line := _step(chain, stage))]
    if not steps:
        return ""
    numbered = "\n".join(f"{number}. {line}" for number, line in enumerate(steps, 1))
    budget = "" if chain.run.labels == "all" or chain.without_labels else f" {with_labels(chain.run.labels).capitalize()}."
    notes = dict.fromkeys(f"{plain(note[:1].upper() + note[1:])}." for stage in chain.stages for note in stage.notes)
    return "\n\n".join(("## How it was made", numbered, " ".join((f"Seed {chain.run.seed}.{budget}", *notes))))


def _step(chain: Chain, stage: StageFact) -> str:
    if stage.role == "start":
        base = chain.base or {}
        if stage.settings.get("shape"):
            return f"a new model with random weights ({plain(str(base.get('name', 'random')))})"
        parameters = f", {amount(base['parameters'])} parameters" if base.get("parameters") else ""
        origin = f"{named(str(base.get('name', 'a pretrained model')))} ({plain(str(base.get('model_type', 'transformer')))}{parameters})"
        return f"architecture and tokenizer of {origin}, with random weights" if chain.random else f"the base {origin}"
    corpus = stage.settings.get("corpus")
    epoch = " an epoch" if stage in chain.pretrainings else ""  # elsewhere it is a weight
    parts = [named(name) + ("" if share == 1 else f" ({share:g} times{epoch})") for name, share in shares(corpus).items()] if corpus else []
    on = f" on {listing(parts)}" if parts else ""
    found: Mapping[str, float] = stage.metrics.get("found") or {}
    shown = {
        name: value for name, value in _as_found(stage.settings, found).items() if name not in SETTINGS_LEFT_OUT and value not in (None, [])
    }
    settings = ", ".join(f"{plain(name)} {plain(_value(value))}" for name, value in shown.items())
    beside = f", beside {listing([named(recipe) for recipe in stage.beside])}" if stage.beside else ""
    search = next((each for each in searches(chain.results) if each.stage.key == stage.search), None)
    tried = f"; {plain(listing([*found]))} found in {len(search.trials)} trials, by dev" if search is not None else ""
    return f"**{plain(stage.stage)}**{on}{beside}" + (f": {settings}" if settings else "") + tried


def _as_found(settings: Mapping[str, Any], found: Mapping[str, float]) -> Mapping[str, Any]:
    """The settings with the values that were found in place of the searches for them."""
    used = dict(settings)
    for name, value in found.items():
        # The longest, for a label that has dots of its own.
        outer = max((each for each in used if name == each or name.startswith(f"{each}.")), key=len, default=name)
        used[outer] = value if outer == name else _as_found(used[outer], {name[len(outer) + 1 :]: value})
    return used


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _data(chain: Chain) -> str:
    facts = data_facts(_read_by(chain))
    parts = [*(markdown.grid(grid) for grid in facts.grids)]
    lines = [(what, value) for what, value in facts.lines if value != "0"]
    if lines:
        parts.append(bullets(f"{plain(what)}: {plain(value)}" for what, value in lines))
    budget = chain.run.labels
    if chain.without_labels:
        parts.insert(0, "This model has learned from none of these labels: dev chose among the recipes, and test judges.")
    elif budget != "all":
        parts.insert(0, f"Of the training split this model saw {plain(labels_of(budget))}, and of dev at most as many.")
    return "## Data\n\n" + "\n\n".join(parts) if parts else ""


def _read_by(chain: Chain) -> Results:
    """The results with the data that this model read: the study may have had more."""
    data: Mapping[str, Any] = chain.results.study.get("data") or {}
    corpora = {name: facts for name, facts in (data.get("corpora") or {}).items() if name in chain.read}
    tasks = {name: facts for name, facts in (data.get("tasks") or {}).items() if name in chain.tasks}
    task = data.get("task")
    if task and "task" not in chain.read:
        task = {**task, "unlabeled": None}
    return replace(
        chain.results,
        study={**chain.results.study, "data": {**data, "task": task, "tasks": tasks, "corpora": corpora}},
        stages=chain.stages,
    )


def _scores(chain: Chain) -> str:
    results, run = chain.results, chain.run
    rows = []
    judge = results.metric.removeprefix("test_")
    for metric, known in {judge: results.score, **hub_scores(chain)}.items():
        own, values = run.values.get(f"test_{metric}"), results.values(run.recipe, run.labels, f"test_{metric}")
        if own is not None:
            mean = f"{score(sum(values) / len(values))} ({score(min(values))} to {score(max(values))})" if len(values) > 1 else "–"
            rows.append((known.words, score(own), mean))
    seeds = len(results.values(run.recipe, run.labels, results.metric))
    own_table = markdown.table(("on the test set", "this model", f"mean of {seeds} seeds (lowest to highest)"), rows)
    parts = ["## Scores", own_table]
    if len(results.recipes) > 1:
        said = [each for each in recipe_sentences(results, run.labels) if each.recipe == run.recipe]
        parts += [escaped(f"{each.sentence} {each.advice}".strip()) for each in said]
        if len(table_rows(results)) > 1:
            parts += [
                f"All recipes of the study, differences to the reference {named(results.reference)}:",
                markdown_table(results).strip(),
            ]
    else:
        parts.append("It was compared with nothing, so whether another way would do better is not known.")
    return "\n\n".join(parts)


def _cost(chain: Chain) -> str:
    values = chain.run.values
    trained, whole = values.get("trained_parameters"), values.get("parameters")
    share = f" ({percent(trained / whole)} trained last)" if trained and whole and trained < whole else ""
    speed, latency, batches = (values.get(name) for name in ("inference_texts_per_second", "latency_seconds", "batch_texts_per_second"))
    known = (
        ("time, the whole chain of stages", duration(values.get("seconds"))),
        ("tokens in training", amount(values.get("tokens"))),
        ("floating-point operations of training", amount(values.get("flops"))),
        ("highest memory use", size(values.get("peak_memory_bytes"))),
        ("parameters", amount(whole) + share),
        ("size on disk", size(values.get("disk_bytes"))),
        (f"inference, {chain.results.kind.items} a second", "–" if speed is None else f"{speed:,.0f}"),
        (f"time for one {chain.results.kind.item} alone, median", "–" if latency is None else moment(latency)),
        (f"{chain.results.kind.items} a second in batches of {batch_of(chain.results)}", "–" if batches is None else f"{batches:,.0f}"),
    )
    rows = [row for row in known if row[1] != "–"]
    machine: Mapping[str, Any] = chain.results.study.get("machine") or {}
    card = f" and {plain(str(machine['gpu']))}" if machine.get("gpu") else ""
    where = f", on {plain(str(machine['system']))} with {plain(str(machine.get('cpus', '?')))} CPUs{card}" if machine.get("system") else ""
    return f"## Cost\n\nOf this run{where}:\n\n{markdown.table(('what', 'how much'), rows)}" if rows else ""


def _again(chain: Chain) -> str:
    study = chain.results.study
    parts = ["## To repeat it"]
    if study.get("command"):
        parts.append(markdown.block(one_line(str(study["command"])), "sh"))
    versions = ", ".join(f"{plain(str(name))} {plain(str(version))}" for name, version in (study.get("versions") or {}).items())
    if versions:
        parts.append(f"Versions: {versions}.")
    return "\n\n".join(parts) if len(parts) > 1 else ""
