"""What the training stages share: parameter groups, one call of the loop, numbers that must survive a resume."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from torch import nn

from acclimate.errors import SettingsError, StoreError, UnreadableError
from acclimate.evaluation.cost import training_flops
from acclimate.files import read_json, write_json
from acclimate.modeling.execution import Packed
from acclimate.modeling.families import dimensions_of
from acclimate.modeling.frozen import Divided
from acclimate.modeling.heads import layer_groups
from acclimate.stages.base import Context
from acclimate.training.checkpoint import Checkpoints
from acclimate.training.devices import Devices
from acclimate.training.loop import Group, Objective, Surroundings, TrainResult, TrainSettings, train
from acclimate.training.memory import free_bytes, micro_tokens
from acclimate.training.schedule import Shape

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Pace(Protocol):
    """The settings that every training stage has."""

    @property
    def warmup(self) -> float: ...
    @property
    def clip(self) -> float: ...


def train_in(
    context: Context,
    part: str,
    pace: Pace,
    model: nn.Module,
    micro: int,
    objective: Objective,
    groups: list[Group],
    evaluate: Callable[[nn.Module], dict[str, float]] | None,
    *,
    steps: int,
    lr: float,
    schedule: Shape,
    evaluate_every: int,
    patience: int | None,
    patience_from: int = 0,
) -> TrainResult:
    """Run the loop for one part of a stage, with its own checkpoints under the stage's work folder."""
    runtime = context.runtime
    settings = TrainSettings(
        title=context.title if part == "all" else f"{context.title} ({part} alone)",
        steps=steps,
        lr=lr,
        warmup=pace.warmup,
        shape=schedule,
        clip=pace.clip,
        seed=context.seed,
        micro_tokens=micro,
        evaluate_every=evaluate_every,
        patience=patience,
        patience_from=patience_from,
        checkpoint_seconds=runtime.checkpoint_seconds,
        model=_named(model),
        read_ahead=runtime.fast.read_ahead,
    )
    checkpoints = Checkpoints(context.work / part)
    log = runtime.log if part == "all" else None  # as in log.jsonl: the steps of two parts would run into each other
    around = Surroundings(runtime.devices, runtime.reporter, runtime.stop, log)
    return train(settings, objective, model, groups, evaluate, checkpoints, around)


def name_attention(context: Context, packed: Packed) -> None:
    """Say what computes attention on a GPU, and why nothing faster does; on a CPU there is one way."""
    devices = context.runtime.devices
    with devices.autocast():
        found = packed.train().attention
    if found is not None and devices.device.type != "cpu":
        context.runtime.reporter.say(f"{context.title}: attention by {found.name}" + (f" ({found.reason})" if found.reason else ""))


def forward_tokens(context: Context, model: "PreTrainedModel", masked_share: float = 0.0) -> int:
    """Tokens of the largest forward pass: what the user said, or what memory allows; a resume repeats the size it began with."""
    runtime = context.runtime
    if runtime.micro_tokens is not None:
        return runtime.micro_tokens
    device = runtime.devices.device
    trained = 4 * sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)

    def estimated() -> float:
        return micro_tokens(model.config.to_dict(), free_bytes(device) // runtime.sharing, device.type, trained, masked_share)

    return int(remembered(context.work / "micro.json", estimated, runtime.devices))


def _named(model: nn.Module) -> str:
    whole = model.whole if isinstance(model, Divided) else model
    return type(whole.model).__name__ if isinstance(whole, Packed) else type(whole).__name__


def checkpoint_activations(model: "PreTrainedModel") -> None:
    """Let the layers compute their activations again in the backward pass instead of keeping them (Chen et al. 2016).

    Raises:
        SettingsError: the architecture cannot.
    """
    if not model.supports_gradient_checkpointing:
        raise SettingsError(f"gradient_checkpointing: {model.config.model_type} cannot do it; lower max_length or --micro-tokens instead")
    # Renamed in newer versions of the library, where the old name warns.
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    enable({"use_reentrant": False})


def decayed(model: "PreTrainedModel", weight_decay: float, layer_decay: float = 1.0) -> list[Group]:
    """AdamW groups of the trainable parameters.

    Biases and norms have no weight decay; each layer down from the head has `layer_decay` times the learning rate of the one above
    (Howard & Ruder 2018; Clark et al. 2020).
    """
    groups = []
    for depth, layer in enumerate(layer_groups(model)):
        trainable = [parameter for parameter in layer if parameter.requires_grad]
        scale = layer_decay**depth
        groups.append(Group([p for p in trainable if p.ndim > 1], scale, weight_decay))
        groups.append(Group([p for p in trainable if p.ndim <= 1], scale, 0.0))
    assert sum(len(group.parameters) for group in groups) == sum(p.requires_grad for p in model.parameters())
    return groups


def remembered(path: Path, measure: Callable[[], float], devices: Devices) -> float:
    """A number that is measured once, also when the stage is stopped and goes on: kept beside the checkpoints."""
    found = _kept(path)
    devices.wait()  # or a slow peer would find what the main process has just written, and skip a measurement that needs all
    if found is not None:
        return found
    measured = measure()
    # The main process's word is everybody's: what each measures by itself (free memory, room on the disk) may differ.
    value = devices.sum(measured if devices.is_main else 0.0)
    if devices.is_main:
        write_json(path, {"value": value})
    return value


def _kept(path: Path) -> float | None:
    # A damaged note is measured anew: it never keeps a stage from going on.
    try:
        return float(read_json(path)["value"])
    except UnreadableError:
        raise
    except (StoreError, KeyError, TypeError, ValueError):
        return None


def flops_of(
    model: "PreTrainedModel",
    tokens: int,
    length: float,
    masked_share: float | None = None,
    trained_share: float = 1.0,
    frozen_tokens: int | None = None,
) -> float:
    """Training operations; the vocabulary product is counted at masked positions only, since only there it is computed."""
    sizes = dimensions_of(model.config.to_dict())
    embeddings = sum(p.numel() for p in model.get_input_embeddings().parameters())
    body = sum(p.numel() for p in model.parameters()) - embeddings
    return training_flops(
        parameters=body,
        tokens=tokens,
        layers=sizes.layers,
        hidden=sizes.width,
        length=length,
        head_parameters=embeddings if masked_share else 0,
        head_share=masked_share or 0.0,
        trained_share=trained_share,
        frozen_tokens=frozen_tokens,
    )
