"""Continued pretraining as a script of one's own, after transformers' run_mlm.py: texts joined into blocks or line by line, the Trainer."""

import argparse
import math
from itertools import chain
from pathlib import Path

from datasets import load_dataset
from transformers import (
    AutoModelForMaskedLM,
    AutoTokenizer,
    DataCollatorForLanguageModeling,
    Trainer,
    TrainingArguments,
    set_seed,
)


def main() -> None:
    """Pretrain and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("data", "corpus", "model", "out"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("steps", "block", "batch-tokens", "seed"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--line-by-line", action="store_true")
    options = parser.parse_args()
    set_seed(options.seed)
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    model = AutoModelForMaskedLM.from_pretrained(options.model)
    out = Path(options.out)
    file = str(Path(options.data) / f"{options.corpus}.txt")
    rows = load_dataset("text", data_files={"train": file}, split="train", cache_dir=str(out / "cache"))

    def tokenised(examples):
        return tokenizer(examples["text"], return_special_tokens_mask=True, truncation=options.line_by_line, max_length=options.block)

    def joined(examples):
        streams = {name: list(chain(*examples[name])) for name in examples}
        total = len(streams["input_ids"]) // options.block * options.block
        return {name: [stream[i : i + options.block] for i in range(0, total, options.block)] for name, stream in streams.items()}

    rows = rows.map(tokenised, batched=True, remove_columns=["text"])
    if not options.line_by_line:
        rows = rows.map(joined, batched=True)
    tokens = sum(len(ids) for ids in rows["input_ids"])
    batch = max(1, round(options.batch_tokens * len(rows) / tokens))
    parts = rows.train_test_split(test_size=max(1, round(0.02 * len(rows))), seed=options.seed)
    arguments = TrainingArguments(
        output_dir=str(out / "trainer"), max_steps=options.steps, per_device_train_batch_size=batch, learning_rate=3e-4,
        lr_scheduler_type="cosine", warmup_steps=math.ceil(0.06 * options.steps), weight_decay=0.01, seed=options.seed, save_strategy="no",
        eval_strategy="no", report_to=[], dataloader_pin_memory=False,
    )  # fmt: skip
    trainer = Trainer(
        model, arguments, train_dataset=parts["train"], eval_dataset=parts["test"], processing_class=tokenizer,
        data_collator=DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15),
    )  # fmt: skip
    trainer.train()
    trainer.evaluate()
    trainer.save_model(str(out))


if __name__ == "__main__":
    main()
