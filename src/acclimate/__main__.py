"""`python -m acclimate`, and `torchrun -m acclimate study FILE` for one training over several devices."""

import os
import sys

import acclimate

# `python -m` looks for modules in the current folder first, where somebody else's study may stand beside a `torch.py`. The command
# `acclimate` does not. Where acclimate itself is run from there, it stays.
ours = os.path.dirname(os.path.dirname(os.path.realpath(acclimate.__file__)))
if not sys.flags.safe_path and sys.path and os.path.realpath(sys.path[0]) == os.getcwd() != ours:
    del sys.path[0]

from acclimate.cli import main  # noqa: E402

main()
