"""What the figures show, counted by hand or by brute force, and their files."""

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest

from model.attention.maps import load_attention_maps
from model.files.plot_style import FORMATS
from model.masks.strategies import make_masks
from model.network.names import DEIT_TINY, NETWORKS, VIT_DIGITS
from model.network.shape import Network
from model.pruning.placement import LayerTokens
from model.pruning.schedule import DEFAULT_SCHEDULE, NO_PRUNING
from rtl_gen.interfaces.program import record_bytes
from rtl_gen.presets import get_config
from sim_models.figures.breakdown import breakdown_data, breakdown_table, draw_breakdown
from sim_models.figures.catalogue import write_figure
from sim_models.figures.operations import OPERATIONS
from sim_models.figures.pareto import attention_kept, on_front
from sim_models.figures.scaling import (
    draw_scaling,
    scaling_data,
    scaling_points,
    scaling_table,
)
from sim_models.figures.speedup import draw_speedup, speedup_data, speedup_table
from sim_models.figures.timeline import by_stage, timeline_data
from sim_models.figures.workload import Setting, variants
from sim_models.macs import kept_entries, network_macs
from sim_models.memory import MemoryTiming
from sim_models.network import NetworkCycles, assumed_live, network_cycles
from sim_models.workload import Workload

SETTING = Setting(networks=(DEIT_TINY,))
DIGITS_ON_SMALL = Setting(config=get_config("small"), networks=(VIT_DIGITS,), network=VIT_DIGITS)
TOY = Network(
    name="toy", heads=2, layers=2, head_dim=3, grid=(2, 2), colours=1, patch=(2, 2), classes=7
)


def ignore(_points: int) -> None:
    pass


@pytest.fixture(scope="module")
def breakdown() -> pd.DataFrame:
    return breakdown_data(SETTING, ignore)


@pytest.fixture(scope="module")
def timeline() -> pd.DataFrame:
    return timeline_data(SETTING, ignore)


def speedups(*values: float) -> pd.DataFrame:
    points = itertools.product(("deit_tiny", "deit_small"), (0.5, 0.8))
    return pd.DataFrame(
        [
            {
                "network": network,
                "attention_maps": "measured",
                "sparsity": sparsity,
                "sparse_cycles": 1000,
                "pruned_cycles": 800,
                "speedup": value,
            }
            for (network, sparsity), value in zip(points, values, strict=True)
        ]
    )


@pytest.mark.parametrize(
    ("name", "percent"), [("deit_tiny", 14.6), ("deit_small", 7.9), ("deit_base", 4.1)]
)
def test_attention_has_the_published_share_of_macs(name, percent):
    """The paper's motivation: QK^T and PV among the operations of all layers."""
    network = NETWORKS[name]
    live = np.ones((network.layers, network.tokens), dtype=np.bool_)
    macs = network_macs(
        network, NO_PRUNING.layer_tokens(network), kept_entries(network, None, live)
    )
    layers = sum(macs[name] for name in ("qkv", "attention", "projection", "ffn"))
    assert round(100 * macs["attention"] / layers, 1) == percent


def test_macs_of_a_toy_network_are_those_of_its_loops():
    rng = np.random.default_rng(0)
    masks = rng.random(TOY.mask_shape) < 0.6
    live = np.array([[1, 1, 1, 1, 1], [1, 0, 1, 1, 0]], dtype=np.bool_)
    entries = sum(
        masks[layer, head, query, key] and live[layer, query] and live[layer, key]
        for layer, head, query, key in np.ndindex(*masks.shape)
    )
    assert kept_entries(TOY, masks, live) == entries
    assert kept_entries(TOY, None, live) == 2 * (25 + 9)
    tokens = [LayerTokens(5, 3, 3), LayerTokens(3, 2, 2)]
    assert network_macs(TOY, tokens, entries) == {
        "patch_embedding": 4 * 4 * 6,
        "qkv": (5 + 3) * 6 * 18,
        "attention": entries * 3 + entries * 3,
        "projection": (3 + 2) * 6 * 6,
        "ffn": (3 + 2) * (6 * 24 + 24 * 6),
        "classifier": 6 * 7,
    }


def test_breakdown_adds_up(breakdown):
    dense = breakdown[breakdown["variant"] == "dense"].set_index("operation")
    assert list(dense.index) == list(NetworkCycles().operations())
    assert dense["cycles"].sum() == network_cycles(SETTING.config, DEIT_TINY).total
    for _, group in breakdown.groupby("variant"):
        assert group["flops_share"].sum() == pytest.approx(1)
        assert group["cycles_share"].sum() == pytest.approx(1)
        assert group["utilisation"].max() <= 1
    ffn_flops = 2 * 12 * 197 * 2 * 192 * 768
    assert dense.loc["ffn", "flops"] == ffn_flops
    assert dense.loc["ffn", "milliseconds"] == dense.loc["ffn", "cycles"] / 500e3
    rows = breakdown_table(breakdown).rows
    assert {row[0] for row in rows} == {"deit_tiny"}
    shown = {row[1]: row[2] for row in rows}
    assert shown["FFN"] == f"{ffn_flops / dense['flops'].sum():.1%}"


def test_bars_of_the_breakdown_are_whole(breakdown):
    for axes in draw_breakdown(breakdown).axes:
        ends: dict[float, float] = {}
        for bar in axes.patches:
            ends[bar.get_y()] = ends.get(bar.get_y(), 0) + bar.get_width()
        assert list(ends.values()) == pytest.approx([100, 100])


def test_every_operation_has_its_own_colour():
    assert OPERATIONS.keys() == NetworkCycles().operations().keys()
    assert len({look.colour for look in OPERATIONS.values()}) == len(OPERATIONS)


def test_timeline_is_without_gap_or_overlap(timeline):
    for variant, work in variants(DEIT_TINY, SETTING.seed).items():
        segments = timeline[timeline["variant"] == variant]
        assert segments["start"].iloc[0] == 0
        assert (segments["start"].iloc[1:].to_numpy() == segments["end"].iloc[:-1]).all()
        assert (segments["end"] > segments["start"]).all()
        cycles = work.cycles(SETTING.config, SETTING.memory)
        assert segments["end"].iloc[-1] == cycles.counters["cycles"]
        spent = (segments["end"] - segments["start"]).groupby(segments["operation"]).sum()
        assert spent.to_dict() == cycles.operations()


def test_timeline_follows_the_schedule(timeline):
    stages = ["input", *(f"layer {index}" for index in range(12)), "output"]
    tokens = [196 - gone + 1 for gone in (0, 0, 0, 0, 20, 26, 34, 45, 59, 77, 102, 134)]
    for variant, expected in (("dense", [197] * 12), ("80% sparse, pruned", tokens)):
        segments = timeline[timeline["variant"] == variant]
        assert list(dict.fromkeys(segments["stage"])) == stages
        found = segments.dropna(subset="tokens").groupby("stage", sort=False)["tokens"]
        assert list(found.unique().map(lambda counts: int(counts[0]))) == expected
    assert (by_stage(timeline).groupby(["variant", "stage"])["offset"].min() == 0).all()


def test_front_leaves_out_what_is_worse_in_both():
    points = [(10, 0.9), (10, 0.8), (12, 0.9), (8, 0.5), (9, 0.5), (20, 1.0), (10, 0.9)]
    data = pd.DataFrame(points, columns=["cycles", "attention_kept"])
    assert on_front(data) == [True, False, False, True, False, True, True]


def test_kept_attention_counts_dropped_queries_as_nothing():
    averaged = np.full(TOY.mask_shape, 1 / 5)
    masks = np.ones(TOY.mask_shape, dtype=np.bool_)
    masks[1, 1, 0] = False
    live = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]], dtype=np.bool_)
    work = Workload(network=TOY, masks=masks, schedule=DEFAULT_SCHEDULE, live=live)
    # Layer 0 keeps all; layer 1 two queries of two keys in one head, one in the other.
    expected = (2 * 1 + (2 * 2 / 5) / 5 + (1 * 2 / 5) / 5) / 4
    assert attention_kept(work, averaged) == pytest.approx(expected)
    dense = dataclasses.replace(work, masks=None, live=np.ones_like(live))
    assert attention_kept(dense, averaged) == pytest.approx(1)


def test_speedup_is_over_the_same_masks_alone():
    data = speedup_data(SETTING, ignore).set_index("sparsity")
    assert data.index.tolist() == [0.5, 0.6, 0.7, 0.8]
    maps = load_attention_maps("deit_tiny").maps
    masks = make_masks(maps, 0.7, prefix=1)
    live = assumed_live(DEIT_TINY, maps, masks, DEFAULT_SCHEDULE)
    sparse = network_cycles(SETTING.config, DEIT_TINY, masks=masks)
    pruned = network_cycles(
        SETTING.config, DEIT_TINY, masks=masks, schedule=DEFAULT_SCHEDULE, live=live
    )
    assert data.loc[0.7, "sparse_cycles"] == sparse.total
    assert data.loc[0.7, "pruned_cycles"] == pruned.total
    assert data.loc[0.7, "speedup"] == pytest.approx(sparse.total / pruned.total)
    assert data.loc[0.7, "attention_maps"] == "measured"


def test_speedup_bars_and_mean():
    data = speedups(1.1, 1.2, 1.3, 1.6)
    axes = draw_speedup(data).axes[0]
    assert sorted(bar.get_height() for bar in axes.patches) == [1.1, 1.2, 1.3, 1.6]
    assert [line.get_ydata()[0] for line in axes.lines] == [pytest.approx(1.3), 1.31]
    assert speedup_table(data).rows[-1] == ("mean", "", "", "", "", "1.300x")
    assert speedup_table(data).rows[0][2:5] == ("50%", "1,000", "800")


@pytest.fixture(scope="module")
def scaling() -> pd.DataFrame:
    return scaling_data(DIGITS_ON_SMALL, ignore)


def test_scaling_takes_what_a_configuration_can_become(scaling):
    """Rows of 16 channels: 4 and 8 lanes, not 16; the port takes 16 bytes of 64."""
    machines = {"lanes": {4, 8}, "cores": {1, 2, 4, 8}, "rate": {4, 16, 64}}
    assert {name: set(scaling[name]) for name in machines} == machines
    assert len(scaling) == scaling_points(DIGITS_ON_SMALL) == 2 * 2 * 4 * 3
    assert not scaling.duplicated(["variant", *machines]).any()
    of = [scaling[scaling["rate"] == rate]["cycles"].tolist() for rate in (4, 16, 64)]
    assert of[0] != of[1] == of[2]


def test_scaling_tells_images_and_their_bytes(scaling):
    """A core more reads its patches, 50 tokens of 48 channels, a LOAD and a STORE."""
    at = scaling.set_index(["variant", "lanes", "cores", "rate"]).sort_index()
    one, several = (at.loc["dense", 8, cores, 4] for cores in (1, 4))
    config = get_config("small", lanes=8, cores=4)
    cycles = network_cycles(config, VIT_DIGITS, memory=MemoryTiming(100, 4)).total
    assert several["cycles"] == cycles
    assert several["images_per_second"] == pytest.approx(4 * 500e6 / cycles)
    more = 50 * 48 + 2 * record_bytes(config)
    assert 4 * several["read_bytes"] == pytest.approx(one["read_bytes"] + 3 * more, abs=2)


def test_scaling_draws_a_line_a_memory_and_variant(scaling):
    *panels, traffic = draw_scaling(scaling).axes
    assert [len(axes.lines) for axes in panels] == [2 * 3] * 2
    drawn = {tuple(line.get_ydata()) for axes in panels for line in axes.lines}
    groups = scaling.groupby(["variant", "lanes", "rate"])
    assert drawn == {tuple(points["images_per_second"]) for _, points in groups}
    assert max(line.get_ydata()[0] for line in traffic.lines) == scaling["read_bytes"].max() / 1e6
    assert len(scaling_table(scaling).rows) == len(scaling)


def test_files_are_the_same_each_time(breakdown, tmp_path):
    first, again = (write_figure("breakdown", breakdown, tmp_path / name) for name in "ab")
    assert [path.suffix[1:] for path in first] == ["csv", *FORMATS]
    contents = [path.read_bytes() for path in first]
    assert contents == [path.read_bytes() for path in again]
    assert contents[1].startswith(b"\x89PNG")
    assert b"</svg>" in contents[2]
    assert b"<dc:date>" not in contents[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["figures", "pie"], "error: no figure 'pie': expected some of breakdown, "),
        (["figures", "--config", "tiny"], "error: deit_tiny needs max_tokens = 197"),
        (["figures", "--model", "vgg"], "error: unknown model 'vgg'"),
        (
            ["figures", "--model", "vit_tiny_patch16_384"],
            "error: vit_tiny_patch16_384 needs max_tokens",
        ),
        (["report", "--latency", "1"], "error: memory latency 1: expected at least 2"),
        (["report", "--runs", "broken"], "error: broken/run.json is no result of `make deit`"),
    ],
)
def test_bad_input_is_one_line_and_no_file(
    arguments, message, tmp_path, monkeypatch, command, capsys
):
    monkeypatch.chdir(tmp_path)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "run.json").write_text("{}")
    assert command(*arguments) == 2
    printed = capsys.readouterr().err
    assert printed.startswith(message)
    assert printed.count("\n") == 1
    assert list(tmp_path.iterdir()) == [broken]
