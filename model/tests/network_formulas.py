"""The whole network of docs/arithmetic.md in plain integers and fractions, token by token.

Like `formulas`, it imports neither the golden model nor `rtl_gen.numerics`; parameters come as
nested lists under the names of an integer network's file.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import floor, isqrt

from model.tests.formulas import attention_row, half_up, requantised, saturated

Row = list[int]
Parameters = Mapping[str, list]

RESIDUAL_BITS = 16
LOGIT_BITS = 16


def nearest_scale(factor: Fraction) -> tuple[int, int]:
    """Multiplier in [2^15, 2^16) and shift that come closest to a factor."""
    shift = next(s for s in range(64) if half_up(factor * 2**s) >= 2**15)
    return half_up(factor * 2**shift), shift


def layer_norm(x: Row, scale: tuple[int, int], channel_shifts: Row) -> Row:
    """One token."""
    dim = len(x)
    mean = requantised(sum(x), *nearest_scale(Fraction(16, dim)), bits=64)
    root = isqrt(dim * sum(value**2 for value in x) - sum(x) ** 2)
    if root == 0:
        return [0] * dim
    length = len(f"{root:b}")
    mantissa = floor(Fraction(2 ** (length + 15) - 1, root))
    factor = half_up(Fraction(mantissa * scale[0], 2**16))
    return [
        saturated(
            half_up(Fraction((16 * value - mean) * factor, 2 ** (scale[1] + length - 1 + shift))), 8
        )
        for value, shift in zip(x, channel_shifts, strict=True)
    ]


def plain_norm(x: Row, scale: tuple[int, int], channel_shifts: Row) -> Row:
    """One token, rounded as it is."""
    factor = half_up(Fraction(0xFFFF * scale[0], 2**16))
    return [
        saturated(half_up(Fraction(16 * value * factor, 2 ** (scale[1] + shift))), 8)
        for value, shift in zip(x, channel_shifts, strict=True)
    ]


def linear(parameters: Parameters, name: str, x: Row, bits: int) -> Row:
    """One token."""
    weight, bias, multiplier, shift = (
        parameters[f"{name}.{part}"] for part in ("weight", "bias", "multiplier", "shift")
    )
    return [
        requantised(
            bias[m] + sum(w * a for w, a in zip(weight[m], x, strict=True)),
            multiplier[m],
            shift[m],
            bits,
        )
        for m in range(len(weight))
    ]


def added(x: Row, delta: Row) -> Row:
    return [saturated(a + b, RESIDUAL_BITS) for a, b in zip(x, delta, strict=True)]


def norm(parameters: Parameters, name: str, x: Row) -> Row:
    return layer_norm(x, parameters[f"{name}.scale"], parameters[f"{name}.channel_shift"])


def network(
    parameters: Parameters,
    layers: int,
    heads: int,
    head_dim: int,
    patches: Sequence[Row],
    masks: Sequence,
    keep: Sequence[int | None],
) -> dict[str, dict[int, Row] | Row]:
    """Every traced tensor of one image: a row for each token that is live there, or one row."""
    results: dict[str, dict[int, Row] | Row] = {}
    rows = [[0] * len(patches[0]), *patches]
    x = {
        j: added(parameters["initial"][j], linear(parameters, "patch", row, RESIDUAL_BITS))
        for j, row in enumerate(rows)
    }
    results["embedding"] = x
    for i in range(layers):
        at = f"layers.{i}"
        normed = {j: norm(parameters, f"{at}.norm1", row) for j, row in x.items()}
        qkv = {j: linear(parameters, f"{at}.qkv", row, 8) for j, row in normed.items()}
        attention: dict[int, Row] = {j: [] for j in x}
        importance = dict.fromkeys(x, 0)
        for h in range(heads):
            q, k, v = (
                {
                    j: row[(3 * h + part) * head_dim : (3 * h + part + 1) * head_dim]
                    for j, row in qkv.items()
                }
                for part in range(3)
            )
            results |= {f"{at}.q.{h}": q, f"{at}.k.{h}": k, f"{at}.v.{h}": v}
            for query in x:
                output, probabilities = attention_row(
                    q[query],
                    k,
                    v,
                    [j for j in x if masks[i][h][query][j]],
                    parameters[f"{at}.heads.{h}.score"],
                    parameters[f"{at}.heads.{h}.output"],
                )
                attention[query] = attention[query] + output
                for j, probability in probabilities.items():
                    importance[j] += probability
        if keep[i] is not None:
            ranking = sorted(x, key=lambda j: (j != 0, -importance[j], j))
            x = {j: row for j, row in x.items() if j in ranking[: keep[i]]}
        x = {
            j: added(row, linear(parameters, f"{at}.projection", attention[j], RESIDUAL_BITS))
            for j, row in x.items()
        }
        middle = x
        normed2 = {j: norm(parameters, f"{at}.norm2", row) for j, row in x.items()}
        gelu_input = {j: linear(parameters, f"{at}.ffn1", row, 8) for j, row in normed2.items()}
        hidden = {
            j: [parameters[f"{at}.gelu"][value + 128] for value in row]
            for j, row in gelu_input.items()
        }
        x = {
            j: added(row, linear(parameters, f"{at}.ffn2", hidden[j], RESIDUAL_BITS))
            for j, row in x.items()
        }
        results |= {
            f"{at}.norm1": normed,
            f"{at}.attention": attention,
            f"{at}.importance": {j: [value] for j, value in importance.items()},
            f"{at}.x_mid": middle,
            f"{at}.norm2": normed2,
            f"{at}.gelu_input": gelu_input,
            f"{at}.hidden": hidden,
            f"{at}.x_out": x,
        }
    results["norm"] = norm(parameters, "norm", x[0])
    results["logits"] = linear(parameters, "classifier", results["norm"], LOGIT_BITS)
    return results
