"""Options and arguments that several verbs share."""

from pathlib import Path
from typing import Annotated, Any

import typer

from acclimate.cli import live, show
from acclimate.training.precision import Precision

MOST = 1024  # threads or processes: more than a machine has that this runs on

StudyFile = Annotated[Path, typer.Argument(help="The study file (YAML).", show_default=False)]
OutOption = Annotated[Path | None, typer.Option("--out", help="Where results go. Default: results/NAME beside the study file.")]
_WHERE = "Where artifacts are kept: a folder, or a bucket that machines share, s3://BUCKET/PREFIX."
StoreOption = Annotated[str | None, typer.Option("--store", help=f"{_WHERE} Default: .acclimate beside the study file.")]
SingleStoreOption = Annotated[str, typer.Option("--store", help=_WHERE)]
SmokeOption = Annotated[bool, typer.Option("--smoke", help="Run every stage on a sliver of the data, to see that it works.")]
ThreadsOption = Annotated[int | None, typer.Option("--threads", min=1, max=MOST, help="CPU threads of a process. Default: all.")]
PrecisionOption = Annotated[
    Precision,
    typer.Option("--precision", help="auto: bf16 where the device has units for it. Part of what artifacts are kept under."),
]
MicroOption = Annotated[
    int | None, typer.Option("--micro-tokens", min=8, max=2**24, help="Tokens per forward pass; default what memory allows.")
]
CheckpointOption = Annotated[float, typer.Option("--checkpoint-seconds", min=0, max=1e9, help="Seconds between saves of a running stage.")]
EngineOption = Annotated[str, typer.Option("--engine", help="local (a process a device), inline (all in this process) or ray (a cluster).")]
AddressOption = Annotated[
    str | None, typer.Option("--address", help="The Ray cluster, HOST:PORT. Default: the one that this machine belongs to.")
]
GpusOption = Annotated[
    float | None, typer.Option("--gpus", help="With --engine ray: what a stage takes of a GPU; 0.5 lets two share one. Default: 1.")
]
DevicesOption = Annotated[
    int | None,
    typer.Option(
        "--devices", min=1, max=MOST, help="With --engine ray: processes that train a stage together, each with a GPU or --threads."
    ),
]
FsdpOption = Annotated[
    bool,
    typer.Option("--fsdp", help="Processes that train together (torchrun, --devices) divide weights, gradients and moments among them."),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers", min=1, max=MOST, help="Stages done at the same time. Default: one a GPU, or one; on a CPU they share its threads."
    ),
]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="A setting of the stage, e.g. --set lr=3e-5; may be repeated.")]
CodeOption = Annotated[
    bool,
    typer.Option("--allow-code", help="Run code of one's own that is named (loss: module:function). Read it first: it may do anything."),
]
TrackOption = Annotated[
    list[str] | None,
    typer.Option("--track", help="Also log training to tensorboard, trackio, mlflow or wandb; may be repeated, or a list with commas."),
]


def shown() -> dict[str, Any]:
    """How a run shows itself while it works."""
    return {"say": show.say, "live": live.live if live.wanted() else None}
