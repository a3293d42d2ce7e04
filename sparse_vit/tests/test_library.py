"""`import sparse_vit`: the example, what its numbers must be, and what it refuses in one line."""

import json
import math
import runpy
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image

import sparse_vit as sv
from model.data.digits import Split, held_back_digit, write_folder
from model.data.image_folder import evaluation_transform
from model.data.pictures import open_picture
from model.network.names import DEIT_TINY, VIT_DIGITS
from rtl_gen.presets import get_config

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(Split.CALIBRATION, tmp_path_factory.mktemp("digits")).root


@pytest.fixture(scope="module")
def model():
    return sv.load("vit_digits")


@pytest.fixture(scope="module")
def maps(model, pictures: Path) -> sv.AttentionMaps:
    return sv.average_attention(model, pictures)


@pytest.fixture(scope="module")
def integer(model, pictures: Path) -> sv.IntegerModel:
    return sv.quantise(model, pictures)


def digits(count: int) -> tuple[list[Image.Image], list[int]]:
    chosen = [held_back_digit(number) for number in range(count)]
    return [picture for picture, _ in chosen], [label for _, label in chosen]


def test_the_example(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    picture, label = held_back_digit(3)
    picture.save(tmp_path / "picture.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["library.py", str(pictures), "picture.png"])
    runpy.run_path(str(ROOT / "examples" / "library.py"))
    printed = capsys.readouterr().out
    assert f"class {label}\n" in printed
    assert "0 of 10 logits differ" in printed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cycles.png", "picture.png", "rtl"]
    assert (tmp_path / "rtl" / "accelerator.v").read_text().count("module accelerator(") == 1


def test_names():
    """Each is there, is public, and says what it is; nothing heavy is loaded before it is used."""
    assert set(sv.__all__) == set(sv._MODULES)
    for name in sv.__all__:
        found = getattr(sv, name)
        assert found is getattr(import_module(sv._MODULES[name]), name)
        assert name == "PRESETS" or found.__doc__
    assert set(sv.__all__) < set(dir(sv))
    with pytest.raises(AttributeError, match="no attribute 'simulation_of'"):
        sv.simulation_of  # noqa: B018
    program = "import sys, sparse_vit; print({'torch', 'timm', 'numpy'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "set()\n"


def test_average_attention_is_that_of_timm(model, pictures: Path):
    """timm's own softmax, seen where dropout would follow it."""
    folder = sorted(pictures.rglob("*.png"))
    seen: list[torch.Tensor] = []
    hooks = []
    for block in model.blocks:
        block.attn.fused_attn = False
        hooks.append(
            block.attn.attn_drop.register_forward_hook(lambda _, given, __: seen.append(given[0]))
        )
    transform = evaluation_transform(model)
    model(torch.stack([transform(open_picture(path)) for path in folder]))
    for hook in hooks:
        hook.remove()
    expected = torch.stack([layer.mean(dim=0) for layer in seen]).numpy()
    model.train()
    found = sv.average_attention(model, pictures)
    assert model.training
    model.eval()
    np.testing.assert_allclose(found.maps, expected, atol=1e-6)
    assert found.metadata["images"] == len(folder) == 197


def test_masks(maps: sv.AttentionMaps):
    masks = sv.vitcod(maps, sparsity=0.8)
    assert masks.shape == VIT_DIGITS.mask_shape
    assert np.count_nonzero(~masks) == round(0.8 * masks.size)
    assert masks[:, :, 0].all()
    assert masks[:, :, :, 0].all()
    by_rows = sv.make_masks(maps.maps, sparsity=0.5, strategy="row_topk").sum(axis=-1)[:, :, 1:]
    assert by_rows.max() - by_rows.min() <= 2


def test_cycles_are_those_that_the_hardware_took():
    """Of DeiT-Tiny on the default preset, see docs/architecture.md."""
    dense = sv.simulate("deit_tiny")
    assert (dense.cycles, dense.speedup) == (2_493_515, 1)
    assert dense.counters["linear_beats"] == 2_099_607
    assert dense.counters["qk_beats"] == dense.counters["pv_beats"] == 12 * 3 * 197 * 25
    sparse = sv.simulate(
        timm.create_model("deit_tiny_patch16_224"),
        sv.vitcod("deit_tiny", sparsity=0.8),
        sv.Schedule.paper(),
        preset="default",
    )
    assert sparse.cycles == sum(sparse.cycles_by_operation.values()) == 1_652_769
    assert sparse.speedup == 2_493_515 / 1_652_769
    assert sparse.milliseconds == pytest.approx(1_652_769 / 500e3)
    assert sparse.tokens == [197, 197, 197, 177, 171, 163, 152, 138, 120, 95, 63, 21]


def test_report():
    """Utilisation by a formula of its own; the rest agrees with itself."""
    report = sv.simulate("vit_digits", preset="small", latency=50)
    tokens, dim, layers = 50, 48, 4
    macs = (
        49 * 48 * dim
        + layers * tokens * (4 * dim * dim + 8 * dim * dim)
        + layers * 3 * 2 * tokens * tokens * 16
        + dim * 10
    )
    assert report.utilisation == pytest.approx(macs / (64 * report.cycles))
    assert 0.9 < report.attention_utilisation <= 1
    assert report.energy["total"] == pytest.approx(
        sum(report.energy[part] for part in ("mac", "sram", "dram", "other")), abs=0.01
    )
    assert report.traffic["written"] == -(-10 * 16 // 128) * 16
    # int8 weights, 8 bytes of parameters a channel and 50 rows of int16: most of what is read.
    assert report.traffic["read"] > layers * (12 * dim * dim + 8 * 9 * dim) + 2 * tokens * dim
    json.dumps(report.as_dict())
    html = report._repr_html_()
    assert f"{report.cycles:,}" in html
    assert html.count("<tr") == 11
    axes = report.plot().axes[0]
    width = sum(bar.get_width() for bar in axes.patches) / 2
    assert width == pytest.approx(report.milliseconds)


def test_area_grows_by_cores():
    one, two = sv.area("small"), sv.area("small", cores=2)
    assert list(one) == ["luts", "flip_flops", "dsps", "block_rams", "gates", "sram_bits"]
    assert one == sv.area(sv.PRESETS["small"])
    assert all(one[name] < two[name] < 2 * one[name] for name in ("luts", "flip_flops"))
    with pytest.raises(sv.UserError, match="unknown choice 'core'"):
        sv.area("small", core=2)


def test_integers_predict_classes(model, integer: sv.IntegerModel, tmp_path: Path):
    shown, labels = digits(120)
    classes = integer.predict(shown)
    assert np.mean(classes == labels) >= 0.95
    transform = evaluation_transform(model)
    expected = model(torch.stack([transform(picture.convert("RGB")) for picture in shown])).numpy()
    found = integer.logits(shown)
    assert found.shape == (120, 10)
    assert np.mean(classes == expected.argmax(axis=1)) >= 0.97
    assert np.abs(found - expected).max() < 0.1 * np.abs(expected).max()
    (tmp_path / "folder").mkdir()
    for number, picture in enumerate(shown[:3]):
        picture.save(tmp_path / "folder" / f"{number}.png")
    assert integer.predict(tmp_path / "folder").tolist() == classes[:3].tolist()
    assert integer.predict(str(tmp_path / "folder" / "1.png")) == classes[1:2]
    integer.save(tmp_path / "int8.safetensors")
    again = sv.IntegerModel.load(tmp_path / "int8.safetensors")
    assert np.array_equal(again.logits(shown[:3]), found[:3])


def test_a_picture_through_the_rtl(integer: sv.IntegerModel, maps: sv.AttentionMaps):
    """RTL, golden model and cycle model agree; dense, its cycles are those of `simulate`."""
    (picture,), _ = digits(1)
    dense = sv.run_rtl(integer, picture, simulator="verilator", latency=100)
    assert (dense.mismatches, dense.compared) == (0, 10)
    assert dense.cycles == sv.simulate("vit_digits", latency=100).cycles
    assert np.array_equal(dense.logits, integer.logits(picture)[0])
    pruned = integer.pruned(sv.vitcod(maps, sparsity=0.8), sv.Schedule.paper())
    run = sv.run_rtl(pruned, picture, dump=True)
    assert (run.mismatches, run.counters) == (0, run.predicted)
    assert run.compared > 10_000
    assert np.array_equal(run.logits, pruned.logits(picture)[0])
    assert not np.array_equal(run.logits, dense.logits)


def test_verilog_of_a_preset_and_of_a_configuration(tmp_path: Path):
    for config, asked in (
        ("tiny", ("tiny", {})),
        (get_config("tiny", max_heads=3), ("tiny", {"max_heads": 3})),
    ):
        verilog, manifest = sv.build_rtl(config, tmp_path / str(len(asked[1])))
        assert "module accelerator(" in verilog.read_text()
        found = json.loads(manifest.read_text())
        assert (found["preset"], found["overrides"]) == asked


NETWORK = np.ones(VIT_DIGITS.mask_shape, dtype=bool)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sv.load("vgg"), "unknown model 'vgg'"),
        (lambda: sv.simulate("vit_digits", preset="tiny"), "vit_digits needs max_tokens = 50"),
        (lambda: sv.simulate("vit_digits", preset="huge"), "unknown preset 'huge'"),
        (lambda: sv.simulate("vit_digits", NETWORK[:, :, :-1]), r"has shape .*: expected \(layers"),
        (lambda: sv.simulate("vit_digits", NETWORK[:, :2]), r"expected \(4, 3, 50, 50\) for vit_d"),
        (lambda: sv.simulate("vit_digits", NETWORK.astype(int)), "has type int64: expected bool"),
        (lambda: sv.simulate("vit_digits", NETWORK & False), "keeps nothing in layer 0"),
        (lambda: sv.simulate("vit_digits", [1]), "masks are a list: expected an array or a file"),
        (lambda: sv.simulate("vit_digits", "no.npy"), "no mask file no.npy"),
        (
            lambda: sv.simulate("vit_digits", None, "paper"),
            "unknown schedule 'paper': expected one of",
        ),
        (
            lambda: sv.simulate("vit_digits", None, 0.5),
            "the schedule is a float: expected one such",
        ),
        (lambda: sv.simulate("vit_digits", None, sv.Schedule.listed([49] * 3)), "lists 3 layers"),
        (lambda: sv.simulate("vit_digits", None, sv.Schedule.listed([50] * 4)), "keeps 50 patch"),
        (lambda: sv.simulate("vit_digits", maps=np.ones((4, 3, 50, 50))), "are no probabilities"),
        (lambda: sv.simulate("vit_digits", maps=np.ones((4, 3, 50))), "have shape"),
        (lambda: sv.simulate("vit_digits", latency=1), "memory latency 1: expected at least 2"),
        (lambda: sv.simulate("vit_digits", energy="no.yaml"), "cannot read no.yaml"),
        (lambda: sv.simulate(torch.nn.Linear(2, 2)), "a Linear is no network: expected a timm"),
        (lambda: sv.average_attention("vit_digits", "."), "a str is no model: expected a timm"),
        (lambda: sv.average_attention(sv.load("vit_digits"), "nowhere"), "nowhere is unreadable"),
        (lambda: sv.vitcod([[1]], sparsity=0.5), "attention maps are a list: expected an array"),
        (lambda: sv.vitcod(np.eye(4)[None, None], sparsity=1.5), "expected a fraction from 0"),
        (lambda: sv.vitcod(np.eye(4)[None, None], sparsity=0.9), "expected at most"),
        (lambda: sv.quantise(sv.load("vit_digits"), "nowhere"), "nowhere is unreadable"),
        (lambda: sv.IntegerModel.load("no.safetensors"), "no integer network no.safetensors"),
        (lambda: sv.build_rtl("huge", "rtl"), "unknown preset 'huge'"),
    ],
)
def test_wrong_inputs_never_give_a_number(call, message: str):
    with pytest.raises(sv.UserError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda one: one.predict([]), "no pictures: expected at least one"),
        (lambda one: one.predict(3), "pictures are a int: expected a file, a folder"),
        (lambda one: one.predict("none.png"), "none.png is unreadable"),
        (lambda one: one.pruned(NETWORK[:2]), "has shape"),
        (lambda one: sv.run_rtl(one, "none.png"), "none.png is unreadable"),
        (lambda one: sv.run_rtl(one, digits(1)[0][0], simulator="vcs"), "unknown simulator 'vcs'"),
        (lambda one: sv.run_rtl(one, digits(1)[0][0], preset="tiny"), "needs max_tokens = 50"),
        (lambda one: sv.run_rtl(one, digits(2)[0]), "2 pictures: expected one"),
    ],
)
def test_wrong_inputs_of_integers(integer: sv.IntegerModel, call, message: str):
    with pytest.raises(sv.UserError, match=message):
        call(integer)


def test_a_named_schedule_is_fitted_to_the_depth_and_another_is_not():
    """90 %, 70 % and 10 % of 49 patches in the last three of four layers, and CLS."""
    assert sv.simulate("vit_digits", schedule=sv.Schedule.paper()).tokens == [50, 45, 35, 6]
    listed = sv.simulate("vit_digits", schedule=sv.Schedule.listed([40, 30, 20, 0]))
    assert listed.tokens == [41, 31, 21, 1]
    assert sv.simulate("vit_digits", schedule=sv.Schedule.unpruned()).tokens == [50] * 4


def test_integers_are_shown_in_a_line(integer: sv.IntegerModel):
    """Half of each row is kept; 6 of 50 tokens stay."""
    masks = np.zeros((4, 3, 50, 50), np.bool_)
    masks[..., :25] = True
    assert repr(integer) == "<IntegerModel vit_digits: dense, 50 to 50 tokens>"
    pruned = integer.pruned(masks, sv.Schedule.paper())
    assert repr(pruned) == "<IntegerModel vit_digits: 50% sparse, 50 to 6 tokens>"


def test_a_schedule_that_the_hardware_lacks(integer: sv.IntegerModel):
    before = "original-before-layer"
    with pytest.raises(sv.UserError, match="the hardware prunes after_attention"):
        integer.pruned(None, before)
    assert sv.simulate("vit_digits", schedule=before).tokens[-1] == 6


def test_a_network_of_no_name():
    """Another number of patches, two prefix tokens; survivors by the formula of the schedule."""
    model = timm.create_model("deit_tiny_distilled_patch16_224", img_size=160)
    maps = np.full((12, 3, 102, 102), 1 / 102)
    report = sv.simulate(model, schedule=sv.Schedule.paper(), maps=maps)
    assert report.tokens == [
        2 + (100 if layer < 3 else math.floor(100 * (1 - 0.1 * 9 ** ((layer - 3) / 8)) + 0.5))
        for layer in range(12)
    ]
    masks = sv.vitcod(maps, sparsity=0.7, prefix=2)
    assert masks[:, :, :2].all()
    assert masks[..., :2].all()
    assert sv.simulate(model, masks).cycles < sv.simulate(model).cycles


def test_deit_tiny_has_its_own_shape():
    assert sv.simulate(DEIT_TINY).simulation.workload.network is DEIT_TINY
