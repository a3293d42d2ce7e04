"""Importance of the tokens: probabilities summed over queries and heads, banked like K and V.

Beside every PV beat, each valid lane adds round_shift(exponential * mantissa, length - 1), a
probability in units of 2^-16, to the sum of its key. One beat a cycle without stalls: sums still
under way are forwarded, so the same key may come in consecutive beats. A beat is in memory SETTLE =
4 cycles after it was presented.

While no beats come, `sort_address` reads one word of all banks (`sort_data` a cycle later, the
memory's latch), and `clear` zeroes the word at `clear_address`.
"""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from rtl_gen import numerics
from rtl_gen.common.pipeline import delay, register
from rtl_gen.config import AcceleratorConfig


class Importance(wiring.Component):
    """
    Attributes
    ----------
    lane_valid, words, exponentials : the PV beat; lane_valid = 0 for no beat
    mantissa, length : the row's reciprocal
    sort_enable, sort_address, sort_data : read port of the sorter
    clear, clear_address : zeroes a word of all banks
    """

    SETTLE = 4

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        lanes = config.lanes
        super().__init__(
            {
                "lane_valid": In(lanes),
                "words": In(ArrayLayout(unsigned(config.word_bits), lanes)),
                "exponentials": In(ArrayLayout(unsigned(numerics.EXP_BITS), lanes)),
                "mantissa": In(numerics.RECIPROCAL_BITS),
                "length": In(range(config.exp_sum_bits + 1)),
                "sort_enable": In(1),
                "sort_address": In(config.word_bits),
                "sort_data": Out(ArrayLayout(unsigned(config.importance_bits), lanes)),
                "clear": In(1),
                "clear_address": In(config.word_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        lowest = numerics.EXP_BITS - 1  # a sum of at least EXP_MAX is EXP_BITS long
        shift = register(m, (self.length - 1)[: len(self.length)], name="shift")
        for lane in range(self._config.lanes):
            memory = Memory(
                shape=unsigned(self._config.importance_bits),
                depth=self._config.bank_depth,
                init=[],
            )
            m.submodules[f"bank_{lane}"] = memory
            read, write = memory.read_port(), memory.write_port()
            word = self.words[lane]

            product = register(m, self.exponentials[lane] * self.mantissa, name=f"product_{lane}")
            halves = Signal(numerics.PROBABILITY_FRACTION_BITS + 2, name=f"halves_{lane}")
            with m.Switch(shift):
                for value in range(lowest, self._config.exp_sum_bits):
                    with m.Case(value):
                        m.d.comb += halves.eq(product >> (value - 1))
            probability = register(m, (halves + 1) >> 1, name=f"probability_{lane}")

            m.d.comb += [
                read.en.eq(1),
                read.addr.eq(Mux(self.sort_enable, self.sort_address, word)),
                self.sort_data[lane].eq(read.data),
            ]
            # The sum of a beat is ready 3 cycles after its address was presented. A beat overtakes
            # the three before it on their way to memory, the latest of which counts.
            stored = register(m, read.data, name=f"stored_{lane}")
            add_word = delay(m, word, 2, name=f"add_word_{lane}")
            add_valid = delay(
                m, self.lane_valid[lane], 2, name=f"add_valid_{lane}", reset_less=False
            )
            total = Signal(unsigned(self._config.importance_bits), name=f"total_{lane}")
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
                write.en.eq(newest_valid | self.clear),
                write.addr.eq(Mux(self.clear, self.clear_address, newest_word)),
                write.data.eq(Mux(self.clear, 0, newest)),
            ]
        return m
