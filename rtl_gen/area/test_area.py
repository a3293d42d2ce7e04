"""Predicted cells: against synthesis, on samples of the fit and on others, and against sense."""

from dataclasses import replace

import pytest

from rtl_gen.area import measured, model, samples
from rtl_gen.area.errors import compare, comparisons, worst_errors
from rtl_gen.area.features import UNITS, rams_of
from rtl_gen.area.rams import rams
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.memory import Memory
from rtl_gen.memory.sram import definitions, sram_name
from rtl_gen.presets import PRESETS, get_config
from rtl_gen.synthesis.ultrascale import ULTRASCALE
from rtl_gen.synthesis.xilinx import COMMAND
from rtl_gen.synthesis.yosys import map_apart

ROWS = measured.read(model.MEASURED)

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


def test_every_sample_is_measured_whole():
    wanted = samples.training() | samples.held_back()
    assert {(row.sample, row.unit) for row in ROWS} == {
        (name, unit) for name in wanted for unit in UNITS
    }
    for row in ROWS:
        assert (
            replace(row.config, frequency_mhz=wanted[row.sample].frequency_mhz)
            == (wanted[row.sample])
        )


def test_nothing_held_back_is_fitted_on():
    training, held_back = samples.training(), samples.held_back()
    assert not {*training.values()} & {*held_back.values()}
    fitted = model.fit([row for row in ROWS if row.sample in training])
    for unit in UNITS:
        assert (
            fitted.counts(unit, PRESETS["default"]) == model.predict_units(PRESETS["default"])[unit]
        )


def test_the_fit_describes_its_own_samples():
    training = samples.training()
    for one in compare(row for row in ROWS if row.sample in training):
        for column, most in {"luts": 0.05, "flip_flops": 0.05, "dsps": 0.05}.items():
            assert abs(one.error(column)) < most, (one.sample, column)


def test_errors_are_of_whole_accelerators():
    one = comparisons()[0]
    rows = [row for row in ROWS if row.sample == one.sample]
    shared = ("dispatcher", "cluster_rest", "packer", "reader", "registers", "writer", "top_rest")
    luts = sum(row.counts["luts"] * (1 if row.unit in shared else one.config.cores) for row in rows)
    assert one.counted["luts"] == luts
    assert one.error("luts") == pytest.approx((one.predicted["luts"] - luts) / luts)
    assert worst_errors()["block_rams"] == 0


LOGIC = ("luts", "flip_flops", "dsps")
LADDERS = {
    "lanes": ((2, 4, 8, 16), LOGIC),
    "width": ((16, 32, 64, 128), LOGIC),
    "cores": ((1, 2, 4, 8), LOGIC),
    # With more words a memory leaves the tables for blocks.
    "max_tokens": ((50, 100, 198, 577, 1024), ("dsps", "block_rams")),
    "max_dim": ((768, 1536, 3072), ("dsps", "block_rams")),
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


def test_the_clock_is_in_no_cell():
    fast = AcceleratorConfig(frequency_mhz=1000)
    assert model.predict(fast) == model.predict(PRESETS["default"])
