"""Proofs of how a head's rows become beats and share the array."""

from amaranth.hdl import Cat, Module, Mux, Signal

from proofs.harness import Harness, assume
from proofs.proof import Proof
from proofs.rules.streams import stable
from rtl_gen.attention.mask_decoder import MaskDecoder
from rtl_gen.attention.row_interleaver import RowInterleaver
from rtl_gen.common.contract import require
from rtl_gen.interfaces.memories import OUTPUT_ROWS
from rtl_gen.presets import get_config

KEYS = get_config("tiny", max_tokens=6, max_heads=1)
SLOTS = get_config("tiny", max_tokens=7, row_slots=2)

ROWS_INSIDE = 3
"""Most rows in the decoder: one that is walked, one whose last beat is picked, one offered."""


class EveryKeptKeyOnce(Harness):
    """Any rows, taken and offered with any pauses; one of them, any, is followed."""

    def claim(self, m: Module) -> None:
        m.submodules.unit = unit = MaskDecoder(KEYS)
        self.feed(m, unit)
        chosen = self.free(1, "chosen")
        stable(m, "beats", unit.beats)
        enters = unit.rows.valid & unit.rows.ready
        beat, taken = unit.beats.payload, unit.beats.valid & unit.beats.ready
        leaves = taken & beat.last
        inside, behind = Signal(range(ROWS_INSIDE + 1)), Signal(range(ROWS_INSIDE + 1))
        m.d.sync += inside.eq(inside + enters - leaves)
        require(m, ~taken | (inside != 0), "a beat of no row")
        require(m, ~enters | leaves | (inside != ROWS_INSIDE), "more rows than the decoder holds")

        follows, begun = Signal(), Signal()
        left, token = Signal(len(unit.rows.payload.keep)), Signal(KEYS.token_bits)
        with m.If(enters & chosen & ~follows):
            m.d.sync += [
                follows.eq(1),
                begun.eq(0),
                left.eq(unit.rows.payload.keep),
                token.eq(unit.rows.payload.token),
                behind.eq(inside - leaves),
            ]
        with m.Elif(follows & leaves):
            m.d.sync += [follows.eq(behind != 0), behind.eq(behind - 1)]
        mine = follows & taken & (behind == 0)
        after = self._check_lanes(m, mine, beat, left)
        with m.If(mine):
            m.d.sync += [left.eq(after), begun.eq(1)]
        require(m, ~mine | (beat.token == token), "a beat of another query")
        require(m, ~mine | (beat.first == ~begun), "`first` is not that of the first beat")
        require(m, ~mine | (beat.last == (after == 0)), "`last` is not that of the last key")
        self._offers(m, unit, inside, taken)

    def _check_lanes(self, m: Module, mine, beat, left):
        """A beat takes the lowest key that is left of each lane; what is left behind it."""
        after = Signal.like(left, name="after")
        lanes = KEYS.lanes
        for lane in range(lanes):
            keys = left[lane::lanes]
            lowest = keys & ~(keys - 1)
            picked = Cat(beat.word[lane] == w for w in range(len(keys)))
            m.d.comb += after[lane::lanes].eq(keys & ~lowest)
            right = (beat.valid[lane] == keys.any()) & (~keys.any() | (picked == lowest))
            require(m, ~mine | right, "a lane does not take its lowest key")
        return after

    def _offers(self, m: Module, unit, inside, taken) -> None:
        """What is inside is offered, whether anybody is ready or not, LATENCY cycles later."""
        waits = Signal(range(MaskDecoder.LATENCY + 1))
        m.d.sync += waits.eq(Mux((inside == 0) | unit.beats.valid, 0, waits + 1))
        require(m, waits != MaskDecoder.LATENCY, "a row inside is not offered")
        fed = Signal(range(MaskDecoder.LATENCY + 1))
        full = fed == MaskDecoder.LATENCY
        m.d.sync += fed.eq(Mux(unit.rows.valid, Mux(full, fed, fed + 1), 0))
        require(m, ~full | unit.beats.valid, "a bubble behind rows without a gap")


class RowsTakeTurns(Harness):
    """Beats of both kinds come and finished rows leave at any time."""

    def claim(self, m: Module) -> None:
        m.submodules.unit = unit = RowInterleaver(SLOTS)
        self.feed(m, unit)
        rows, qk_rows, pv_rows = (Signal(SLOTS.count_bits, name=f"rows_{k}") for k in range(3))
        finished = Signal(range(OUTPUT_ROWS + 1))
        qk_taken = unit.qk.valid & unit.qk.ready
        pv_taken = unit.pv.valid & unit.pv.ready
        pv_last = pv_taken & unit.pv.payload.last
        stable(m, "qk", unit.qk, demand=assume)
        stable(m, "pv", unit.pv, demand=assume)
        over = (qk_rows == rows) & (pv_rows == rows)
        assume(m, ~unit.start.valid | (over & (unit.start.payload != 0)))
        assume(m, ~unit.start.valid | (unit.start.payload <= SLOTS.max_tokens))
        assume(m, ~unit.qk.valid | (qk_rows != rows))
        assume(m, ~unit.pv.valid | (pv_rows != qk_rows))
        assume(m, ~unit.freed.valid | (finished != 0))
        m.d.sync += finished.eq(finished + pv_last - unit.freed.valid)
        with m.If(unit.start.valid):
            m.d.sync += [rows.eq(unit.start.payload), qk_rows.eq(0), pv_rows.eq(0)]
        with m.Else():
            m.d.sync += [
                qk_rows.eq(qk_rows + (qk_taken & unit.qk.payload.last)),
                pv_rows.eq(pv_rows + pv_last),
            ]
        ahead = qk_rows - pv_rows
        require(m, ~qk_taken | (ahead < SLOTS.row_slots), "QK^T of a row without a slot")
        turn = (ahead == SLOTS.row_slots) | (qk_rows == rows)
        require(m, ~pv_taken | turn, "PV before its turn")
        require(m, finished <= OUTPUT_ROWS, "more finished rows than places")
        self._never_stuck(m, unit, over, qk_rows != rows, finished, pv_last)
        self._issues(m, unit, qk_taken, pv_taken)

    def _never_stuck(self, m: Module, unit, over, scores_left, finished, pv_last) -> None:
        """While rows are left one kind has its turn, and waits for the output unit alone."""
        pause = Signal(range(RowInterleaver.output_cycles(SLOTS)))
        with m.If(pv_last):
            m.d.sync += pause.eq(RowInterleaver.output_cycles(SLOTS) - 1)
        with m.Elif(pause != 0):
            m.d.sync += pause.eq(pause - 1)
        waits = unit.pv.payload.last & ((pause != 0) | (finished == OUTPUT_ROWS))
        may_score = unit.qk.ready & scores_left
        require(m, over | may_score | unit.pv.ready | waits, "nobody has a turn")
        require(m, ~(unit.pv.ready & waits), "a row ends that the output unit cannot take")

    def _issues(self, m: Module, unit, qk_taken, pv_taken) -> None:
        """Each beat that was taken, in the cycle behind."""
        was_qk, was_pv = Signal(), Signal()
        fields = ("valid", "word", "first", "last")
        qk, pv, beat = unit.qk.payload, unit.pv.payload, unit.issue.payload.beat
        m.d.sync += [was_qk.eq(qk_taken), was_pv.eq(pv_taken)]
        require(m, unit.issue.valid == (was_qk | was_pv), "a beat is lost or made up")
        require(
            m, ~unit.issue.valid | (unit.issue.payload.is_pv == was_pv), "a beat of the other kind"
        )
        for name in fields:
            before = Signal.like(Cat(qk[name]), name=f"{name}_before", reset_less=True)
            m.d.sync += before.eq(Mux(pv_taken, Cat(pv[name]), Cat(qk[name])))
            same = Cat(beat[name]) == before
            require(m, ~unit.issue.valid | same, f"`{name}` of a beat changed")


PROOFS = (
    Proof(
        unit="attention.mask_decoder",
        name="every key once",
        claim=f"of rows of {KEYS.max_tokens} keys every kept one comes once and no other, lowest "
        "first; a beat is offered whether it is waited for or not, and stays",
        harness=EveryKeptKeyOnce,
        broken=(
            "rtl_gen.attention.mask_decoder",
            "beat_free.eq(~self.beats.valid | self.beats.ready)",
            "beat_free.eq(self.beats.ready)",
        ),
    ),
    Proof(
        unit="attention.row_interleaver",
        name="turns",
        claim=f"with {SLOTS.row_slots} slots QK^T and PV take turns in the fixed order, no beat is "
        "lost, and while rows are left one of them may go on",
        harness=RowsTakeTurns,
        broken=(
            "rtl_gen.attention.row_interleaver",
            "ahead == config.row_slots - 1",
            "ahead == config.row_slots - 2",
        ),
    ),
)
