"""How a running study stands, in words: of the whole, and of each stage. A terminal and a page say the same."""

import time
from typing import TYPE_CHECKING

from acclimate.inert import one_line
from acclimate.report.words.text import curve_name, duration

if TYPE_CHECKING:
    from acclimate.study.watch.status import StageStatus, Status

QUIET = 15.0  # seconds without a new file after which that is said
# state -> (sign, the same in ASCII, colour); each is shown with its word, so neither sign nor colour must be known or seen.
SIGNS = {
    "running": ("▶", ">", "bold cyan"),
    "failed": ("✗", "x", "bold red"),
    "interrupted": ("‖", "!", "yellow"),
    "skipped": ("⊘", "-", "red"),
    "waiting": ("○", ".", "dim"),
    "done": ("✓", "+", "green"),
    "cached": ("≡", "=", "green"),
    "not needed": ("·", " ", "dim"),
}


def summary(status: "Status") -> list[str]:
    """How many stages are done, how long it has taken and how long it will."""
    if status.state == "preparing":
        return [f"{one_line(status.study)}: preparing (reading the data, making the plan)  {duration(status.updated - status.started)}"]
    counts = status.counts()
    done = counts["done"] + counts["cached"]
    total = len(status.stages) - counts["not needed"]
    parts = [f"{done} of {total} stages done"]
    parts += [f"{counts['cached']} of them cached"] if counts["cached"] else []
    parts += [f"{counts[state]} {state}" for state in ("running", "waiting", "failed", "skipped", "interrupted") if counts[state]]
    took = f"{duration(status.updated - status.started)} so far"
    left = f"about {duration(status.seconds_left)} left" if status.seconds_left is not None else "estimating the time left"
    return [f"{one_line(status.study)}: {', '.join(parts)}", took if status.over else f"{took}, {left}"]


def stage_facts(stage: "StageStatus") -> str:
    """What is known of a stage besides its title."""
    if stage.error and stage.state == "failed":
        return one_line(stage.error)
    progress = stage.progress
    if stage.state != "running" or progress is None:
        return duration(stage.seconds) if stage.seconds is not None else ""
    part = progress.what.removeprefix(stage.title).strip(" :()")
    facts = [f"{part or 'step'} {progress.step}/{progress.steps}"]
    facts += [f"loss {progress.loss:.4f}"] if progress.loss is not None else []
    facts += [f"{curve_name(name)} {points[-1][1]:.4f}" for name, points in stage.curves.items() if name != "loss"]
    facts += [f"{progress.tokens_per_second:,.0f} tokens/s"] if progress.tokens_per_second else []
    facts += [f"{duration(progress.seconds_left)} left"] if progress.seconds_left is not None else []
    return "  ".join(facts)


def ending(status: "Status", ended: bool) -> str:
    """How it ended, or that it has long been silent; "" while it runs."""
    again = "the same command continues"
    match status.state:
        case "finished":
            failed = " (the report says why some runs failed)" if status.exit_code else ""
            return f"finished{failed}"
        case "interrupted":
            return f"interrupted; {again}"
        case "failed":
            return f"failed: {one_line(status.error)}"
    assert status.process is not None
    silent = max(0.0, time.time() - status.updated)
    where = f"process {status.process.pid} on {status.process.host}"
    if ended:
        return f"died without finishing: {where} is gone, last heard of {duration(silent)} ago; what was complete is kept, and {again}"
    return f"not heard of for {duration(silent)} ({where}); suspended?" if silent > QUIET else ""
