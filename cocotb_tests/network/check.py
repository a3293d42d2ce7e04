"""Compares what a program stored with the golden model, every value of every live token."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.network.run import RtlRun
from model.integer.attention_layers import AttentionLayer, AttentionLayerTrace
from model.program.memory_image import Image
from rtl_gen.interfaces.program import ErrorCode

Pair = tuple[str, np.ndarray, np.ndarray]
"""A tensor's name, what the hardware stored, what the golden model expects."""


@dataclass(frozen=True)
class Comparison:
    """How many values were compared and how many differ."""

    compared: int
    mismatches: int


def compare(pairs: Iterator[Pair]) -> Comparison:
    """Count values and differences."""
    compared = mismatches = 0
    for _, actual, expected in pairs:
        compared += expected.size
        mismatches += int((actual != expected).sum())
    return Comparison(compared, mismatches)


def check(pairs: Iterator[Pair], run: RtlRun) -> int:
    """Fail on the first difference; returns the number of values compared."""
    assert run.error == ErrorCode.NONE, f"error code {run.error.name}"
    compared = 0
    for name, actual, expected in pairs:
        assert_equal(name, actual, expected)
        compared += expected.size
    return compared


def layer_pairs(
    image: Image,
    layers: Sequence[AttentionLayer],
    traces: Sequence[AttentionLayerTrace],
    run: RtlRun,
) -> Iterator[Pair]:
    """Outputs and survivors of attention layers."""
    for tensor in image.stored:
        actual = image.read(run.memory, tensor)
        if tensor.name == "survivors":
            yield tensor.name, actual, traces[-1].survivors.numpy()
            continue
        index = int(tensor.name.split(".")[1])
        layer, trace = layers[index], traces[index]
        live = trace.live.numpy()
        heads = actual.reshape(layer.tokens, layer.heads, -1)[..., : layer.head_dim]
        expected = np.stack([head.output.numpy() for head in trace.heads], axis=1)
        yield tensor.name, heads[live], expected[live]


def network_pairs(image: Image, trace: Mapping[str, Tensor], run: RtlRun) -> Iterator[Pair]:
    """Every stored tensor of a whole network; `trace` is that of a picture for every core."""
    for tensor in image.stored:
        actual = image.read(run.memory, tensor)
        of_core = {name: values[tensor.core] for name, values in trace.items()}
        expected, live = golden_of(tensor.name, of_core)
        if live is not None:
            actual, expected = actual[live], expected[live]
        yield tensor.name, actual, expected


def check_layers(
    image: Image,
    layers: Sequence[AttentionLayer],
    traces: Sequence[AttentionLayerTrace],
    run: RtlRun,
) -> int:
    """`check` of `layer_pairs`."""
    return check(layer_pairs(image, layers, traces, run), run)


def check_network(image: Image, trace: Mapping[str, Tensor], run: RtlRun) -> int:
    """`check` of `network_pairs`."""
    return check(network_pairs(image, trace, run), run)


def golden_of(name: str, trace: Mapping[str, Tensor]) -> tuple[np.ndarray, np.ndarray | None]:
    """The expected tensor, and which of its rows count (None: all)."""
    parts = name.split(".")
    if parts[-1].isdigit():
        tensor = trace[".".join(parts[:-1])][int(parts[-1])]
        return tensor.numpy(), _rows(trace, parts, "live")
    if parts[0] != "layers":
        expected = trace[name].numpy()
        if expected.ndim == 1:
            return expected[None], None
        return expected, _survivors(trace) if parts[0] == "mean" else None
    if parts[2] in ("importance", "survivors"):
        return trace[name].numpy(), None
    before_pruning = parts[2] in ("norm1", "attention")
    rows = _rows(trace, parts, "live" if before_pruning else "survivors")
    return trace[name].numpy(), rows


def _survivors(trace: Mapping[str, Tensor]) -> np.ndarray:
    """Tokens that leave the last layer."""
    last = [tensor for name, tensor in trace.items() if name.endswith(".survivors")][-1]
    return last.numpy()


def _rows(trace: Mapping[str, Tensor], parts: Sequence[str], which: str) -> np.ndarray:
    return trace[f"layers.{parts[1]}.{which}"].numpy()
