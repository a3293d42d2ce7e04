"""Cycles of masked attention, equal to the counter `attention_cycles` of the RTL.

The array's schedule is a recurrence of maxima and sums over the rows (a max-plus system), because
the row interleaver takes rows in a fixed order: QK^T of rows 0 .. D - 1, PV of row 0, QK^T of
row D, PV of row 1, ... with D = row_slots. With T_i the beats of row i:

    QK^T     issues T_i beats back to back: mask decoding keeps up, the array never waits for it
    softmax  takes T_i cycles in its second pass, rows in order, once the row's maximum is known
    PV       issues T_i beats once the row's normalisation has passed the row buffer; its last beat
             keeps width / lanes cycles from that of the row before and needs a free output place
    output   rows are taken as they come: the hidden memory is always ready

All latencies are the constants that the units in rtl_gen state.
"""

from dataclasses import astuple, dataclass

import numpy as np
from numba import njit

from model.masks.strategies import row_beats
from rtl_gen.attention.attention import Attention
from rtl_gen.attention.output_unit import OutputUnit
from rtl_gen.attention.row_buffer import RowBuffer
from rtl_gen.attention.row_interleaver import RowInterleaver
from rtl_gen.attention.softmax import Softmax
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from rtl_gen.interfaces.memories import OUTPUT_ROWS


@dataclass(frozen=True)
class AttentionCycles:
    """Where the cycles of one or more heads go; `total` is the counter `attention_cycles`."""

    start: int = 0
    """Before the first beat."""
    qk: int = 0
    """Beats of QK^T."""
    pv: int = 0
    """Beats of PV."""
    stall: int = 0
    """Cycles between first and last beat in which the array waits."""
    drain: int = 0
    """After the last beat, until the last output row is written."""

    @property
    def total(self) -> int:
        return self.start + self.qk + self.pv + self.stall + self.drain

    def __add__(self, other: "AttentionCycles") -> "AttentionCycles":
        pairs = zip(astuple(self), astuple(other), strict=True)
        return AttentionCycles(*(a + b for a, b in pairs))


def beats_of(masks: np.ndarray, live: np.ndarray, lanes: int) -> np.ndarray:
    """Array beats (h, rows) of every live query row, for masks (h, n, n) and live (n,), both bool.

    Key j lies in bank j mod lanes; a row takes as many beats as its fullest bank has kept live
    keys, and at least one.

    Raises:
        UserError: masks and live tokens of different networks.
    """
    tokens = live.shape[0]
    if live.shape != (tokens,) or masks.ndim != 3 or masks.shape[1:] != (tokens, tokens):
        raise UserError(
            f"masks of shape {masks.shape} with live tokens of shape {live.shape}: expected "
            "(heads, n, n) and (n,)"
        )
    if not masks.dtype == live.dtype == np.bool_:
        raise UserError(f"masks are {masks.dtype}, live tokens {live.dtype}: expected bool")
    return row_beats(masks[:, live] & live, lanes)


def attend_cycles(config: AcceleratorConfig, beats: np.ndarray) -> AttentionCycles:
    """Cycles of one head from the beats (rows,) of its live query rows in order.

    Raises:
        UserError: rows or beats that the configuration cannot have.
    """
    beats = np.asarray(beats, dtype=np.int64)
    if beats.ndim != 1 or not 1 <= len(beats) <= config.max_tokens:
        raise UserError(
            f"beats of shape {beats.shape}: expected one number for each of 1 to "
            f"{config.max_tokens} live rows"
        )
    if not 1 <= beats.min() <= beats.max() <= config.bank_depth:
        raise UserError(
            f"rows of {beats.min()} to {beats.max()} beats: expected 1 to {config.bank_depth}"
        )
    first_issue = Attention.FIRST_ISSUE_LATENCY
    last_issue, last_taken = _schedule(
        beats,
        config.row_slots,
        OUTPUT_ROWS,
        first_issue,
        Attention.score_latency(config) + Softmax.row_max_latency(config),
        Softmax.normalise_latency(config) + RowBuffer.LATENCY + RowInterleaver.LATENCY,
        RowInterleaver.output_cycles(config),
        Attention.column_latency(config) + OutputUnit.latency(config),
        1 + RowInterleaver.LATENCY,
    )
    work = int(np.sum(beats))
    after_last = last_taken - last_issue - 1 + Attention.IDLE_LATENCY
    return AttentionCycles(
        start=first_issue - 1,
        qk=work,
        pv=work,
        stall=last_issue + 1 - first_issue - 2 * work,
        drain=after_last,
    )


def attend_heads(config: AcceleratorConfig, beats: np.ndarray) -> AttentionCycles:
    """Sum over heads that run one after the other, from beats (heads, rows)."""
    return sum((attend_cycles(config, head) for head in beats), AttentionCycles())


@njit(cache=True)
def _schedule(
    beats,
    row_slots,
    output_rows,
    first_issue,
    issue_to_second_pass,
    second_pass_to_issue,
    output_cycles,
    issue_to_output,
    taken_to_issue,
):
    """(last issue, last output row), in cycles after the transfer of the start.

    The arguments that join two units are latencies between the named events of a row.
    """
    rows = len(beats)
    pv_ready = np.zeros(rows, np.int64)
    taken = np.zeros(rows, np.int64)
    free = first_issue
    second_pass_free = 0
    last_pv = -output_cycles
    qk_row = 0
    for row in range(rows):
        while qk_row < min(rows, row + row_slots):
            free += beats[qk_row]
            second_pass = max(free - 1 + issue_to_second_pass, second_pass_free)
            second_pass_free = second_pass + beats[qk_row]
            pv_ready[qk_row] = second_pass_free - 1 + second_pass_to_issue
            qk_row += 1
        last = max(free, pv_ready[row]) + beats[row] - 1
        last = max(last, last_pv + output_cycles)
        if row >= output_rows:
            last = max(last, taken[row - output_rows] + taken_to_issue)
        taken[row] = last + issue_to_output
        last_pv = last
        free = last + 1
    return last_pv, taken[-1]
