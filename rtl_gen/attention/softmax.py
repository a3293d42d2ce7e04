"""Softmax of query rows, in three overlapping passes that hide behind the array.

    scores -> RowMaximum -> Exponentials -> exponentials
                                 |
                             Normalisation -> rows

The array may multiply a row's exponentials with V once its row is offered. Base 2, after I-BERT and
Softermax, with an exact table: widths and roundings are those of docs/arithmetic.md.
"""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from rtl_gen.attention.exponentials import Exponentials, exponentials_layout
from rtl_gen.attention.normalisation import Normalisation, normalised_row_layout
from rtl_gen.attention.row_maximum import RowMaximum, score_beat_layout
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import scale_layout, slot_write_layout
from rtl_gen.interfaces.ports import always


class Softmax(wiring.Component):
    """
    At most `row_slots` rows are between their first score and the pick-up of their normalisation;
    the caller guarantees it, so there is no back-pressure.

    Attributes
    ----------
    scores : in, beats of scores, always taken
    scale : in, units of V to units of the output, from now on; only while no row is in flight
    exponentials : out, beats of exponentials and their places
    rows : out, normalised rows in order
    """

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        beats = slot_write_layout(config, exponentials_layout(config))
        super().__init__(
            {
                "scores": In(always(score_beat_layout(config))),
                "scale": In(always(scale_layout())),
                "exponentials": Out(always(beats)),
                "rows": Out(stream.Signature(normalised_row_layout(config))),
            }
        )

    @staticmethod
    def row_max_latency(config: AcceleratorConfig) -> int:
        """From the last scores of a row to the first possible cycle of its second pass."""
        return RowMaximum.latency(config)

    @staticmethod
    def normalise_latency(config: AcceleratorConfig) -> int:
        """From the last cycle of the second pass to `rows.valid`."""
        return Exponentials.sum_latency(config) + Normalisation.LATENCY

    def elaborate(self, platform):
        m = Module()
        m.submodules.row_maximum = row_maximum = RowMaximum(self._config)
        m.submodules.exponentials = exponentials = Exponentials(self._config)
        m.submodules.normalisation = normalisation = Normalisation(self._config)
        connect(m, flipped(self.scores), row_maximum.beats)
        connect(m, flipped(self.scale), normalisation.scale)
        connect(m, row_maximum.store, exponentials.store)
        connect(m, row_maximum.rows, exponentials.rows)
        connect(m, exponentials.beats, flipped(self.exponentials))
        connect(m, exponentials.ended, normalisation.ended)
        connect(m, exponentials.sums, normalisation.sums)
        connect(m, normalisation.rows, flipped(self.rows))
        return m
