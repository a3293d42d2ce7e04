"""What every command does on the preset `tiny`, counted by hand: 2 lanes, rows of 64 bits."""

import pytest

from model.program.step import Step
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.commands import Opcode
from rtl_gen.interfaces.program import Destination
from rtl_gen.interfaces.targets import Target
from rtl_gen.presets import get_config
from sim_models.activity import Activity, network_activity

TINY, TWO_CORES = get_config("tiny"), get_config("tiny", cores=2)
COUNTERS = ("linear_beats", "qk_beats", "pv_beats", "rows_read", "rows_written")
LAYER = {"tiles": 3, "slices": 2, "source": Target.ACTIVATION, "only_cls": 0}
"""3 x 2 tiles; on 7 tokens 42 steps and 21 results."""
STEPS = {
    "live_list": [420, 0],
    "accumulators": [21 * 64, 21 * 64],
    "activation": [42 * 64, 0],
    "weights": [6 * 128, 6 * 128],
}


def activity_of(
    *commands: tuple[Opcode, dict],
    config: AcceleratorConfig = TINY,
    tokens: int = 7,
    **counters: int,
) -> Activity:
    """Of commands behind that of so many tokens."""
    all_of_it = [(Opcode.SET_TOKENS, {"count": tokens}), *commands]
    steps = [Step("any", opcode, fields) for opcode, fields in all_of_it]
    counted = dict.fromkeys(COUNTERS, 0) | counters
    return network_activity(config, steps, counted)


def bits(activity: Activity) -> dict[str, list[int]]:
    """Of the memories that were used; without the first list of live tokens."""
    found = {name: list(both) for name, both in activity.memory_bits.items()}
    found["live_list"][1] -= 7 * 5
    return {name: both for name, both in found.items() if any(both)}


@pytest.mark.parametrize(
    ("opcode", "fields", "memories", "multiplications", "additions"),
    [
        pytest.param(
            Opcode.LINEAR,
            LAYER | {"destination": Destination.RESIDUAL},
            STEPS | {"residual": [21 * 64, 42 * 16], "statistics": [21 * 55, 21 * 55]},
            84,
            84 + 126,
            id="to the residual stream",
        ),
        pytest.param(
            Opcode.LINEAR,
            LAYER | {"destination": Destination.QKV},
            STEPS | {"query": [0, 7 * 64], "kv": [0, 14 * 64]},
            42,
            84,
            id="to Q, K and V",
        ),
        pytest.param(
            Opcode.LINEAR,
            LAYER | {"destination": Destination.HIDDEN},
            STEPS | {"gelu": [21 * 16, 0], "hidden": [0, 42 * 8]},
            42,
            84,
            id="through GELU",
        ),
        pytest.param(
            Opcode.LINEAR,
            LAYER | {"source": Target.HIDDEN, "destination": Destination.LOGITS, "only_cls": 1},
            {
                "live_list": [60, 0],
                "accumulators": [3 * 64, 3 * 64],
                "hidden": [6 * 64, 6 * 16],
                "weights": [6 * 128, 6 * 128],
            },
            6,
            12,
            id="to logits",
        ),
        pytest.param(
            Opcode.NORM,
            {"dim": 16, "only_cls": 0},
            {
                "live_list": [70, 0],
                "residual": [112 * 16, 0],
                "statistics": [7 * 55, 0],
                "channel_shifts": [112 * 3, 0],
                "activation": [0, 112 * 8],
            },
            112,
            0,
            id="norm",
        ),
        pytest.param(
            Opcode.NORM,
            {"dim": 12, "only_cls": 1},
            {
                "live_list": [10, 0],
                "residual": [256, 0],
                "statistics": [55, 0],
                "channel_shifts": [48, 0],
                "activation": [0, 128],
            },
            16,
            0,
            id="norm of one token, rows not full",
        ),
        pytest.param(
            Opcode.ATTEND,
            {},
            {
                "live_list": [70, 0],
                "mask": [7 * 64, 0],
                "query": [7 * 64, 0],
                "output_rows": [7 * 69, 7 * 69],
                "hidden": [0, 7 * 64],
            },
            56,
            0,
            id="rows of attention",
        ),
        pytest.param(
            Opcode.PRUNE,
            {"count": 3},
            {"importance": [7 * 4 * 48, 4 * 48], "live_list": [0, 15]},
            0,
            0,
            id="selection",
        ),
        pytest.param(
            Opcode.POOL,
            {"prefix": 2, "dim": 12},
            {
                "live_list": [400, 0],
                "residual": [40 * 64, 256],
                "statistics": [8 * 55, 8 * 55],
            },
            32,
            7 * 16,
            id="mean",
        ),
        (Opcode.LOAD, {"target": Target.MASK, "count": 4}, {"mask": [0, 7 * 32]}, 0, 0),
        (Opcode.LOAD, {"target": Target.GELU, "count": 4}, {"gelu": [0, 2 * 256 * 8]}, 0, 0),
        (
            Opcode.LOAD,
            {"target": Target.CHANNEL_SHIFT, "count": 5},
            {"channel_shifts": [0, 60]},
            0,
            0,
        ),
        (Opcode.LOAD, {"target": Target.RESIDUAL, "count": 5}, {"residual": [0, 320]}, 0, 0),
    ],
)
def test_a_command(opcode, fields, memories, multiplications, additions):
    activity = activity_of((opcode, fields))
    assert bits(activity) == memories
    assert (activity.multiplications, activity.additions) == (multiplications, additions)


def test_dropped_tokens_cost_nothing_but_their_sums():
    """A mask and the importance sums are those of all 7 tokens, a norm is that of 3 live ones."""
    first = (Opcode.PRUNE, {"count": 3})
    then = (Opcode.LOAD, {"target": Target.MASK, "count": 4}), (Opcode.PRUNE, {"count": 2})
    found = bits(activity_of(first, *then, (Opcode.NORM, {"dim": 16, "only_cls": 0})))
    assert found["mask"] == [0, 7 * 32]
    assert found["importance"] == [2 * 7 * 4 * 48, 2 * 4 * 48]
    assert found["live_list"] == [20, 15 + 10]
    assert found["activation"] == [0, 32 * 8]


def test_a_mean_reads_every_row_once_for_each_part():
    """17 live tokens, the first left out, of 20 channels in rows of 8, 2 at a time."""
    mean = (Opcode.POOL, {"prefix": 1, "dim": 20})
    activity = activity_of(mean, config=get_config("tiny", max_dim=24), tokens=17)
    assert activity.memory_bits["residual"] == [16 * 12 * 64, 24 * 16]
    assert activity.multiplications == 2 * 24
    assert activity.additions == (16 + 2) * 24


def test_beats_of_attention():
    activity = activity_of(qk_beats=5)
    assert bits(activity) == {
        "kv": [2 * 5 * 128, 0],
        "scores": [170, 170],
        "exponentials": [80, 80],
        "addresses": [50, 50],
        "exp_table": [160, 0],
        "importance": [240, 240],
    }
    assert (activity.multiplications, activity.additions, activity.macs) == (20, 20, 80)


def test_beats_of_the_array():
    assert activity_of(linear_beats=100, qk_beats=10, pv_beats=1).macs == 111 * 16


def test_rows_of_the_port():
    activity = activity_of(rows_read=10, rows_written=4)
    assert (activity.read_bytes, activity.written_bytes) == (80, 32)
    assert bits(activity) == {"stream": [640, 640], "hidden": [256, 0]}


def test_cores_do_the_same_but_for_the_beats_of_attention():
    """A command for one core alone is counted with that of the first one."""
    load = {"target": Target.RESIDUAL, "count": 5}
    commands = [(Opcode.LOAD, load | {"core": core}) for core in (0, 1)]
    activity = activity_of(*commands, (Opcode.NORM, {"dim": 16, "only_cls": 1}), config=TWO_CORES)
    assert activity.memory_bits["residual"] == [2 * 256, 2 * 320]
    assert activity.memory_bits["live_list"] == [2 * 10, 2 * 35]
    assert activity.multiplications == 32
    assert activity_of(config=TWO_CORES, qk_beats=5).memory_bits["kv"] == [2 * 5 * 128, 0]
