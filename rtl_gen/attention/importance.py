"""Importance of the tokens (SpAtten's cumulative attention): probabilities summed over queries and
heads, banked like K and V.

Beside every PV beat, each valid lane adds round_shift(exponential * mantissa, length - 1), a
probability in units of 2^-16, to the sum of its key. One beat a cycle without stalls: sums still
under way are forwarded, so the same key may come in consecutive beats. A beat is in memory SETTLE =
4 cycles after it was presented.

While no beats come, `read` reads one word of all banks (data a cycle later, the memory's latch),
and `clear` zeroes a word.
"""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.wiring import In

from rtl_gen import numerics
from rtl_gen.attention.exponentials import exponentials_layout
from rtl_gen.common.contract import require
from rtl_gen.common.pipeline import delay, register
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.memories import memory_plan
from rtl_gen.interfaces.ports import always
from rtl_gen.memory.row_memory import RowMemory


def importance_beat_layout(config: AcceleratorConfig) -> StructLayout:
    """A PV beat as importance sees it: keys and exponentials, and the reciprocal of their row."""
    return StructLayout(
        {
            "valid": unsigned(config.lanes),
            "word": ArrayLayout(unsigned(config.word_bits), config.lanes),
            "exponentials": exponentials_layout(config),
            "mantissa": unsigned(numerics.RECIPROCAL_BITS),
            "length": range(config.exp_sum_bits + 1),
        }
    )


class Importance(wiring.Component):
    """
    Attributes
    ----------
    beats : in, PV beats, always taken
    read : in, read port of the sums, only SETTLE cycles after a beat or later
    clear : in, words of all banks to zero, likewise
    """

    SETTLE = 4

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "beats": In(always(importance_beat_layout(config))),
                "read": In(memory_plan(config)["importance"].read_signature()),
                "clear": In(always(unsigned(config.word_bits))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        length = self.beats.payload.length
        shift = register(m, (length - 1)[: len(length)], name="shift")
        for lane in range(self._config.lanes):
            self._add(m, lane, self._probability(m, lane, shift))

        settling = self.beats.valid
        for age in range(1, self.SETTLE):
            settling |= delay(m, self.beats.valid, age, name=f"beat_{age}", reset_less=False)
        used = self.read.enable | self.clear.valid
        require(m, ~used | ~settling, "importance: sums are read or cleared while they change")
        return m

    def _probability(self, m: Module, lane: int, shift) -> Signal:
        """Of the lane's key, 2 cycles after the beat."""
        beat = self.beats.payload
        product = register(m, beat.exponentials[lane] * beat.mantissa, name=f"product_{lane}")
        halves = Signal(numerics.PROBABILITY_FRACTION_BITS + 2, name=f"halves_{lane}")
        lowest = numerics.EXP_BITS - 1  # a sum of at least EXP_MAX is EXP_BITS long
        with m.Switch(shift):
            for value in range(lowest, self._config.exp_sum_bits):
                with m.Case(value):
                    m.d.comb += halves.eq(product >> (value - 1))
        return register(m, (halves + 1) >> 1, name=f"probability_{lane}")

    def _add(self, m: Module, lane: int, probability) -> None:
        """To the lane's bank of sums.

        The sum of a beat is ready 3 cycles after its address was presented. A beat overtakes the
        three before it on their way to memory, the latest of which counts.
        """
        shape = unsigned(self._config.importance_bits)
        m.submodules[f"bank_{lane}"] = bank = RowMemory(depth=self._config.bank_depth, shape=shape)
        read, write = bank.read, bank.write
        word = self.beats.payload.word[lane]
        m.d.comb += [
            read.enable.eq(self.read.enable | self.beats.valid),
            read.address.eq(Mux(self.read.enable, self.read.address, word)),
            self.read.data[lane].eq(read.data),
        ]
        stored = register(m, read.data, name=f"stored_{lane}")
        add_word = delay(m, word, 2, name=f"add_word_{lane}")
        valid = self.beats.valid & self.beats.payload.valid[lane]
        add_valid = delay(m, valid, 2, name=f"add_valid_{lane}", reset_less=False)
        total = Signal(shape, name=f"total_{lane}")
        m.d.comb += total.eq(stored)
        in_flight = []
        value, at, valid = total + probability, add_word, add_valid
        for age in range(3):
            value = register(m, value, name=f"sum_{lane}_{age}")
            at = register(m, at, name=f"sum_word_{lane}_{age}")
            valid = register(m, valid, name=f"sum_valid_{lane}_{age}", reset_less=False)
            in_flight.append((value, at, valid))
        for value, at, valid in reversed(in_flight):
            with m.If(valid & (at == add_word)):
                m.d.comb += total.eq(value)
        newest, newest_word, newest_valid = in_flight[0]
        m.d.comb += [
            write.enable.eq(newest_valid | self.clear.valid),
            write.address.eq(Mux(self.clear.valid, self.clear.payload, newest_word)),
            write.data.eq(Mux(self.clear.valid, 0, newest)),
        ]
