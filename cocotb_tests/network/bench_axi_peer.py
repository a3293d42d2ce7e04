"""Bench of `Accelerator` alone, with the AXI RAM and the AXI4-Lite manager of cocotbext-axi.

Parameters: `config`; `image` and `memory`, paths of .npy files (memory before and after);
`memory_bytes`; `stall`, how often each channel pauses; `seed`; `limit_cycles`. Reports error code
and counters.
"""

import random

import cocotb
import numpy as np
from cocotbext.axi import AxiBus, AxiRam

from cocotb_tests.harness.bench import parameters, report, start
from cocotb_tests.harness.streams import random_pauses
from cocotb_tests.network.bench_system import Host

GUARD = 64
"""Bytes behind the program's memory that must stay as they are."""


@cocotb.test()
async def image_runs(dut):
    given = parameters()
    rng = random.Random(given["seed"])
    await start(dut, limit_cycles=given["limit_cycles"])
    ram = AxiRam(
        AxiBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, size=given["memory_bytes"] + GUARD
    )
    write, read = ram.write_if, ram.read_if
    channels = [write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel]
    host = Host(dut)
    for channel in channels + host.channels:
        pauses = random_pauses(given["stall"], rng.getrandbits(32))
        channel.set_pause_generator(pauses)
    image, guard = np.load(given["image"]), rng.randbytes(GUARD)
    ram.write(0, image.tobytes())
    ram.write(given["memory_bytes"], guard)
    await host.run(0, given["limit_cycles"])
    report(error=await host.read("error"), counters=await host.counters())
    assert ram.read(given["memory_bytes"], GUARD) == guard, "written beyond the stored tensors"
    assert ram.read(0, len(image)) == image.tobytes(), "written into the program"
    data = ram.read(0, given["memory_bytes"])
    np.save(given["memory"], np.frombuffer(data, np.uint8))
