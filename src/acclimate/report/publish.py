"""What people read from a finished study, written at its end and whenever it is asked for again."""

from pathlib import Path

from acclimate.report.pages.card import write_cards
from acclimate.report.pages.page import write_report


def publish(folder: Path) -> Path:
    """Write the report of a study's output folder, with the cards of the models that it hands over; returns the report.

    Raises:
        StoreError: the folder does not hold the results of a study, or they are damaged.
    """
    write_cards(folder)
    return write_report(folder)
