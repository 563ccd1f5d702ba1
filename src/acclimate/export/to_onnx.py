"""A module of torch as a file of ONNX, and that in 8-bit integers; by torch.onnx, onnxscript and onnxruntime (the extra `onnx`)."""

import logging
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from acclimate.errors import ModelError, first_line
from acclimate.export import onnx_model
from acclimate.export.graph import Exportable

OPSET = 20
LARGEST = 2_000_000_000  # bytes of weights that stand in the graph itself: protobuf, of which it is made, holds 2 GiB


def write_onnx(exportable: Exportable, file: Path) -> None:
    """Write the graph with its weights, which stand beside it where it cannot hold them; batch and length of its inputs are free.

    Raises:
        ModelError: the exporter does not know an operator of this architecture.
    """
    module, inputs = exportable.module, exportable.inputs
    batch, length = torch.export.Dim("batch"), torch.export.Dim("length", max=exportable.positions)
    # Numbers that are told apart from 0 and 1, which the exporter takes for fixed ones.
    example = tuple(torch.ones((2, 8), dtype=torch.int64) for _ in inputs)
    try:
        with _quiet():
            program = torch.onnx.export(
                module, example, dynamo=True, opset_version=OPSET, input_names=list(inputs), output_names=["outputs"],
                dynamic_shapes=tuple({0: batch, 1: length} for _ in inputs), external_data=False, verbose=False,
            )  # fmt: skip
            assert program is not None
            # True: into one file, called as the graph with .data behind it.
            program.save(str(file), external_data=weight_bytes(module) > LARGEST)
    except Exception as error:  # of torch.export, torch.onnx or onnxscript, each of which has its own
        raise ModelError(_why(error, exportable)) from error


def weight_bytes(module: torch.nn.Module) -> int:
    """Bytes of all weights, as they are in memory."""
    return sum(parameter.numel() * parameter.element_size() for parameter in module.parameters())


def write_int8(model: Path, file: Path) -> None:
    """Write the model with weights in 8 bits; what goes through it is quantised as it comes (dynamic quantisation).

    Where the model's own weights stand beside the graph, so do these.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    beside = onnx_model.weights_beside(model)
    # Weights beside a graph stay where they are: the quantiser reads them once, and of a model in memory it would make copies.
    graph, plain = onnx.load(model, load_external_data=False), file.with_name(f"plain_{model.name}")
    # Shapes that the exporter has written down: up to onnxruntime 1.31 weights are turned round and theirs are not.
    del graph.graph.value_info[:]
    onnx.save(graph, plain)
    with _quiet():
        # Weights of 7 bits: on processors without VNNI sums of 8-bit products would overflow. A scale for each row costs next to nothing.
        quantize_dynamic(
            str(plain), str(file), weight_type=QuantType.QInt8, per_channel=True, reduce_range=True,
            use_external_data_format=beside.is_file(),
        )  # fmt: skip
    plain.unlink()
    if beside.is_file():
        shutil.copymode(beside, onnx_model.weights_beside(file))  # onnx lets nobody else read it


def _why(error: Exception, exportable: Exportable) -> str:
    found: BaseException = error
    while found.__cause__ is not None:  # the first of them names the operator
        found = found.__cause__
    kind = exportable.folder.family.model_type
    return (
        f"{exportable.folder.path}: torch.onnx cannot export this {kind} model: {type(found).__name__}: {first_line(found)[:300]}; "
        "serve it by acclimate, or export a model of another architecture (docs/export.md names those that were tried)"
    )


@contextmanager
def _quiet() -> Iterator[None]:
    # Exporter and quantiser tell their steps, and warn of what they do inside of torch.
    names = ("torch.onnx", "onnxscript", "onnx_ir", "root")
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
