"""The same language from Python: a study is a value, the YAML is nothing but these models.

Put texts of your own at reviews.jsonl and labelled/ beside this file. What is in memory is given instead (docs/python.md): with
`data={"domain": {}, "task": {}}`, call `run_study(..., task=frame, corpora={"domain": texts})`.
"""

from pathlib import Path

from acclimate import DataSettings, Finetune, Options, Pretrain, Recipe, Study, publish, run_study

here = Path(__file__).parent

study = Study(
    name="reviews",
    base="sentence-transformers/all-MiniLM-L6-v2",
    data=DataSettings.model_validate({"domain": "reviews.jsonl", "task": {"path": "labelled/"}}),
    seeds=3,
    recipes={
        "fine-tune": Recipe(stages=(Finetune(),)),
        "head only": Recipe(stages=(Finetune(train="head"),)),
        "DAPT": Recipe(stages=(Pretrain(tokens=1_000_000), Finetune())),
    },
)

if __name__ == "__main__":
    finished = run_study(study, here, Options(out=here / "results", store=here / ".acclimate", publish=publish))
    print(f"{finished.runs} runs, {finished.failed} failed; {finished.out} holds the report and the best model")
