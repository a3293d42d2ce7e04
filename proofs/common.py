"""Proofs of queues and of the arithmetic that several units share."""

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib.data import StructLayout

from proofs.harness import Harness, assume
from proofs.proof import Proof
from proofs.rules.streams import stable
from rtl_gen import numerics
from rtl_gen.common.contract import require
from rtl_gen.common.pipeline import delay, register
from rtl_gen.common.products import product_parts
from rtl_gen.common.queue import Queue
from rtl_gen.common.reciprocal import Reciprocal
from rtl_gen.common.requantize import Requantizer
from rtl_gen.norm.square_root import SquareRoot

DEPTH = 4


class Order:
    """Follows one item, any of them: it leaves behind those that entered before it, as it was.

    What enters and leaves in order cannot be told from the other items, so that what holds of any
    one of them holds of all: none is lost, none comes twice, none overtakes.
    """

    def __init__(self, m: Module, chosen: Value, *, most: int, enters, leaves, given, taken):
        payload, behind = Signal(len(given), reset_less=True), Signal(range(most + 1))
        inside, follows = Signal(range(most + 1)), Signal()
        m.d.sync += inside.eq(inside + enters - leaves)
        ends = follows & leaves & (behind == 0)
        with m.If(enters & chosen & ~follows):
            m.d.sync += [follows.eq(1), payload.eq(given), behind.eq(inside - leaves)]
        with m.Elif(ends):
            m.d.sync += follows.eq(0)
        with m.Elif(leaves & follows):
            m.d.sync += behind.eq(behind - 1)
        require(m, ~ends | (taken == payload), "an item leaves that is not the next one")
        require(m, ~leaves | (inside != 0), "an item leaves that is not there")
        require(m, ~enters | leaves | (inside != most), "more items inside than places")
        self.inside = inside


class QueueKeepsOrder(Harness):
    """Any items in, taken at any time."""

    def claim(self, m: Module) -> None:
        m.submodules.unit = unit = Queue(2, DEPTH)
        self.feed(m, unit)
        order = Order(
            m,
            self.free(1, "chosen"),
            most=DEPTH,
            enters=unit.i.valid & unit.i.ready,
            leaves=unit.o.valid & unit.o.ready,
            given=unit.i.payload,
            taken=unit.o.payload,
        )
        stable(m, "o", unit.o)
        require(m, unit.o.valid == (order.inside != 0), "an item inside is not offered")
        require(m, unit.i.ready == (order.inside != DEPTH), "ready is not that there is a place")


class _Function(Harness):
    """A pipeline with a port `call`: every result against its argument, LATENCY cycles before.

    What such a pipeline holds beyond its latency no result depends on, so that as many cycles of it
    stand for all of them.
    """

    any_reset = False

    def follow(self, m: Module, unit, latency: int):
        """The argument of the result that is out, and whether there is one."""
        argument = self.free(unit.call.signature.members["argument"].shape, "argument")
        m.d.comb += unit.call.argument.eq(argument)
        before = delay(m, Value.cast(argument), latency, name="before")
        valid = delay(m, Value.cast(1), latency, name="valid", reset_less=False)
        return before, valid


def reciprocal_harness(bits: int) -> type[_Function]:
    """Of an S of so many bits."""

    class ReciprocalIsFloor(_Function):
        def claim(self, m: Module) -> None:
            m.submodules.unit = unit = Reciprocal(bits)
            argument, valid = self.follow(m, unit, Reciprocal.LATENCY)
            result = unit.call.result
            length = Signal(range(bits + 1))
            for bit in range(bits):
                with m.If(argument[bit]):
                    m.d.comb += length.eq(bit + 1)
            # floor((2^(n + 15) - 1) / S) is the one M with M S <= 2^(n + 15) - 1 < (M + 1) S.
            numerator = ((1 << length) << (numerics.RECIPROCAL_BITS - 1)) - 1
            product = result.mantissa * argument
            right = (product <= numerator) & (numerator < product + argument)
            checked = valid & (argument != 0)
            require(m, ~checked | right, "the mantissa is not the floor of the quotient")
            require(m, ~valid | (result.length == length), "the length is not that of S")
            require(m, ~checked | result.mantissa[-1], "the mantissa is below 2^15")

    return ReciprocalIsFloor


def root_harness(bits: int) -> type[_Function]:
    """Of a value of so many bits."""

    class RootIsFloor(_Function):
        def claim(self, m: Module) -> None:
            m.submodules.unit = unit = SquareRoot(bits)
            value, valid = self.follow(m, unit, SquareRoot.latency(bits))
            root = unit.call.result
            square = root * root
            right = (square <= value) & (value < square + 2 * root + 1)
            require(m, ~valid | right, "the root is not the floor of the square root")

    return RootIsFloor


def requantise_harness(input_bits: int, output_bits: int) -> type[_Function]:
    """Of one value of so many bits to a result of so many."""

    class RequantisedAsWritten(_Function):
        def claim(self, m: Module) -> None:
            m.submodules.unit = unit = Requantizer(
                elements=1, input_bits=input_bits, output_bits=output_bits
            )
            before, valid = self.follow(m, unit, Requantizer.LATENCY)
            argument = self._view(unit, before)
            shift = argument.scale.shift
            assume(m, ~valid | (shift != 0))
            product = argument["values"][0] * argument.scale.multiplier
            # Half up: (x + 2^(s - 1)) >> s; wide enough for every shift.
            wide = Signal(signed(len(product) + (1 << numerics.SHIFT_BITS)))
            m.d.comb += wide.eq(product + ((1 << shift) >> 1))
            rounded = wide >> shift
            lowest, highest = -(1 << (output_bits - 1)), (1 << (output_bits - 1)) - 1
            cut = Mux(rounded > highest, highest, Mux(rounded < lowest, lowest, rounded))
            right = unit.call.result[0] == cut
            require(m, ~valid | right, "the result is not saturate(round_shift(x m, s))")

        def _view(self, unit, value: Value):
            layout: StructLayout = unit.call.signature.members["argument"].shape
            return layout(value)

    return RequantisedAsWritten


class PartsAreTheProduct(Harness):
    """Parts of fewer bits than the hardware has: the sum of them does not ask how many."""

    any_reset = False
    bits, part_bits = 11, 6

    def claim(self, m: Module) -> None:
        value = self.free(signed(self.bits), "value")
        factor = self.free(self.part_bits, "factor")
        parts = product_parts(m, value, factor, name="product", part_bits=self.part_bits)
        product = register(m, value * factor, name="whole")
        valid = delay(m, Value.cast(1), 1, name="valid", reset_less=False)
        require(m, ~valid | (parts == product), "the parts are not the product")


PROOFS = (
    Proof(
        unit="common.queue",
        name="order",
        claim=f"a queue of {DEPTH} places loses, doubles and reorders nothing, and offers what it "
        "has",
        harness=QueueKeepsOrder,
        broken=("rtl_gen.common.queue", "head.eq(head + 1)", "head.eq(head + 2)"),
    ),
    Proof(
        unit="common.reciprocal",
        name="floor",
        claim="mantissa and length are those of the formula for every S of 10 bits",
        harness=reciprocal_harness(10),
        broken=("rtl_gen.common.reciprocal", "(remainder << 1) | 1", "(remainder << 1) | 0"),
        depth=Reciprocal.LATENCY + 1,
    ),
    Proof(
        unit="common.requantize",
        name="formula",
        claim="saturate(round_shift(x * multiplier, shift)) of any 16-bit x, multiplier and shift, "
        "to 8 bits",
        harness=requantise_harness(16, 8),
        broken=("rtl_gen.common.saturate", "~value[-1] & value[:bits].all()", "0"),
        depth=Requantizer.LATENCY + 1,
    ),
    Proof(
        unit="common.products",
        name="parts",
        claim=f"parts of {PartsAreTheProduct.part_bits} bits are the product of every signed value "
        f"of {PartsAreTheProduct.bits} bits and every factor",
        harness=PartsAreTheProduct,
        broken=("rtl_gen.common.products", ") << part_bits", ") << (part_bits - 1)"),
        depth=2,
    ),
    Proof(
        unit="norm.square_root",
        name="floor",
        claim="the root is the floor of the square root of every value of 16 bits",
        harness=root_harness(16),
        broken=("rtl_gen.norm.square_root", "Cat(Const(1, 2), root)", "Cat(Const(0, 2), root)"),
        depth=SquareRoot.latency(16) + 1,
    ),
)
