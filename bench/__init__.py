"""Benchmarks of acclimate side by side with the tools that people use instead: `python -m bench`, or `make bench`."""

import os

# Read once, when the libraries are imported; processes that a row starts inherit them.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
