"""Several cores by the cycle model: what they share is counted once, heads take the longest."""

import numpy as np
import pytest

from model.network.shape import Network
from model.pruning.schedule import NO_PRUNING
from rtl_gen.control.commands import Opcode
from rtl_gen.errors import UserError
from rtl_gen.interfaces.program import record_bytes
from rtl_gen.presets import get_config
from sim_models.memory import MemoryTiming
from sim_models.on_chip import on_chip_bytes
from sim_models.program import program_cycles
from sim_models.sweeps.energy import energy_table
from sim_models.workload import Simulation, Workload, simulate

SHAPE = Network(name="some", heads=2, layers=2, head_dim=8, grid=(2, 4), patch=(2, 4), classes=11)
CORES = 4


def simulation(cores: int) -> Simulation:
    live = np.ones((SHAPE.layers, SHAPE.tokens), dtype=np.bool_)
    work = Workload(network=SHAPE, masks=None, schedule=NO_PRUNING, live=live)
    return simulate(get_config("tiny", cores=cores), work)


def test_a_batch_reads_its_program_once():
    """A core more: its patches, 9 tokens of 3 rows; a LOAD, a STORE; 3 rows of logits."""
    one, several = simulation(1), simulation(CORES)
    width, record = one.config.width, record_bytes(one.config)
    more = {
        "read": several.activity.read_bytes - one.activity.read_bytes,
        "written": several.activity.written_bytes - one.activity.written_bytes,
    }
    each = {"read": 9 * 3 * width + 2 * record, "written": 3 * width}
    assert more == {name: (CORES - 1) * size for name, size in each.items()}


def test_what_a_core_does_all_do():
    one, several = simulation(1), simulation(CORES)
    counters = one.cycles.counters, several.cycles.counters
    for name in ("linear_beats", "qk_beats", "pv_beats"):
        assert counters[1][name] == CORES * counters[0][name]
    for name in ("linear_cycles", "attention_cycles", "norm_cycles", "weight_stalls"):
        assert counters[1][name] == counters[0][name]
    assert several.activity.macs == CORES * one.activity.macs
    bits = several.activity.memory_bits
    assert bits.pop("stream") == [8 * several.activity.read_bytes] * 2
    for name, both in bits.items():
        assert both == [CORES * count for count in one.activity.memory_bits[name]], name
    assert several.array_utilisation > 0.8 * one.array_utilisation
    ratio = several.images_per_second / one.images_per_second
    assert ratio == pytest.approx(CORES * one.cycles.total / several.cycles.total)
    stream = one.config.stream_beats * one.config.bus_bytes
    alone = on_chip_bytes(one.config) - stream
    assert on_chip_bytes(several.config) == stream + CORES * alone


def test_energy_of_an_image_falls_with_the_traffic():
    """By its share of the port's and of the read-ahead memory's; arithmetic is that of an image."""
    table = energy_table()
    one, several = (
        table.microjoules(done.config, vars(done.activity))
        for done in (simulation(1), simulation(CORES))
    )
    assert several["mac"] == one["mac"]
    assert several["other"] == one["other"]
    assert several["dram"] < one["dram"] / 2
    assert several["sram"] < one["sram"]


def test_a_head_takes_as_long_as_its_slowest_core():
    commands = [
        {"opcode": Opcode.SET_TOKENS, "count": 9},
        {"opcode": Opcode.ATTEND},
        {"opcode": Opcode.ATTEND},
        {"opcode": Opcode.HALT},
    ]
    few, many = np.full(9, 1), np.array([5, 1, 3, 5, 5, 2, 4, 5, 5])
    memory, single = MemoryTiming(), get_config("tiny")

    def counters(config, *beats: np.ndarray) -> dict[str, int]:
        return program_cycles(config, commands, beats, memory).counters

    short, long = counters(single, few, few), counters(single, many, many)
    assert short["attention_cycles"] < long["attention_cycles"]
    pair = get_config("tiny", cores=2)
    crossed = counters(pair, np.stack([few, many]), np.stack([many, few]))
    assert crossed["attention_cycles"] == long["attention_cycles"]
    assert crossed["qk_beats"] == 2 * (few.sum() + many.sum())
    assert counters(pair, few, many)["qk_beats"] == 2 * (few.sum() + many.sum())
    with pytest.raises(UserError, match=r"beats of shape \(3, 9\) .* on each of 2 cores"):
        counters(pair, few, np.stack([few, few, few]))
