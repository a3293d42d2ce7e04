"""The golden model against the document's formulas in plain integers, and float attention."""

import math
import random

import pytest
import torch

from cocotb_tests.harness.compare import assert_equal
from model.integer import attention as golden
from model.integer.attention import HeadScales, attend, select_tokens
from model.integer.attention_layers import AttentionLayer, run_layers
from model.tests import formulas
from rtl_gen import numerics
from rtl_gen.numerics import Scale

TOKENS, CHANNELS = 23, 8
SOFT = HeadScales(score=Scale(40_000, 17), output=Scale(33_000, 14))
SHARP = HeadScales(score=Scale(65_535, 13), output=Scale(32_768, 15))
EVERY_SCORE_ZERO = HeadScales(score=Scale(32_768, 63), output=Scale(65_535, 16))
SATURATING = HeadScales(score=Scale(65_535, 1), output=Scale(65_535, 1))
EVERY_OUTPUT_ZERO = HeadScales(score=Scale(40_000, 17), output=Scale(32_768, 63))
SCALES = [SOFT, SHARP, EVERY_SCORE_ZERO, SATURATING, EVERY_OUTPUT_ZERO]


def operands(seed: int, *, low: int = -128, high: int = 127) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(low, high + 1, (TOKENS, CHANNELS), generator=generator) for _ in range(3)]


def random_mask(seed: int, density: float) -> torch.Tensor:
    mask = torch.rand(TOKENS, TOKENS, generator=torch.Generator().manual_seed(seed)) < density
    mask[0, :] = mask[:, 0] = True
    return mask


def plain(q, k, v, mask, live, scales: HeadScales) -> tuple[list[list[int]], list[int]]:
    """Output rows and importance by the formulas; rows of dead queries are empty."""
    outputs, importance = [], [0] * len(q)
    for i, query in enumerate(q.tolist()):
        kept = [j for j in range(len(q)) if live[i] and live[j] and mask[i, j]]
        output, probabilities = formulas.attention_row(
            query, k.tolist(), v.tolist(), kept, scales.score, scales.output
        )
        outputs.append(output)
        for j, probability in probabilities.items():
            importance[j] += probability
    return outputs, importance


def check(q, k, v, mask, live, scales: HeadScales) -> None:
    trace = attend(q, k, v, mask, live, scales)
    outputs, importance = plain(q, k, v, mask, live, scales)
    assert_equal("output", trace.output, outputs)
    assert_equal("importance", trace.importance, importance)


@pytest.mark.parametrize("scales", SCALES)
@pytest.mark.parametrize("density", [0.0, 0.2, 1.0])
def test_attention_equals_the_formulas(scales, density):
    live = torch.ones(TOKENS, dtype=torch.bool)
    check(*operands(3), random_mask(4, density), live, scales)


@pytest.mark.parametrize(("low", "high"), [(-128, -128), (127, 127), (0, 0), (-128, 127)])
def test_extreme_operands(low, high):
    live = torch.arange(TOKENS) % 3 != 1
    check(*operands(5, low=low, high=high), random_mask(6, 0.5), live, SATURATING)
    check(*operands(5, low=low, high=high), random_mask(6, 0.5), live, SOFT)


def test_empty_rows_and_dead_tokens_leave_zeros():
    live = torch.arange(TOKENS) % 2 == 0
    mask = random_mask(7, 0.5)
    mask[4] = False
    q, k, v = operands(8)
    check(q, k, v, mask, live, SOFT)
    trace = attend(q, k, v, mask, live, SOFT)
    for name, tensor in trace.tensors().items():
        if tensor.shape[0] == TOKENS and name != "row_max":
            assert not tensor[4].any(), name
            assert not tensor[~live].any(), name


def test_a_row_that_keeps_only_cls_passes_its_value():
    mask = random_mask(9, 0.0)
    q, k, v = operands(10)
    trace = attend(q, k, v, mask, torch.ones(TOKENS, dtype=torch.bool), SHARP)
    assert_equal("exponential", trace.exponential[1:, 0], [255] * (TOKENS - 1))
    assert_equal("output", trace.output[1:], v[:1].expand(TOKENS - 1, -1))


def test_table_and_exponential():
    table = [formulas.table_entry(f) for f in range(256)]
    assert_equal("table", numerics.exp_table(), table)
    distances = range(1 << 16)
    expected = [formulas.exponential(d) for d in distances]
    assert_equal("exponential", golden.exponential(torch.tensor(distances)), expected)


def test_reciprocal_of_every_sum():
    sums = range(1, 255 * 197 + 1)
    mantissa, length = golden.reciprocal(torch.tensor(sums))
    expected = [formulas.reciprocal(s) for s in sums]
    assert_equal("mantissa", mantissa, [m for m, _ in expected])
    assert_equal("length", length, [n for _, n in expected])


@pytest.mark.parametrize("bits", [8, 16])
def test_requantisation_at_halves_and_limits(bits):
    rng = random.Random(11)
    for shift in range(1, 64):
        for multiplier in (1, 1 << 15, (1 << 16) - 1, rng.randrange(1 << 15, 1 << 16)):
            half = 1 << max(shift - 16, 0)
            values = [0, 1, -1, half, -half, 3 * half, -3 * half, (1 << 23) - 1, -(1 << 23)]
            values = [value for value in values if abs(value) <= 1 << 23]
            actual = golden.requantise(torch.tensor(values), multiplier, shift, bits)
            expected = [formulas.requantised(x, multiplier, shift, bits) for x in values]
            assert_equal(f"multiplier {multiplier}, shift {shift}", actual, expected)


def test_scale_is_the_nearest():
    rng = random.Random(12)
    for factor in [2.0**-48, 1.0, 0.1, *(2.0 ** rng.uniform(-48, 13.9) for _ in range(200))]:
        scale = Scale.nearest(factor)
        assert 1 << 15 <= scale.multiplier < 1 << 16
        assert 1 <= scale.shift <= 63
        assert abs(scale.factor / factor - 1) <= 2.0**-16
    for factor in (0.0, -1.0, 2.0**14, 2.0**-49, math.nan, math.inf):
        with pytest.raises(ValueError, match="scale"):
            Scale.nearest(factor)


def test_close_to_float_attention():
    """Integer attention differs from softmax(q k / sqrt d) v by its rounding, not more."""
    tokens, channels, q_step, v_step = 197, 64, 3.0 / 127, 2.0 / 127
    generator = torch.Generator().manual_seed(13)
    real = torch.randn(3, tokens, channels, generator=generator, dtype=torch.float64)
    q, k, v = (
        (x / step).round().clamp(-128, 127).long()
        for x, step in zip(real, (q_step, q_step, v_step), strict=True)
    )
    mask = torch.rand(tokens, tokens, generator=generator) < 0.2
    mask[0, :] = mask[:, 0] = True
    logits = (q @ k.T) * (q_step**2 / math.sqrt(channels))
    probability = logits.masked_fill(~mask, -math.inf).softmax(-1)
    output = probability @ (v * v_step)
    output_step = output.abs().max().item() / 127
    scales = HeadScales(
        score=Scale.nearest(q_step**2 / math.sqrt(channels) * math.log2(math.e) * 256),
        output=Scale.nearest(v_step / output_step),
    )
    trace = attend(q, k, v, mask, torch.ones(tokens, dtype=torch.bool), scales)
    # Half a step of the output's rounding, and half a unit of 255 for each exponential.
    assert (trace.output - output / output_step).abs().max() < 0.5 + 1.5
    assert (trace.probability / 65536 - probability).abs().max() < 1 / 255
    assert (trace.probability.sum(-1) / 65536 - 1).abs().max() < 1e-3


@pytest.mark.parametrize("prefix", [0, 1, 2, 5])
@pytest.mark.parametrize("keep", [1, 2, 5, 9, TOKENS])
def test_selection(keep, prefix):
    rng = random.Random(14)
    for levels in (2, 5, 1 << 28):
        importance = [rng.randrange(levels) for _ in range(TOKENS)]
        live = [j < prefix or rng.random() < 0.7 for j in range(TOKENS)]
        candidates = sorted(j for j in range(prefix, TOKENS) if live[j])
        best = sorted(candidates, key=lambda j: -importance[j])[: max(keep - prefix, 0)]
        stay = [*range(prefix), *best][:keep]
        expected = [j in stay for j in range(TOKENS)]
        chosen = select_tokens(torch.tensor(importance), torch.tensor(live), keep, prefix)
        assert_equal(f"survivors, {levels} levels, keep {keep}", chosen, expected)


def test_layers_cascade():
    """Each layer works on the survivors of those before, by importance over both heads."""
    layers, live = [], [True] * TOKENS
    for index, keep in enumerate([15, None, 15, 4, 1]):
        heads = [operands(20 + 2 * index + head) for head in range(2)]
        q, k, v = (torch.stack(tensors) for tensors in zip(*heads, strict=True))
        mask = torch.stack([random_mask(40 + 2 * index + head, 0.3) for head in range(2)])
        layers.append(AttentionLayer(q, k, v, mask, (SOFT, SHARP), keep))
    for layer, trace in zip(layers, run_layers(TOKENS, layers), strict=True):
        assert_equal("live", trace.live, live)
        entries = [(h, i, j) for h, i, j in layer.mask.nonzero().tolist() if live[i] and live[j]]
        assert_equal("entries", trace.kept_entries(layer.mask).nonzero(), entries)
        results = [
            plain(layer.q[h], layer.k[h], layer.v[h], layer.mask[h], live, layer.scales[h])
            for h in range(2)
        ]
        importance = [a + b for a, b in zip(results[0][1], results[1][1], strict=True)]
        assert_equal("importance", trace.importance, importance)
        if layer.keep is not None:
            ranking = sorted(
                (j for j in range(TOKENS) if live[j]), key=lambda j: (j != 0, -importance[j], j)
            )
            live = [j in ranking[: layer.keep] for j in range(TOKENS)]
        assert_equal("survivors", trace.survivors, live)
    assert sum(live) == 1
