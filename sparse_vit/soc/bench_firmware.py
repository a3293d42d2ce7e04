"""Bench of the system: lets the processor run its firmware and listens to the UART.

Parameters: `latency` of the memory in cycles, `limit_cycles`.
Reports `printed`, the text up to the character EOT, and whether it `ended` within the limit.
"""

from contextlib import suppress

import cocotb
from cocotb.triggers import ReadOnly, RisingEdge, SimTimeoutError, with_timeout

from cocotb_tests.harness.bench import CLOCK_PERIOD_NS, parameters, report, start

EOT = "\4"


@cocotb.test()
async def firmware_runs(dut):
    given, printed = parameters(), ""
    await start(dut, limit_cycles=2 * given["limit_cycles"])
    dut.latency.value = given["latency"]

    async def listen() -> None:
        nonlocal printed
        while not printed.endswith(EOT):
            await RisingEdge(dut.uart_valid)
            await ReadOnly()
            printed += chr(int(dut.uart_data.value))

    with suppress(SimTimeoutError):
        await with_timeout(listen(), given["limit_cycles"] * CLOCK_PERIOD_NS, "ns")
    report(printed=printed.removesuffix(EOT), ended=printed.endswith(EOT))
