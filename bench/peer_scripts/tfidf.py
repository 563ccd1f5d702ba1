"""tf-idf and logistic regression as a script of one's own, its strength chosen on dev."""

import argparse
import json
from pathlib import Path

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression


def main() -> None:
    """Fit, choose, evaluate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args()
    splits = {}
    for split in ("train", "dev", "test"):
        rows = [json.loads(line) for line in (options.data / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()]
        splits[split] = ([row["text"] for row in rows], [row["label"] for row in rows])
    tried = []
    for strength in (0.1, 1.0, 10.0, 100.0, 1000.0):
        vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b", max_features=200_000)
        model = LogisticRegression(C=strength, max_iter=2000).fit(vectorizer.fit_transform(splits["train"][0]), splits["train"][1])
        tried.append((model.score(vectorizer.transform(splits["dev"][0]), splits["dev"][1]), strength, vectorizer, model))
    _, strength, vectorizer, model = max(tried, key=lambda entry: entry[0])
    accuracy = model.score(vectorizer.transform(splits["test"][0]), splits["test"][1])
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "test.json").write_text(json.dumps({"strength": strength, "accuracy": accuracy}))


if __name__ == "__main__":
    main()
