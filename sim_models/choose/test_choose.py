"""The fastest configuration that fits a part: against every configuration, and as a command."""

import json
from dataclasses import replace

import pytest

from model.network.fit import check_fit, misfit
from model.network.names import DEIT_TINY, VIT_DIGITS
from rtl_gen.area.model import predict
from rtl_gen.errors import UserError
from rtl_gen.synthesis.ultrascale import ULTRASCALE
from sim_models.choose.command import choose
from sim_models.choose.search import Part, candidates, configurations
from sim_models.network import network_cycles

CLOCK = {"frequency_mhz": 200, "latency": 100}


def test_configurations_hold_the_network_and_no_more():
    found = list(configurations(DEIT_TINY, **CLOCK))
    assert len(found) == len(set(found)) > 300
    for config in found:
        check_fit(config, DEIT_TINY)
        assert (config.max_tokens, config.max_heads) == (197, 3)
        assert config.stream_beats == 128
        if config.max_dim > config.width:
            smaller = replace(config, max_dim=config.max_dim - config.width)
            assert misfit(smaller, DEIT_TINY) is not None


def test_narrow_heads_take_rows_of_their_own():
    """32 heads of 6 channels are 192 channels, but 32 rows."""
    narrow = replace(DEIT_TINY, heads=32, head_dim=6, mlp_ratio=1)
    for config in configurations(narrow, **CLOCK):
        widest = max(32 * config.width, 16 * 16 * 3)
        assert config.max_dim == max(192, -(-widest // (4 * config.width)) * config.width)


def test_candidates_are_what_fits():
    tried = list(configurations(DEIT_TINY, **CLOCK))
    part = Part("zu3eg", 0.7)
    fitting = {one.config for one in candidates(tried, part)}
    columns = {"luts": 70560, "flip_flops": 141120, "dsps": 360, "block_rams": 216}
    for config in tried:
        counts = predict(config)
        fits = all(counts[name] <= 0.7 * available for name, available in columns.items())
        assert (config in fitting) == fits
    assert 0 < len(fitting) < len(tried)


def test_the_first_is_the_fastest(tmp_path, capsys):
    out = tmp_path / "choose.json"
    rows = choose(model="vit_digits", part="zu3eg", sparsity=0, prune=False, top=3, out=out)
    written = json.loads(out.read_text())
    assert written["configurations"] == rows
    assert (written["part"], written["seed"]) == ("zu3eg", 0)
    fitting = candidates(configurations(VIT_DIGITS, **CLOCK), Part("zu3eg"))
    fastest = max(
        one.config.cores * 200e6 / network_cycles(one.config, VIT_DIGITS).total for one in fitting
    )
    assert len(rows) == len(fitting)
    assert rows[0]["images_per_second"] == pytest.approx(fastest, abs=1e-3)
    speeds = [row["images_per_second"] for row in rows]
    assert speeds == sorted(speeds, reverse=True)
    shown = capsys.readouterr().out
    assert "200 MHz" in shown
    assert all(heading in shown for heading in ULTRASCALE.headings.values())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"part": "zu1"}, "unknown part 'zu1': expected one of zu3eg"),
        ({"share": 0.001}, "none of .* configurations that hold vit_digits fits 0.1% of zu9eg"),
        ({"share": 1.5}, "share = 1.5: expected a fraction above 0, at most 1"),
        ({"model": "vit_huge"}, "vit_huge"),
        ({"rate": 0}, "memory rate 0: expected at least 1 byte a cycle"),
    ],
)
def test_wrong_input_is_one_line(tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        choose(**{"model": "vit_digits", "out": tmp_path / "choose.json", **options})
    assert not list(tmp_path.iterdir())
