"""Runs a compiled program on the RTL and checks its output rows against the golden model."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.runner import simulate
from model.layers import AttentionLayer, LayerTrace
from model.program import Program, unpack_rows
from rtl_gen.accelerator import Accelerator
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.command import ErrorCode

IDEAL_LATENCY = 1
"""Cycles from a read request to its first beat of the ideal memory."""


@dataclass(frozen=True)
class RtlRun:
    """What the accelerator left behind."""

    memory: np.ndarray
    counters: dict[str, int]
    error: ErrorCode
    live_count: int


def run_program(
    config: AcceleratorConfig,
    program: Program,
    *,
    simulator: str,
    start: int = 0,
    latency: int = IDEAL_LATENCY,
    stalls: float = 0.0,
    seed: int = 1,
) -> RtlRun:
    """Run `program` from address `start`; `stalls` is each stream's probability to pause in a cycle."""
    with tempfile.TemporaryDirectory() as folder:
        image, memory = Path(folder, "image.npy"), Path(folder, "memory.npy")
        np.save(image, program.image)
        result = simulate(
            Accelerator(config),
            name="accelerator",
            simulator=simulator,
            bench="cocotb_tests.accelerator.bench_accelerator",
            parameters={
                "image": str(image),
                "memory": str(memory),
                "program": start,
                "bus_bytes": config.bus_bytes,
                "latency": latency,
                "stalls": stalls,
                "seed": seed,
            },
            seed=seed,
        )
        values = result.values
        return RtlRun(
            memory=np.load(memory),
            counters=values["counters"],
            error=ErrorCode(values["error"]),
            live_count=values["live_count"],
        )


def check_outputs(
    config: AcceleratorConfig,
    program: Program,
    layers: Sequence[AttentionLayer],
    traces: Sequence[LayerTrace],
    run: RtlRun,
) -> int:
    """Compare every output row of every live token; returns the number of values compared.

    The rows of dropped tokens must still hold what the image had there.
    """
    assert run.error == ErrorCode.NONE, f"error code {run.error.name}"
    compared = 0
    for index, (layer, trace) in enumerate(zip(layers, traces, strict=True)):
        live = trace.live.numpy()[:, None]
        for head, golden in enumerate(trace.heads):
            where = (program.outputs[index][head], layer.tokens, layer.head_dim, config.width)
            before = unpack_rows(program.image, *where)
            after = unpack_rows(run.memory, *where)
            expected = np.where(live, golden.output.numpy(), before)
            assert_equal(f"layer {index} head {head} output", after, expected)
            compared += expected.size
    assert_equal("live tokens", run.live_count, int(traces[-1].survivors.sum()))
    return compared
