"""Bench of `System`: damaged programs one after the other, the good one behind each.

Parameters: `config`; `good`, address and bytes of the good program's result and its `program`;
`contents`, path of an .npz file with the bytes of each case by its number; `cases`, a list of
number, address, place, limit_cycles, latency, rate, stall, faults, response, reset_before_end,
codes (None: any) and stores (None: anywhere); `memory_bytes`.
Reports `outcomes`: number, code (None: it never ended, or was reset), cycles, and what is wrong.

A case that fails does not end the run, unless the accelerator is not itself again after a soft
reset. The name of the case that runs stands in the log.
"""

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, RisingEdge, SimTimeoutError, with_timeout
from cocotb.utils import get_sim_time

from cocotb_tests.bus.simulated_memory import MemoryAccess
from cocotb_tests.harness.bench import CLOCK_PERIOD_NS, parameters, report, start
from cocotb_tests.network.bench_system import Host
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.program import ErrorCode

GOOD_LATENCY = 5
GOOD_LIMIT_CYCLES = 5_000
COUNTERS = ("cycles", "rows_read", "linear_beats", "qk_beats", "pv_beats")
"""Of the good program: these never change."""
SETTLE_CYCLES = 20
"""After a reset, in which no interrupt may come."""
NEVER_CYCLES = 1 << 40
"""Each program has a limit of its own."""
AUDIT_CASES = 20
"""All memory is compared after so many."""


class Driver:
    """Host, memory, and what memory holds."""

    def __init__(self, dut):
        self.dut, self.given = dut, parameters()
        self.host = Host(dut)
        self.memory = MemoryAccess(dut, "memory", AcceleratorConfig(**self.given["config"]))
        self.holds = np.zeros(self.given["memory_bytes"], np.uint8)
        self.stored = np.zeros(len(self.holds), bool)
        self.first_counters: list[int] | None = None

    async def begin(self) -> None:
        await start(self.dut, limit_cycles=NEVER_CYCLES)
        await self.memory.write(0, self.holds.tobytes())
        await self.host.write("interrupt_enable", 1)

    async def put(self, address: int, data: bytes) -> None:
        if data:
            await self.memory.write(address, data)
            self.holds[address : address + len(data)] = np.frombuffer(data, np.uint8)
            self.stored[address : address + len(data)] = False

    async def run(self, address: int, limit_cycles: int) -> int | None:
        """Start a program; the cycles until its interrupt, None if that does not come."""
        await self.host.start(address)
        began = get_sim_time("ns")
        if not int(self.dut.irq.value):
            try:
                await with_timeout(RisingEdge(self.dut.irq), limit_cycles * CLOCK_PERIOD_NS, "ns")
            except SimTimeoutError:
                return None
        return round((get_sim_time("ns") - began) / CLOCK_PERIOD_NS)

    async def case(self, case: dict, contents: bytes) -> dict:
        """Run a case; its outcome."""
        self.memory.configure(
            **{name: case[name] for name in ("latency", "rate", "stall", "response")},
            faults=range(*case["faults"]),
        )
        await self.put(case["place"], contents)
        if case["stores"] is None:
            self.stored[:] = True
        else:
            for first, last in case["stores"]:
                self.stored[first:last] = True
        outcome = {"number": case["number"], "code": None, "problem": None}
        outcome["cycles"] = await self.run(case["address"], case["limit_cycles"])
        if outcome["cycles"] is None:
            outcome["problem"] = f"no end within {case['limit_cycles']} cycles"
            await self.reset()
        else:
            outcome |= await self.ended(case)
            if case["reset_before_end"] is not None:
                again = await self.reset_within(case, outcome["cycles"])
                outcome |= {"code": None, "problem": outcome["problem"] or again}
        return outcome

    async def ended(self, case: dict) -> dict:
        """Code of the program that ended, and what is wrong with that."""
        code, status = await self.host.read("error"), await self.host.progress()
        expected = {"done", "error"} if code else {"done"}
        problem = None
        if case["codes"] is not None and code not in case["codes"]:
            names = ", ".join(ErrorCode(allowed).name for allowed in case["codes"])
            problem = f"ended in {ErrorCode(code).name}: expected {names}"
        elif status != expected:
            problem = f"status {sorted(status)} with code {code}"
        await self.host.control("clear")
        if await self.host.progress() or int(self.dut.irq.value):
            problem = problem or "the end stays after its acknowledgement"
        return {"code": code, "problem": problem}

    async def reset_within(self, case: dict, cycles: int) -> str | None:
        """The program once more, reset on its way; what is wrong."""
        await self.host.start(case["address"])
        await ClockCycles(self.dut.clk, max(1, cycles - case["reset_before_end"]))
        return await self.reset()

    async def reset(self) -> str | None:
        """A soft reset; what is wrong after it."""
        await self.host.control("reset")
        for _ in range(SETTLE_CYCLES):
            await RisingEdge(self.dut.clk)
            if int(self.dut.irq.value):
                return "an interrupt after a soft reset"
        status = await self.host.progress()
        return f"status {sorted(status)} after a soft reset" if status else None

    async def good(self) -> str | None:
        """The good program; what is wrong with it."""
        await self.host.quiet()
        good = self.given["good"]
        self.memory.configure(latency=GOOD_LATENCY)
        await self.put(0, bytes(good["program"]))
        await self.put(good["result"], bytes(len(good["bytes"])))
        if await self.run(0, GOOD_LIMIT_CYCLES) is None:
            return "the good program does not end"
        status, code = await self.host.progress(), await self.host.read("error")
        stored = await self.memory.read(good["result"], len(good["bytes"]))
        self.holds[good["result"] : good["result"] + len(stored)] = np.frombuffer(stored, np.uint8)
        counters = [await self.host.read(name) for name in COUNTERS]
        await self.host.control("clear")
        if self.first_counters is None:
            self.first_counters = counters
        if code or status != {"done"}:
            return f"the good program ends with code {code}, status {sorted(status)}"
        if list(stored) != good["bytes"]:
            return "the good program gives a wrong result"
        if counters != self.first_counters:
            return f"the good program counts {counters}: expected {self.first_counters}"
        return None

    async def audit(self) -> str | None:
        """Compare all memory; what was written that no STORE may write.

        A LINEAR that reads what it writes may store anything, in simulation X.
        """
        contents = await self.memory.read(0, len(self.holds), undefined=True)
        found = np.frombuffer(contents, np.uint8)
        wrong = np.flatnonzero((found != self.holds) & ~self.stored)
        self.holds[:], self.stored[:] = found, False
        return f"{len(wrong)} bytes written from {wrong[0]:#x} on" if len(wrong) else None


@cocotb.test()
async def programs_end(dut):
    driver = Driver(dut)
    await driver.begin()
    problem = await driver.good()
    assert problem is None, problem
    contents = np.load(driver.given["contents"])
    cases, outcomes = driver.given["cases"], []
    for index, case in enumerate(cases):
        dut._log.info(f"case {case['number']}")
        outcome = await driver.case(case, contents[str(case["number"])].tobytes())
        outcomes.append(outcome)
        after = await driver.good()
        if after is not None:
            outcome["problem"] = outcome["problem"] or f"behind it, {after}"
            await driver.reset()
            again = await driver.good()
            assert again is None, f"case {case['number']}: behind it and a soft reset, {again}"
        if index % AUDIT_CASES == AUDIT_CASES - 1 or index == len(cases) - 1:
            damage = await driver.audit()
            if damage is not None:
                outcome["problem"] = outcome["problem"] or f"up to it, {damage}"
        report(outcomes=outcomes)
