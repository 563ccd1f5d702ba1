"""`python -m acclimate`, and `torchrun -m acclimate study FILE` for one training over several devices."""

from acclimate.cli import main

main()
