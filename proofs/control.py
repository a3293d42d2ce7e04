"""Proofs of the control: the host's registers, the checks of commands, and the dispatcher."""

from collections.abc import Iterator

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib.data import View
from amaranth.utils import exact_log2

from proofs.harness import Harness, assume
from proofs.proof import Proof
from proofs.rules.axi_lite import LiteRules
from proofs.rules.streams import previous, stable
from proofs.watch import watch
from rtl_gen.common.contract import require
from rtl_gen.control.commands import SENT, Opcode
from rtl_gen.control.decode import Decoder
from rtl_gen.control.dispatcher import Dispatcher
from rtl_gen.control.range_check import RangeCheck
from rtl_gen.control.register_map import MAP_ADDRESS_BITS
from rtl_gen.control.registers import Registers
from rtl_gen.control.store_check import StoreCheck
from rtl_gen.interfaces.layouts import PAGE_BITS, bounds_layout
from rtl_gen.interfaces.memories import words
from rtl_gen.interfaces.program import Destination, ErrorCode, Source, command_layout
from rtl_gen.interfaces.targets import Target, transfers
from rtl_gen.presets import get_config

CONFIG = get_config("tiny")

ALONE = (Target.MASK, Target.GELU, Target.CHANNEL_SHIFT)
"""What LOAD fills while other units run."""


class RegistersAnswer(Harness):
    """The host and the core do what they want."""

    def claim(self, m: Module) -> None:
        m.submodules.unit = unit = Registers(CONFIG, {"some_cycles": (32, "of something")})
        m.submodules.rules = rules = LiteRules(MAP_ADDRESS_BITS)
        self.feed(m, unit)
        watch(m, rules, unit.bus)


class _Checked(Harness):
    """Any command, bounds and number of tokens, whether or not pruning may have dropped token 0."""

    any_reset = False

    def claim(self, m: Module) -> None:
        m.submodules.decoder = decoder = Decoder(CONFIG)
        m.submodules.unit = unit = RangeCheck(CONFIG)
        m.submodules.store = self.store = store = StoreCheck(CONFIG)
        self.command = command = self.constant(m, command_layout(CONFIG), "command")
        self.last = last = self.constant(m, CONFIG.token_bits, "last_token")
        self.first_stays = self.constant(m, 1, "first_stays")
        assume(m, last < CONFIG.max_tokens)
        decode, check = decoder.decode.argument, unit.check.argument
        m.d.comb += [
            decode.command.eq(command),
            decode.no_tokens.eq(0),
            check.command.eq(command),
            check.last_token.eq(last),
            check.first_stays.eq(self.first_stays),
            store.check.argument.command.eq(command),
            store.check.argument.bounds.eq(self.constant(m, bounds_layout(CONFIG), "bounds")),
        ]
        known = Signal(range(RangeCheck.LATENCY + 1))
        with m.If(known != RangeCheck.LATENCY):
            m.d.sync += known.eq(known + 1)
        good = decoder.decode.result.error == ErrorCode.NONE
        self.check(m, (known == RangeCheck.LATENCY) & good, unit.check.result)

    def check(self, m: Module, good: Value, beyond: Value) -> None:
        """States the claim of a command whose fields are `good`, if it is said to go `beyond`."""
        raise NotImplementedError


class AcceptedCommandsStayInside(_Checked):
    """Any token that a unit walks, any row of it."""

    def check(self, m: Module, good: Value, beyond: Value) -> None:
        outside = (self.command.opcode == Opcode.STORE) & self.store.check.result.outside
        for opcode, condition, message in self._addresses(m, self.command, self.last, self.store):
            runs = good & ~beyond & ~outside & (self.command.opcode == Opcode[opcode])
            require(m, ~runs | condition, f"{opcode}: {message}")

    def _addresses(
        self, m: Module, command: View, last: Value, store: StoreCheck
    ) -> Iterator[tuple]:
        """What has to hold, by the text of the format (docs/architecture.md, section 6)."""
        row = self.constant(m, len(command.count) + 1, "row")
        token = self.constant(m, CONFIG.token_bits, "token")
        tile = self.constant(m, len(command.tiles), "tile")
        assume(m, token <= last)
        assume(m, ~(command.only_cls & self.first_stays) | (token == 0))
        count, width = command.count, CONFIG.width
        yield "SET_TOKENS", (count != 0) & (count <= CONFIG.max_tokens), "tokens"
        yield "PRUNE", (count != 0) & (count <= CONFIG.max_tokens), "tokens"

        moved = row < count
        for target, transfer in transfers(CONFIG).items():
            inside = command.first + row < transfer.rows
            right = ~(moved & (command.target == target)) | inside
            yield "LOAD", right, f"a row of {target.name}"
            yield "STORE", right, f"a row of {target.name}"
        bounds, offset = store.check.argument.bounds, row << exact_log2(width)
        place = (bounds.results << PAGE_BITS) + command.address + offset
        begin, end = bounds.writes.first << PAGE_BITS, (bounds.writes.last + 1) << PAGE_BITS
        inside = (place >= begin) & (place + width <= end)
        yield "STORE", ~moved | inside, "a row of memory"
        yield "STORE", ~moved | (store.check.result.address + offset == place), "another row"

        yield from self._linear(command, row, token, tile)
        hidden = words(CONFIG, "hidden")
        yield "ATTEND", token * command.pitch + command.first < hidden, "an output row"
        rows = CONFIG.channel_rows(command.dim)
        read, normed = row < 2 * rows, row < rows
        residual, activation = words(CONFIG, "residual"), words(CONFIG, "activation")
        yield "NORM", ~read | (token * 2 * rows + row < residual), "a residual row"
        yield "NORM", ~normed | (token * rows + row < activation), "an activation row"
        yield "POOL", ~read | (token * 2 * rows + row < residual), "a residual row"
        pooled = command.first * 2 * rows + row < residual
        yield "POOL", ~read | pooled, "the row of the mean"

    def _linear(self, command: View, row, token, tile) -> Iterator[tuple]:
        read, written = row < command.slices, tile < command.tiles
        for source, memory in ((Source.ACTIVATION, "activation"), (Source.HIDDEN, "hidden")):
            inside = token * command.slices + row < words(CONFIG, memory)
            yield "LINEAR", ~(read & (command.source == source)) | inside, f"a row of {memory}"
        for to, memory, channel_bytes in (
            (Destination.HIDDEN, "hidden", 1),
            (Destination.LOGITS, "hidden", 2),
            (Destination.RESIDUAL, "residual", 2),
        ):
            place = (tile * CONFIG.lanes * channel_bytes) >> exact_log2(CONFIG.width)
            inside = token * command.pitch + place < words(CONFIG, memory)
            right = ~(written & (command.destination == to)) | inside
            yield "LINEAR", right, f"a result in {memory}"
        heads = tile * CONFIG.lanes < 3 * CONFIG.width
        qkv = command.destination == Destination.QKV
        yield "LINEAR", ~(written & qkv) | heads, "a channel of Q, K and V"


class NothingElseIsRefused(_Checked):
    """Fields that an opcode does not have hold anything."""

    def check(self, m: Module, good: Value, beyond: Value) -> None:
        command, last = self.command, self.last
        moved = [
            (command.target == target) & (command.first + command.count > transfer.rows)
            for target, transfer in transfers(CONFIG).items()
        ]
        attended = last * command.pitch + command.first >= words(CONFIG, "hidden")
        expected = {
            "LOAD": Cat(moved).any(),
            "STORE": Cat(moved).any(),
            "ATTEND": attended,
            "LINEAR": self._layer(command, Mux(command.only_cls & self.first_stays, 0, last)),
        }
        wanted = [
            (command.opcode == Opcode[opcode]) & goes_beyond
            for opcode, goes_beyond in expected.items()
        ]
        require(m, ~good | (beyond == Cat(wanted).any()), "refused for another reason")

    def _layer(self, command: View, last: Value) -> Value:
        """Whether the row that the last token reads, or the one it writes last, is beyond."""
        hidden, residual = words(CONFIG, "hidden"), words(CONFIG, "residual")
        source = Mux(command.source == Source.HIDDEN, hidden, words(CONFIG, "activation"))
        read = (last + 1) * command.slices > source
        to = command.destination
        wide = (to == Destination.LOGITS) | (to == Destination.RESIDUAL)
        channel = Mux(wide, 2, 1) * CONFIG.lanes * (command.tiles - 1).as_unsigned()
        row = last * command.pitch + (channel >> exact_log2(CONFIG.width))
        written = row >= Mux(to == Destination.RESIDUAL, residual, hidden)
        return read | ((to != Destination.QKV) & written)


class DispatcherKeepsOrder(Harness):
    """Any rows, units that are idle, ready or failing when they want."""

    def claim(self, m: Module) -> None:
        m.submodules.unit = unit = Dispatcher(CONFIG)
        self.feed(m, unit)
        sent = {c: getattr(unit.commands, c.port) for c in SENT}
        valid = [stream.valid for stream in sent.values()]
        for i, one in enumerate(valid):
            require(m, ~one | ~Cat(valid[i + 1 :]).any(), "two commands at once")
        idle, busy = unit.units.idle, unit.host.busy
        for command, stream in sent.items():
            waits = ~stream.valid | idle
            if command.name == "LOAD":
                load = stream.payload
                waits |= ~load.barrier & load.target.matches(*ALONE)
            if command.name != "LINEAR":
                require(m, waits, f"{command.name} before the units are idle")
        require(m, ~Cat(valid).any() | busy, "a command without a program")
        self._feeds(m, unit, sent, valid)
        self._ends(m, unit, valid)
        stable(m, "fetch", unit.program.fetch, clear=unit.units.write_failed)

    def _feeds(self, m: Module, unit, sent, valid) -> None:
        """Behind a command with a payload no other one comes before its unit has all rows."""
        with_payload = [c for c in SENT if c.payload]
        ports = [getattr(unit.payloads, c.unit) for c in with_payload]
        feeding = Cat(port.feeding for port in ports).any()
        fed, taken = Signal(), Signal()
        m.d.comb += taken.eq(Cat(sent[c].valid & sent[c].ready for c in with_payload).any())
        with m.If(taken):
            m.d.sync += fed.eq(1)
        with m.Elif(~feeding | ~unit.host.busy):
            m.d.sync += fed.eq(0)
        require(m, ~fed | ~Cat(valid).any(), "a command within a payload")
        require(
            m,
            ~Cat(port.rows.valid for port in ports).any() | fed,
            "rows for a unit that was not told of them",
        )

    def _ends(self, m: Module, unit, valid) -> None:
        """A failure ends the program: at once if a row was refused; behind an unreadable row no
        command follows, and the end comes when the units are idle.
        """
        busy, rows = unit.host.busy, unit.program.rows
        was_busy = previous(m, busy, "was_busy", resets=True)
        refused = previous(m, busy & unit.units.write_failed, "refused", resets=True)
        require(m, ~refused | ~busy, "a refused row does not end the program")
        require(m, ~busy | (unit.host.error == ErrorCode.NONE), "an error while busy")
        require(m, unit.clear == (was_busy & ~busy), "`clear` is not the cycle behind the last")
        lost, idle = Signal(), Signal(range(3))
        with m.If(rows.valid & rows.ready & rows.payload.lost):
            m.d.sync += lost.eq(1)
        with m.Elif(~busy):
            m.d.sync += lost.eq(0)
        m.d.sync += idle.eq(Mux(lost & unit.units.idle & busy, idle + 1, 0))
        require(m, ~lost | ~Cat(valid).any(), "a command behind an unreadable row")
        require(m, idle != 2, "a program goes on behind an unreadable row")


PROOFS = (
    Proof(
        unit="control.registers",
        name="AXI4-Lite",
        claim="every request is answered within 8 cycles in which answers are taken, none twice; "
        "answers stay until they are taken, whatever host and core do, also behind a reset",
        harness=RegistersAnswer,
        broken=(
            "rtl_gen.control.registers",
            "address_held & data_held & ~bus.bvalid",
            "address_held & ~bus.bvalid",
        ),
    ),
    Proof(
        unit="control.range_check",
        name="sufficient",
        claim="no command that decoder, range check and store check accept makes a unit address a "
        "row outside its memory, nor STORE a byte outside of the host's bounds (preset tiny)",
        harness=AcceptedCommandsStayInside,
        broken=(
            "rtl_gen.control.range_check",
            "first_only &= argument.first_stays",
            "first_only &= 1",
        ),
        depth=RangeCheck.LATENCY + 1,
    ),
    Proof(
        unit="control.range_check",
        name="necessary",
        claim="a command with good fields is refused only if its last row is outside, whatever is "
        "in the fields that its opcode does not have (preset tiny)",
        harness=NothingElseIsRefused,
        broken=("rtl_gen.control.range_check", "is_it & reach.applies", "is_it | reach.applies"),
        depth=RangeCheck.LATENCY + 1,
    ),
    Proof(
        unit="control.dispatcher",
        name="order",
        claim="one command at a time, none before the units are idle that has to wait, none within "
        "a payload; a refused or unreadable row ends the program",
        harness=DispatcherKeepsOrder,
        depth=40,
        broken=("rtl_gen.control.dispatcher", "self.units.idle | ~self._decoded.waits", "1"),
    ),
)
