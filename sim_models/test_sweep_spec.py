"""The specification of a sweep: its grid, and what it refuses before any work."""

from pathlib import Path

import numpy as np
import pytest

from model.files.yaml_file import read_model
from model.masks.strategies import STRATEGY_NAMES
from model.masks.vitcod_file import write_masks
from model.network.names import DEIT_SMALL, DEIT_TINY, NETWORKS
from model.pruning.placement import Placement
from model.pruning.schedule import NO_PRUNING, READINGS, ListedSchedule
from rtl_gen.errors import UserError
from rtl_gen.presets import get_config
from sim_models.sweeps import spec
from sim_models.sweeps.labels import pruning_label
from sim_models.sweeps.spec import STANDARD, SweepSpec


def points_of(folder: Path, text: str):
    path = folder / "grid.yaml"
    path.write_text(text)
    return read_model(path, SweepSpec).points(folder)


def test_standard_grid_has_every_network_sparsity_and_reading():
    points = STANDARD.points()
    assert len(points) == len(NETWORKS) * 5 * (1 + len(READINGS)) == len(set(points))
    assert {p.config for p in points} == {get_config("default")}
    assert {p.masks.sparsity for p in points if p.masks} == {0.5, 0.6, 0.7, 0.8}


def test_grid_is_the_product_of_all_lists(tmp_path):
    masks = np.ones(DEIT_TINY.mask_shape, dtype=np.bool_)
    write_masks(tmp_path / "all.npy", masks)
    points = points_of(
        tmp_path,
        """
        networks: [deit_tiny, deit_small]
        sparsities: [0, 0.5]
        strategies: [vitcod, row_topk]
        mask_files: {deit_tiny: all.npy}
        pruning:
          - none
          - remaining-after-ffn
          - {end: [0.5, 0.7], placement: [before_layer, after_ffn]}
        presets: [default, half]
        overrides: {row_slots: [8, 16], frequency_mhz: 250}
        memory: {latency: [50, 100], rate: 16}
        seeds: [1, 2]
        """,
    )
    # Dense stands in the grid once, whatever the strategy.
    sources = {DEIT_TINY.name: 1 + 2 + 1, DEIT_SMALL.name: 1 + 2}
    machines, memories, seeds, schedules = 2 * 2, 2, 2, 1 + 1 + 4
    for name, count in sources.items():
        of_network = [p for p in points if p.network.name == name]
        assert len(of_network) == count * machines * memories * seeds * schedules
    assert {p.config.frequency_mhz for p in points} == {250}
    assert {(p.memory.latency, p.memory.rate) for p in points} == {(50, 16), (100, 16)}
    ends = {p.schedule.end for p in points if p.schedule.placement is Placement.BEFORE_LAYER}
    assert ends == {0.5, 0.7}
    assert len({p.key() for p in points}) == len(points)


def test_schedule_follows_the_depth_of_a_network_unless_told(tmp_path):
    text = "networks: [vit_digits]\npresets: [small]\npruning: [original-after-attention, {}, %s]"
    first = [p.schedule.first_layer for p in points_of(tmp_path, text % "{first_layer: 2}")]
    assert first == [1, 2]


def test_labels():
    names = {pruning_label(schedule, DEIT_TINY): schedule for schedule in READINGS.values()}
    assert names == READINGS
    assert pruning_label(NO_PRUNING, DEIT_TINY) == "none"
    kept = (196,) * 3 + (50,) * 8 + (0,)
    listed = ListedSchedule(kept=kept, placement="after_ffn")
    expected = f"kept={'/'.join(map(str, kept))} placement=after_ffn"
    assert pruning_label(listed, DEIT_TINY) == expected


def test_listed_tokens(tmp_path):
    kept = [196, 190, 190, 170, 150, 120, 100, 80, 60, 40, 20, 0]
    text = "networks: deit_tiny\npruning: [none, {kept: %s}, {kept: %s, placement: [%s]}]"
    points = points_of(tmp_path, text % (kept, [kept, [5] * 12], "after_attention, after_ffn"))
    leaving = [
        [tokens.leaving for tokens in point.schedule.layer_tokens(DEIT_TINY)] for point in points
    ]
    both = [[count + 1 for count in kept], [6] * 12]
    assert leaving == [[197] * 12, both[0], both[0], both[1], both[1]]
    # The first list stands in the file twice, and once in the grid.
    places = [point.schedule.placement for point in points[1:]]
    assert places == ["after_attention", "after_ffn", "after_attention", "after_ffn"]
    assert len({point.key() for point in points}) == len(points)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sparsity: 0.5", "line 1: unknown key 'sparsity': did you mean 'sparsities'?"),
        ("seeds: 1\nsparsity: 0.5", "line 2: unknown key 'sparsity': did you mean 'sparsities'?"),
        ("seeds: 1\n7: 0.5", "line 2: unknown key 7: expected one of networks"),
        ("seeds: 1\nmemory:\n  latncy: 3", "line 3: memory: unknown key 'latncy': did you mean 'l"),
        ("overrides: {lane: 4}", "unknown key 'lane': did you mean 'lanes'?"),
        (
            "networks:\n- deit_tiny\n- deit_tony",
            "line 3: networks.1: unknown model 'deit_tony': did you mean",
        ),
        (
            "strategies: vitcods",
            f"did you mean 'vitcod'? expected one of {', '.join(STRATEGY_NAMES)}",
        ),
        (
            "seeds: 1\nstrategies: [vitcod, learned]",
            "line 2: strategies: strategy learned needs sco",
        ),
        ("strategies: learned", "needs scores, and none of deit_small come with the project"),
        ("presets: [default, hlaf]", "unknown preset 'hlaf': did you mean 'half'?"),
        ("pruning: original-after-atention", "did you mean 'original-after-attention'?"),
        ("pruning:\n- none\n- {placment: after_ffn}", "line 3: pruning.1: unknown key 'placment'"),
        (
            "pruning:\n- end: 0.5\n  placment: after_ffn",
            "line 3: pruning.0: unknown key 'placment'",
        ),
        ("pruning:\n- start: 0.1\n  end:\n  - 0.5\n  - much", "line 5: pruning.0: end.1: input"),
        ("pruning: {placement: after_fn}", "unknown placement 'after_fn': did you mean"),
        (
            "pruning:\n  end: 0.5\n  start: 1.5",
            "line 3: pruning.0: start.0: input should be less than 1",
        ),
        ("pruning: {start: 0.5, end: 0.1}", "line 1: pruning.0: end = 0.1 is below start = 0.5"),
        ("seeds: 1\npruning: {first_layer: 12}", "line 2: pruning.0: first_layer = 12"),
        ("pruning: {kept: [196, 3]}", "the schedule lists 2 layers: deit_tiny has 12"),
        ("pruning: {kept: [5, 6]}", "kept tokens grow from 5 to 6 in layer 1"),
        ("pruning:\n- {kept: [[3], 4]}", "line 2: pruning.0: kept.0.0: input should be"),
        ("pruning: {kept: 5, start: 0.1}", "unknown key 'start'"),
        ("sparsities: [0.5, 1.0]", "sparsities.1: input should be less than 1, found 1.0"),
        ("sparsities: half", "input should be a valid number, found 'half'"),
        ("seeds: -1", "greater than or equal to 0, found -1"),
        ("seeds: 1.5", "valid integer, found 1.5"),
        ("networks: []", "at least 1 item"),
        ("sparsities: []", "the sweep has no points"),
        ("memory: {latency: 1}", "memory latency 1: expected at least 2"),
        ("memory: {rate: 0}", "memory rate 0: expected at least 1"),
        ("memory: 5", "memory: found 5: expected keys out of latency, rate"),
        ("overrides: {lanes: [4, 5]}", "lanes = 5: expected a power of two"),
        ("overrides: {width: 32, bus_bytes: 32}", "deit_tiny needs width = 64"),
        ("networks: deit_base\noverrides: {max_heads: 6}", "deit_base needs max_heads = 12"),
        ("presets: [default, small]", "deit_tiny needs max_tokens = 197"),
        ("mask_files: {deit_tiny: no.npy}", "no mask file"),
        ("mask_files: {deit_tiny: text.npy}", "is unreadable"),
        ("mask_files: {deit_tiny: small.npy}", "expected (12, 3, 197, 197) for deit_tiny"),
        ("networks: deit_tiny\nmask_files: {deit_small: small.npy}", "not among the networks"),
        ("seeds: 1\nseeds: 2", "line 2: key 'seeds' stands twice"),
        ("networks: [deit_tiny\nseeds: 2", "line 2: "),
        ("seeds: [1]\n\tmemory: 3", "line 2: "),
        ("", "found None: expected keys out of networks"),
        ("- 5", "expected keys out of networks"),
        ("? [a, b]\n: 5", "expected YAML"),
    ],
)
def test_bad_specification_is_one_sentence(tmp_path, text, message):
    write_masks(tmp_path / "small.npy", np.ones(DEIT_SMALL.mask_shape, dtype=np.bool_))
    (tmp_path / "text.npy").write_text("no array")
    with pytest.raises(UserError) as caught:
        points_of(tmp_path, text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_file_that_cannot_be_read(tmp_path):
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    for name in ("none.yaml", "", "binary.yaml"):
        with pytest.raises(UserError, match="cannot read"):
            read_model(tmp_path / name, SweepSpec)


def test_examples_are_grids():
    examples = sorted((Path(spec.__file__).parent / "examples").glob("*.yaml"))
    sizes = {path.stem: len(read_model(path, SweepSpec).points(path.parent)) for path in examples}
    assert sizes == {
        "array_and_memory": 2 * 2 * 2 * 3 * 3,
        "balanced_rows": 3 * 4 * 3 * 2 * 2,
        "cores": 2 * 2 * 4 * 2,
        "cores_of_384_pixels": 2 * 2 * 2,
        "masks_and_schedules": 9 * 11 * 3,
        "networks_of_384_pixels": 3 * 5 * 2,
        "scaling": 2 * 2 * 4 * 3 * 3,
    }
