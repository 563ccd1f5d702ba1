"""Fine-tuning as a script of one's own, after transformers' run_classification.py: dynamic padding, dev each epoch, the best one's test."""

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch
from datasets import load_dataset
from sklearn.metrics import f1_score
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    set_seed,
)


def freeze(model, train):
    """Leave the head (pooler and classifier) trainable, and so many of the top layers."""
    count = 0 if train == "head" else int(train)
    layers = model.base_model.encoder.layer
    for part in (model.base_model.embeddings, *layers[: len(layers) - count]):
        part.requires_grad_(False)


def scores(prediction):
    """Accuracy and macro-F1."""
    guessed = np.argmax(prediction.predictions, axis=-1)
    macro = f1_score(prediction.label_ids, guessed, average="macro", zero_division=0)
    return {"accuracy": float((guessed == prediction.label_ids).mean()), "macro_f1": float(macro)}


def main() -> None:
    """Fine-tune, evaluate, save."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("data", "model", "out", "train"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("epochs", "batch-size", "max-length", "head-layers", "seed"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--lr", type=float, required=True)
    parser.add_argument("--scratch", action="store_true")
    options = parser.parse_args()
    set_seed(options.seed)
    out = Path(options.out)
    files = {split: str(Path(options.data) / f"{split}.jsonl") for split in ("train", "dev", "test")}
    rows = load_dataset("json", data_files=files, cache_dir=str(out / "cache"))
    labels = sorted(set(rows["train"]["label"]))
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    config = AutoConfig.from_pretrained(options.model, num_labels=len(labels))
    if options.scratch:
        model = AutoModelForSequenceClassification.from_config(config)
    else:
        model = AutoModelForSequenceClassification.from_pretrained(options.model, config=config)
    if options.head_layers == 2:
        width = config.hidden_size
        model.classifier = torch.nn.Sequential(
            torch.nn.Linear(width, 256), torch.nn.GELU(), torch.nn.Dropout(0.1), torch.nn.Linear(256, len(labels))
        )
    if options.train != "all":
        freeze(model, options.train)

    def tokenised(examples):
        numbers = [labels.index(label) for label in examples["label"]]
        return {**tokenizer(examples["text"], truncation=True, max_length=options.max_length), "labels": numbers}

    rows = rows.map(tokenised, batched=True, remove_columns=["text", "label"])
    steps = options.epochs * math.ceil(len(rows["train"]) / options.batch_size)
    arguments = TrainingArguments(
        output_dir=str(out / "trainer"), num_train_epochs=options.epochs, per_device_train_batch_size=options.batch_size,
        per_device_eval_batch_size=64, learning_rate=options.lr, warmup_steps=math.ceil(0.1 * steps), weight_decay=0.01, seed=options.seed,
        eval_strategy="epoch", save_strategy="epoch", save_total_limit=1, save_only_model=True, load_best_model_at_end=True,
        metric_for_best_model="accuracy", report_to=[], dataloader_pin_memory=False,
    )  # fmt: skip
    trainer = Trainer(
        model, arguments, train_dataset=rows["train"], eval_dataset=rows["dev"], processing_class=tokenizer,
        data_collator=DataCollatorWithPadding(tokenizer), compute_metrics=scores,
    )  # fmt: skip
    trainer.train()
    (out / "test.json").write_text(json.dumps(trainer.predict(rows["test"]).metrics))
    trainer.save_model(str(out))


if __name__ == "__main__":
    main()
