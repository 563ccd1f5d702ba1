"""Text that no model could read stands in the report and on the card."""

from collections.abc import Callable
from typing import Any

from acclimate.report.results.finished import Results
from acclimate.report.tables.data_facts import data_facts

SCORES = {"fine-tune": {"all": [0.80, 0.81]}, "DAPT": {"all": [0.84, 0.85]}}
SHARES = {"unknown_share_train": 0.0, "unknown_share_dev": 0.0, "unknown_share_test": 0.203}


def stage(kind: str, *recipes: str, seed: int = 0, **more: Any) -> dict[str, Any]:
    """A stage as `study.json` tells it."""
    return {"key": f"{kind}-{seed}", "stage": kind, "recipes": list(recipes), "seed": seed, "status": "done", **more}


def unknown_grid(results: Results) -> Any:
    return next((grid for grid in data_facts(results).grids if grid.caption.startswith("Tokens that are unknown")), None)


def test_the_share_of_each_text_stands_by_the_recipes_that_read_it(results_of: Callable[..., Results]) -> None:
    stages = [
        stage("pretrain", "DAPT", metrics={"corpora": {"domain": {"unknown_share": 0.5}}}),
        stage("finetune", "DAPT", seed=0, metrics=SHARES),
        stage("finetune", "fine-tune", seed=0, metrics=SHARES),
        stage("finetune", "fine-tune", seed=1, metrics=SHARES | {"unknown_share_train": 0.02}),
    ]
    grid = unknown_grid(results_of(SCORES, stages=stages))
    assert grid.headings == ("recipes", "domain", "task train", "task dev", "task test")
    assert grid.rows == (("DAPT", "50.0 %", "0.0 %", "0.0 %", "20.3 %"), ("fine-tune", "–", "2.0 %", "0.0 %", "20.3 %"))


def test_nothing_is_said_where_everything_is_known(results_of: Callable[..., Results]) -> None:
    stages = [stage("finetune", "fine-tune", metrics=dict.fromkeys(SHARES, 0.0))]
    assert unknown_grid(results_of(SCORES, stages=stages)) is None
