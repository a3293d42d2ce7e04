"""What costs energy, counted by hand, and the table of picojoules."""

import pytest

from model.network.names import DEIT_TINY
from model.program.steps import network_steps
from model.pruning.schedule import DEFAULT_SCHEDULE
from rtl_gen.errors import UserError
from rtl_gen.presets import get_config
from sim_models.activity import network_activity
from sim_models.network import dropping_layers, run_network
from sim_models.on_chip import on_chip_bytes
from sim_models.sweeps.energy import DEFAULT_TABLE, energy_table

DEFAULT = get_config("default")


def test_bytes_that_tiny_uses():
    # 197 tokens of 192 channels: int16 residual, int8 activation and hidden, query, K and V.
    large = 197 * (2 * 192 + 192 + 768 + 64) + 8 * 2 * 25 * 64
    assert large < on_chip_bytes(DEFAULT, DEIT_TINY) < 1.2 * large
    assert on_chip_bytes(DEFAULT) > on_chip_bytes(DEFAULT, DEIT_TINY)


def test_array_steps_are_those_of_the_counters():
    """Every step of a linear layer reads one source row; so do query rows, stores and norms."""
    run = run_network(DEFAULT, DEIT_TINY)
    counters = run.program.counters
    activity = network_activity(DEFAULT, run.steps, counters)
    beats = counters["linear_beats"] + counters["qk_beats"] + counters["pv_beats"]
    assert activity.macs == 512 * beats
    source_rows = sum(activity.memory_bits[name][0] for name in ("activation", "hidden")) // 512
    assert source_rows == counters["linear_beats"] + counters["rows_written"]
    assert activity.memory_bits["query"][0] == 12 * 3 * 197 * 512
    assert activity.memory_bits["kv"][0] == 2 * counters["qk_beats"] * 8 * 512
    assert activity.memory_bits["weights"][0] == 8 * 64 * 8 * _tiles(DEIT_TINY)
    assert activity.read_bytes == 64 * counters["rows_read"]


def _tiles(network) -> int:
    """Of 8 x 64 weights."""
    dim = network.dim
    layer = 3 * dim * dim + dim * dim + 8 * dim * dim
    return (768 * dim + 12 * layer + 1000 * dim) // 512


def test_pruning_reads_importance_and_saves_the_rest():
    run = run_network(DEFAULT, DEIT_TINY)
    whole = run.program.counters
    keep = dropping_layers(DEIT_TINY, DEFAULT_SCHEDULE)
    dense = network_activity(DEFAULT, run.steps, whole)
    pruned = network_activity(DEFAULT, network_steps(DEFAULT, DEIT_TINY, keep), whole)
    selections = 9 * 8 * 25 * 8 * 28  # layers, passes, words, banks, bits
    assert pruned.memory_bits["importance"][0] - dense.memory_bits["importance"][0] == selections
    assert pruned.multiplications < dense.multiplications
    assert pruned.memory_bits["hidden"][0] < dense.memory_bits["hidden"][0]


def test_access_follows_the_power_law_between_the_table_s_sizes():
    table = energy_table()
    assert [table.sram_access(size) for size in (8, 32, 1024)] == pytest.approx([10, 20, 100])
    assert table.sram_access(16) == pytest.approx(10 * 2**0.5)
    assert table.sram_access(2) == pytest.approx(5)
    assert table.sram_access(2048) > 100


def test_energy_is_counts_times_picojoules():
    activity = {
        "macs": 1_000_000,
        "multiplications": 10_000,
        "additions": 20_000,
        "read_bytes": 6_000,
        "written_bytes": 2_000,
        "memory_bits": {"query": [640_000, 0], "stream": [0, 64_000]},
    }
    query, stream = (energy_table().sram_access(kb) for kb in (198 * 64 / 1024, 8))
    microjoules = energy_table().microjoules(DEFAULT, activity)
    assert microjoules["mac"] == 0.3
    assert microjoules["sram"] == pytest.approx((10_000 * query + 1_000 * stream) / 1e6, abs=1e-3)
    assert microjoules["dram"] == 1.3
    assert microjoules["other"] == pytest.approx(0.033)
    parts = [value for name, value in microjoules.items() if name != "total"]
    assert microjoules["total"] == pytest.approx(sum(parts), abs=2e-3)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("mac: ", "mack: ", "unknown key 'mack': did you mean 'mac'?"),
        ("dram_64_bits: 1300.0", "", "dram_64_bits: field required"),
        ("mac: 0.3", "mac: -1", "mac: input should be greater than or equal to 0, found -1"),
        ("  32: 20.0\n  1024: 100.0\n", "", "sram_64_bits: expected at least two capacities"),
        ("  32: 20.0", "  0: 20.0", "greater than 0"),
    ],
)
def test_bad_table_is_one_sentence(tmp_path, old, new, message):
    path = tmp_path / "energy.yaml"
    path.write_text(DEFAULT_TABLE.read_text().replace(old, new))
    with pytest.raises(UserError) as caught:
        energy_table(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
