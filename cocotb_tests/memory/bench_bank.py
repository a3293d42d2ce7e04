"""Bench of `BankedMemory` of unsigned words. Parameters: banks, depth, bits, chunks, seed."""

import random

import cocotb
from amaranth.lib.data import ArrayLayout
from rtl_gen.memory.banked import BankedMemory

from cocotb_tests.common.pipelined import run_pipeline
from cocotb_tests.harness.bench import parameters, start
from cocotb_tests.harness.compare import assert_equal


@cocotb.test()
async def reads_what_was_written(dut):
    """Random writes of some chunks of one bank, and reads of all banks.

    The other banks are often read at the written word, which is undefined only in its own bank.
    """
    given = parameters()
    banks, depth, bits, chunks = (given[n] for n in ("banks", "depth", "bits", "chunks"))
    rng = random.Random(given["seed"])
    words = [[0] * depth for _ in range(banks)]
    every_chunk = (1 << chunks) - 1
    writes = [(1 << bank, word, every_chunk) for bank in range(banks) for word in range(depth)]
    for _ in range(400):
        bank = rng.choice([0, *(1 << bank for bank in range(banks))])
        writes.append((bank, rng.randrange(depth), rng.randrange(1 << chunks)))

    items, expected = [], []
    for index, (enable, word, enabled_chunks) in enumerate(writes):
        data = rng.getrandbits(bits)
        elsewhere = (word + rng.randrange(1, depth)) % depth
        addresses = [
            elsewhere if enable >> bank & 1 else rng.choice([word, rng.randrange(depth)])
            for bank in range(banks)
        ]
        items.append(
            {
                "write_enable": enable,
                "write_chunks": enabled_chunks,
                "write_address": word,
                "write_data": data,
                "address": addresses,
            }
        )
        if index >= banks * depth:
            expected.append([words[bank][address] for bank, address in enumerate(addresses)])
        size = bits // chunks
        written = sum(
            ((1 << size) - 1) << chunk * size
            for chunk in range(chunks)
            if enabled_chunks >> chunk & 1
        )
        for bank in range(banks):
            if enable >> bank & 1:
                words[bank][word] = words[bank][word] & ~written | data & written

    inputs = {
        "write_enable": banks,
        "write_chunks": chunks,
        "write_address": (depth - 1).bit_length(),
        "write_data": bits,
        "address": ArrayLayout(range(depth), banks),
    }
    await start(dut)
    dut.enable.value = 1
    results = await run_pipeline(
        dut, inputs, {"data": ArrayLayout(bits, banks)}, BankedMemory.LATENCY, items
    )
    assert_equal("data", [result["data"] for result in results[banks * depth :]], expected)
