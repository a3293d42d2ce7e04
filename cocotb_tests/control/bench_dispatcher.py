"""Bench of `Dispatcher`; program memory and units are Python. Parameters: configuration, seed.

Units take commands and payload with stalls, and are busy for any time behind them.
"""

from collections import deque
from collections.abc import Sequence

import cocotb
from cocotb.handle import HierarchyObject
from cocotb.triggers import ClockCycles

from cocotb_tests.control.commands import build_program
from cocotb_tests.control.legality import waits
from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from rtl_gen.control.commands import COMMANDS, SENT, Opcode
from rtl_gen.control.dispatcher import Dispatcher
from rtl_gen.interfaces.command import Command
from rtl_gen.interfaces.memories import words
from rtl_gen.interfaces.program import MAGIC, VERSION, Destination, ErrorCode, record_bytes
from rtl_gen.interfaces.targets import Target

ADDRESS = 4096
PAGE = 4096
EVERYWHERE = range(1 << 32)


class DispatcherBench(UnitBench):
    """Runs programs: lists of (fields of a command, rows of its payload)."""

    UNIT = Dispatcher

    def __init__(self, dut: HierarchyObject, *, stall: float = 0.3):
        super().__init__(dut)
        self.stall = stall
        self.requests = self.sink("program__fetch", self.pauses(stall))
        self.rows: deque[dict[str, int]] = deque()
        self.host = self.source("host__start")
        self.bound()
        self.cleared = self.record("clear")
        self.started: list[tuple[str, dict, bool]] = []
        self.payloads: list[int] = []
        self.busy = self.write_failed = 0
        for command in SENT:
            cocotb.start_soon(self._unit(command))
        cocotb.start_soon(self._idle())
        cocotb.start_soon(self._offer_rows())

    def bound(
        self, reads: range = EVERYWHERE, writes: range = EVERYWHERE, results: int = 0
    ) -> None:
        """Let programs read and write these bytes, in whole pages, and store behind `results`."""
        self.results = results
        reads, writes = (
            {"first": window.start // PAGE, "last": window.stop // PAGE - 1}
            for window in (reads, writes)
        )
        bounds = {"reads": reads, "writes": writes, "results": results // PAGE}
        self.set(host__bounds=bounds)

    async def _offer_rows(self) -> None:
        """Holds a row until it is taken, or until a program's end, when all are forgotten."""
        offered = False
        for pause in self.pauses(self.stall):
            offered = bool(self.rows) and (offered or not pause)
            self.set(program__rows__valid=offered)
            if offered:
                self.set(program__rows__payload=self.rows[0])
            await self.edge
            if offered and self.get("program__rows__ready"):
                self.rows.popleft()
                offered = False
            if self.get("clear"):
                self.rows.clear()

    async def _idle(self) -> None:
        while True:
            self.set(units={"idle": not self.busy, "write_failed": self.write_failed})
            await self.edge

    async def _unit(self, command: Command) -> None:
        port, pauses = f"commands__{command.port}", self.pauses(self.stall)
        for pause in pauses:
            self.set(**{f"{port}__ready": not pause})
            await self.edge
            if pause or not self.get(f"{port}__valid"):
                continue
            self.started.append((command.name, self.get(f"{port}__payload"), bool(self.busy)))
            self.busy += 1
            self.set(**{f"{port}__ready": 0})
            if command.payload:
                await self._take_payload(f"payloads__{command.unit}", self.expected_rows.pop(0))
            cocotb.start_soon(self._work(self.rng.randrange(12)))

    async def _work(self, cycles: int) -> None:
        for _ in range(cycles):
            await self.edge
        self.busy -= 1

    async def _take_payload(self, port: str, rows: int) -> None:
        self.set(**{f"{port}__feeding": 1, f"{port}__expects": 1})
        for pause in self.pauses(self.stall):
            if not rows or not self.get("host__busy"):
                break
            self.set(**{f"{port}__rows__ready": not pause})
            await self.edge
            if not pause and self.get(f"{port}__rows__valid"):
                self.payloads.append(self.get(f"{port}__rows__payload"))
                rows -= 1
        self.set(**{f"{port}__feeding": 0, f"{port}__expects": 0, f"{port}__rows__ready": 0})

    async def refuse_row_behind(self, cycles: int) -> None:
        """Memory refuses a row, so many cycles behind the next start."""
        await self.until("host__busy")
        await ClockCycles(self.dut.clk, cycles)
        self.write_failed = 1
        await self.edge
        self.write_failed = 0

    async def run(
        self,
        program: Sequence[tuple[dict, int]],
        *,
        address: int = ADDRESS,
        lost: int | None = None,
        **header: int,
    ) -> ErrorCode:
        """The error of a program; its row `lost` behind the header can't be read."""
        config = self.config
        self.started.clear(), self.payloads.clear(), self.cleared.clear()
        self.expected_rows = [rows for _, rows in program if rows]
        parts, self.sent = [], []
        for command, rows in program:
            payload = [self.rng.getrandbits(config.row_bits) for _ in range(rows)]
            self.sent += payload
            parts += [command, *(row.to_bytes(config.width, "little") for row in payload)]
        self.host.put([address])
        data = build_program(config, *parts, **header)
        feeding = cocotb.start_soon(self._feed(data, address, lost))
        await self.until("host__busy")
        while self.get("host__busy"):
            await self.edge
        feeding.cancel()
        await self.edge
        assert_equal("clears", len(self.cleared), 1)
        return ErrorCode(self.get("host__error"))

    async def _feed(self, program: bytes, address: int, lost: int | None) -> None:
        size = record_bytes(self.config)
        header, data = program[:size], program[size:]
        for part, place in ((header, address), (data, address + size)):
            (request,) = await self.requests.receive(1)
            width = self.config.width
            size = min(len(part) // width, request["rows"])
            if part is header:
                assert_equal("rows of a header", request["rows"], len(part) // width)
            assert_equal("address", request["address"], place)
            rows = [
                int.from_bytes(part[i * width : (i + 1) * width], "little") for i in range(size)
            ]
            behind = part is data and lost is not None
            self.rows.extend(
                {"data": row, "lost": behind and index >= lost} for index, row in enumerate(rows)
            )

    def check(self, program: Sequence[tuple[dict, int]], handed_on: int) -> None:
        """The first commands were handed on in order, with their fields, when they might."""
        expected = []
        for command, _ in program[:handed_on]:
            record = COMMANDS[command["opcode"]]
            zeros = {name: self.zero(name) for name in record.fields}
            fields = zeros | {k: v for k, v in command.items() if k in zeros}
            if "address" in fields:
                fields["address"] += self.results
            expected.append((record.name, fields))
        assert [name for name, _, _ in self.started] == [name for name, _ in expected]
        for (name, fields, _), (_, wanted) in zip(self.started, expected, strict=True):
            assert fields == wanted, f"{name}: {fields}, expected {wanted}"
        for (command, _), (name, _, busy) in zip(program, self.started, strict=False):
            assert not (waits(command) and busy), f"{name} started while a unit was busy"

    @staticmethod
    def zero(name: str) -> object:
        return {"multiplier": 0, "shift": 0} if name.startswith("scale") else 0


def good_program(bench: DispatcherBench, length: int = 12) -> list[tuple[dict, int]]:
    """Legal commands of every kind behind SET_TOKENS, HALT behind them."""
    rng, config = bench.rng, bench.config
    tokens = rng.randint(2, config.max_tokens)
    scale = {"multiplier": rng.getrandbits(16), "shift": rng.getrandbits(6)}

    def draw() -> tuple[dict, int]:
        rows = rng.randint(1, 9)
        choices = {
            "LOAD": {
                "target": rng.choice([Target.MASK, Target.QUERY, Target.HIDDEN]),
                "count": rows,
                "barrier": rng.getrandbits(1),
                "input": rng.getrandbits(1),
            },
            "LINEAR": {"slices": 1, "tiles": 1, "pitch": 1, "destination": Destination.HIDDEN},
            "NORM": {"dim": config.max_dim, "scale_a": scale, "plain": rng.getrandbits(1)},
            "ATTEND": {"pitch": 1, "first": rng.randrange(2), "scale_b": scale},
            "PRUNE": {"count": rng.randint(5, 9), "prefix": rng.randint(0, 5)},
            "STORE": {"target": Target.RESIDUAL, "count": rows, "address": config.width * rows},
        }
        name = rng.choice(list(choices))
        payload = rows if name in ("LOAD", "LINEAR") else 0
        return {"opcode": Opcode[name], **choices[name]}, payload

    start = {"opcode": Opcode.SET_TOKENS, "count": tokens}
    return [(start, 0), *(draw() for _ in range(length)), ({"opcode": Opcode.HALT}, 0)]


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.4])
async def hands_commands_on(dut, stall):
    """In order, with their payload, each when it may start; programs follow one another."""
    bench = await DispatcherBench.on(dut, stall=stall)
    for _ in range(6):
        program = good_program(bench)
        assert_equal("error", await bench.run(program), ErrorCode.NONE)
        bench.check(program, len(program) - 1)
        assert bench.payloads == bench.sent


@cocotb.test()
async def refuses_headers(dut):
    """A program that is none runs nothing."""
    bench = await DispatcherBench.on(dut)
    program = good_program(bench)
    for code, choices in {
        ErrorCode.BAD_MAGIC: {"magic": MAGIC ^ 1},
        ErrorCode.BAD_VERSION: {"version": VERSION + 1},
        ErrorCode.BAD_CONFIG: {"digest": 0},
        ErrorCode.OUT_OF_BOUNDS: {"rows": (1 << 32) - 1},
    }.items():
        assert_equal("error", await bench.run(program, **choices), code)
        bench.check(program, 0)
    for code, address in {
        ErrorCode.NOT_ALIGNED: ADDRESS + 1,
        ErrorCode.OUT_OF_BOUNDS: (1 << 32) - bench.config.bus_bytes,
    }.items():
        assert_equal("error", await bench.run(program, address=address), code)
        bench.check(program, 0)
    assert_equal("error", await bench.run(program), ErrorCode.NONE)


@cocotb.test()
async def ends_behind_what_was_handed_on(dut):
    """A bad command, a row that is lost and a missing HALT end a program in order."""
    bench = await DispatcherBench.on(dut)
    commands = [command for command in good_program(bench) if not command[1]]
    for bad, code in (
        ({"opcode": len(COMMANDS)}, ErrorCode.ILLEGAL_OPCODE),
        ({"opcode": Opcode.NORM, "dim": 0}, ErrorCode.ILLEGAL_FIELD),
        ({"opcode": Opcode.PRUNE, "count": 0}, ErrorCode.COUNT_OUT_OF_RANGE),
        ({"opcode": Opcode.PRUNE, "count": 3, "prefix": 4}, ErrorCode.ILLEGAL_FIELD),
        (
            {"opcode": Opcode.STORE, "target": Target.QUERY, "count": 1, "address": 1},
            ErrorCode.NOT_ALIGNED,
        ),
        (
            {"opcode": Opcode.ATTEND, "first": words(bench.config, "hidden")},
            ErrorCode.COUNT_OUT_OF_RANGE,
        ),
    ):
        program = [*commands[:-1], (bad, 0), *commands[-1:]]
        assert_equal("error", await bench.run(program), code)
        bench.check(program, len(commands) - 1)
    rows = bench.config.max_tokens
    beyond = [({"opcode": Opcode.LOAD, "target": Target.QUERY, "first": 1, "count": rows}, 0)]
    for _ in range(4):  # while all units are idle, some of them ready
        assert_equal("error", await bench.run(beyond), ErrorCode.COUNT_OUT_OF_RANGE)
        bench.check(beyond, 0)
    per_record = record_bytes(bench.config) // bench.config.width
    lost = 2 * per_record + per_record - 1
    assert_equal("error", await bench.run(commands, lost=lost), ErrorCode.READ_FAILED)
    bench.check(commands, 2)
    assert_equal("error", await bench.run(commands[:-1]), ErrorCode.ENDED_EARLY)
    bench.check(commands, len(commands) - 1)
    no_tokens = [({"opcode": Opcode.PRUNE, "count": 1}, 0)]
    assert_equal("error", await bench.run(no_tokens), ErrorCode.NO_TOKENS)
