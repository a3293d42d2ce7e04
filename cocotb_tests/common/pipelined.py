"""Driver for units that take one item a cycle and answer a fixed number of cycles later."""

from collections.abc import Mapping, Sequence
from typing import Any

from cocotb.handle import HierarchyObject
from cocotb.triggers import RisingEdge

from rtl_gen.interfaces.packing import pack, unpack


async def run_pipeline(
    dut: HierarchyObject,
    inputs: Mapping[str, Any],
    outputs: Mapping[str, Any],
    latency: int,
    items: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Present one item a cycle, without gaps; the outputs of each, `latency` cycles after it.

    `inputs` and `outputs` map port names to shapes. Items are dicts of the input ports' values.
    Call it just after a clock edge. A unit that is a cycle early or late returns its neighbour's
    result.
    """
    edge = RisingEdge(dut.clk)
    results = []
    for cycle in range(len(items) + latency):
        if cycle < len(items):
            for port, shape in inputs.items():
                dut[port].value = pack(shape, items[cycle][port])
        await edge
        if cycle >= latency:
            results.append({p: unpack(shape, int(dut[p].value)) for p, shape in outputs.items()})
    return results
