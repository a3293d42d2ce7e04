"""Predicted cells: against synthesis, on samples of the fit and on others, and against sense."""

from dataclasses import replace

import pytest

from rtl_gen.area import measured, model
from rtl_gen.area.errors import compare, comparisons, unseen, worst_errors
from rtl_gen.area.features import UNITS, memories_of, rams_of
from rtl_gen.area.rams import rams
from rtl_gen.area.samples import samples
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.memory import Memory
from rtl_gen.memory.sram import definitions, sram_name
from rtl_gen.presets import PRESETS, get_config
from rtl_gen.synthesis.ultrascale import ULTRASCALE
from rtl_gen.synthesis.xilinx import COMMAND
from rtl_gen.synthesis.yosys import map_apart

ROWS = measured.read(model.MEASURED)

LOGIC = ("luts", "flip_flops", "dsps", "gates")

SHAPES = [
    (64, 64, 1),
    (65, 60, 1),
    (88, 58, 1),
    (300, 9, 1),
    (400, 9, 1),
    (513, 60, 1),
    (68, 64, 4),
]
"""Words, bits and chunks on both sides of where the kind of RAM or its number changes."""


def test_rams_are_those_that_yosys_chooses():
    names = [sram_name(*shape) for shape in SHAPES]
    instances = "\n".join(f"(* keep *) {name} {name}_i();" for name in names)
    top = f"module top();\n{instances}\nendmodule\n"
    mapped = map_apart(definitions(names) + top, "top", COMMAND, names)
    for (words, bits, chunks), name in zip(SHAPES, names, strict=True):
        memory = Memory(name="m", holds="", words=words, shape=bits, chunks=chunks)
        counted, predicted = ULTRASCALE.count(mapped[name]), rams(memory)
        assert counted["block_rams"] == predicted.block_rams, name
        assert counted["luts"] >= predicted.tables, name


def test_rams_of_every_unit_were_counted():
    assert {row.unit for row in ROWS} == set(UNITS)
    for row in ROWS:
        assert rams_of(row.config, row.unit).block_rams == row.counts["block_rams"], row
        bits = sum(memory.total_bits for memory in memories_of(row.config, row.unit))
        assert bits == row.counts["sram_bits"], row


def test_every_sample_is_measured_whole():
    wanted = samples()
    assert {(row.sample, row.unit) for row in ROWS} == {
        (name, unit) for name in wanted for unit in UNITS
    }
    for row in ROWS:
        assert row.config == replace(wanted[row.sample], frequency_mhz=row.config.frequency_mhz)


def test_the_fit_describes_its_own_samples():
    for name in samples():
        one = compare([row for row in ROWS if row.sample == name], model.fitted())
        for column in ("luts", "flip_flops", "gates"):
            assert abs(one.error(column)) < 0.02, (name, column)
        assert abs(one.predicted["dsps"] - one.counted["dsps"]) <= 4 * one.config.cores, name


def test_errors_are_not_worse_than_is_told():
    """docs/results.md shows them; a fit that gets worse is noticed."""
    limits = {"luts": 0.03, "flip_flops": 0.065, "dsps": 0.06, "gates": 0.03}
    limits |= {"block_rams": 0, "sram_bits": 0}
    for column, error in worst_errors().items():
        assert error <= limits[column], column


def test_what_is_unseen_plays_no_part():
    """Whatever was counted in a sample, and in units equal to its own, its prediction stays."""
    found = unseen(ROWS, "small")
    texts = {row.text for row in ROWS if row.sample == "small"}
    assert any(row.text in texts for row in ROWS if row.sample != "small")
    other = [
        replace(row, counts={name: 7 * count for name, count in row.counts.items()})
        if row.text in texts
        else row
        for row in ROWS
    ]
    again = unseen(other, "small")
    assert again.predicted == found.predicted
    assert again.counted["luts"] == 7 * found.counted["luts"]


def test_errors_are_of_whole_accelerators():
    one = next(one for one in comparisons() if one.config.cores > 1)
    rows = [row for row in ROWS if row.sample == one.sample]
    shared = ("dispatcher", "cluster_rest", "packer", "reader", "registers", "writer", "top_rest")
    luts = sum(row.counts["luts"] * (1 if row.unit in shared else one.config.cores) for row in rows)
    assert one.counted["luts"] == luts
    assert one.error("luts") == pytest.approx((one.predicted["luts"] - luts) / luts)
    assert worst_errors()["luts"] >= abs(one.error("luts"))
    assert worst_errors()["block_rams"] == 0


LADDERS = {
    "lanes": ((2, 4, 8, 16), LOGIC),
    "width": ((16, 32, 64, 128), LOGIC),
    "cores": ((1, 2, 4, 8), LOGIC),
    # With more words a memory leaves the tables for blocks.
    "max_tokens": ((50, 100, 198, 577, 1024), ("dsps", "block_rams", "sram_bits")),
    "max_dim": ((768, 1536, 3072), ("dsps", "block_rams", "sram_bits")),
}


@pytest.mark.parametrize("name", LADDERS)
def test_more_of_anything_takes_no_fewer_cells(name):
    values, columns = LADDERS[name]
    found = [
        model.predict(get_config("half", **{"bus_bytes": 16, name: value})) for value in values
    ]
    for column in columns:
        counts = [counts[column] for counts in found]
        assert counts == sorted(counts), column
    assert found[0] != found[-1]


def test_cores_are_copies_beside_what_they_share():
    counts = [model.predict(get_config("default", cores=cores)) for cores in (1, 2, 4)]
    shared_rams = rams_of(PRESETS["default"], "reader").block_rams
    rams_each = counts[0]["block_rams"] - shared_rams
    assert [one["block_rams"] for one in counts] == [
        cores * rams_each + shared_rams for cores in (1, 2, 4)
    ]
    assert counts[1]["dsps"] - counts[0]["dsps"] >= PRESETS["default"].macs


def test_parity_takes_a_bit_a_chunk_and_looks_at_every_word():
    plain, guarded = (model.predict(get_config("tiny", parity=parity)) for parity in (0, 1))
    memories = [one for unit in UNITS for one in memories_of(get_config("tiny"), unit)]
    bits = sum(memory.banks * memory.words * memory.chunks for memory in memories)
    assert guarded["sram_bits"] == plain["sram_bits"] + bits
    for column in ("luts", "flip_flops", "gates"):
        assert guarded[column] > plain[column]
    assert guarded["dsps"] == plain["dsps"]


def test_the_clock_is_in_no_cell():
    fast = AcceleratorConfig(frequency_mhz=1000)
    assert model.predict(fast) == model.predict(PRESETS["default"])
