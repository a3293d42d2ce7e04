"""The whole network of docs/arithmetic.md in plain integers and fractions, token by token.

Like `formulas`, it imports neither the golden model nor `rtl_gen.numerics`; parameters come as
nested lists under the names of an integer network's file.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import floor, isqrt
from typing import Any

from model.network.shape import Network
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


def norm(parameters: Parameters, name: str, x: Row, *, plain: bool = False) -> Row:
    scale, shifts = parameters[f"{name}.scale"], parameters[f"{name}.channel_shift"]
    return (plain_norm if plain else layer_norm)(x, scale, shifts)


def mean(rows: Sequence[Row]) -> Row:
    """Of tokens, rounded once by the factor nearest to 1 / their number."""
    scale = nearest_scale(Fraction(1, len(rows)))
    return [requantised(sum(channel), *scale, RESIDUAL_BITS) for channel in zip(*rows, strict=True)]


def renormalised(
    parameters: Parameters, name: str, x: Mapping[int, Row], results: dict[str, dict[int, Row]]
) -> dict[int, Row]:
    """The outputs of a norm, with gain and offset, as the residual stream."""
    normed = {j: norm(parameters, f"{name}.norm", row) for j, row in x.items()}
    x = {j: linear(parameters, f"{name}.linear", row, RESIDUAL_BITS) for j, row in normed.items()}
    results |= {f"{name}.norm": normed, f"{name}.x": x}
    return x


def read_out(
    parameters: Parameters, shape: Network, x: Mapping[int, Row], results: dict[str, Any]
) -> None:
    """From the tokens that leave the last layer to the results."""
    if shape.readout in ("mean", "mean_of_all"):
        if shape.final_norm == "before_readout":
            x = renormalised(parameters, "mean", x, results)
        first = shape.prefix_tokens if shape.readout == "mean" else 0
        results["pooled"] = mean([row for j, row in x.items() if j >= first])
        normalise = shape.final_norm == "after_readout"
        results["norm"] = norm(parameters, "norm", results["pooled"], plain=not normalise)
        read = results["norm"]
    else:
        normalise = shape.final_norm != "none"
        tokens = [0, 1] if shape.readout == "distilled" else [0]
        rows = [norm(parameters, "norm", x[j], plain=not normalise) for j in tokens]
        results["norm"] = rows if len(rows) > 1 else rows[0]
        read = [value for row in rows for value in row]
    results["logits"] = linear(parameters, "classifier", read, LOGIT_BITS)


def network(
    parameters: Parameters,
    shape: Network,
    patches: Sequence[Row],
    masks: Sequence,
    keep: Sequence[int | None],
) -> dict[str, dict[int, Row] | Row]:
    """Every traced tensor of one image: a row for each token that is live there, or one row."""
    results: dict[str, dict[int, Row] | Row] = {}
    layers, heads, head_dim, prefix = shape.layers, shape.heads, shape.head_dim, shape.prefix_tokens
    rows = [[0] * len(patches[0]) for _ in range(prefix)] + [*patches]
    x = {
        j: added(parameters["initial"][j], linear(parameters, "patch", row, RESIDUAL_BITS))
        for j, row in enumerate(rows)
    }
    results["embedding"] = x
    if shape.pre_norm:
        x = renormalised(parameters, "pre_norm", x, results)
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
            ranking = sorted(x, key=lambda j: (j >= prefix, j if j < prefix else -importance[j], j))
            x = {j: row for j, row in x.items() if j in ranking[: keep[i]]}
        x = {
            j: added(row, linear(parameters, f"{at}.projection", attention[j], RESIDUAL_BITS))
            for j, row in x.items()
        }
        middle = x
        normed2 = {j: norm(parameters, f"{at}.norm2", row) for j, row in x.items()}
        preactivation = {j: linear(parameters, f"{at}.ffn1", row, 8) for j, row in normed2.items()}
        hidden = {
            j: [parameters[f"{at}.nonlinearity"][value + 128] for value in row]
            for j, row in preactivation.items()
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
            f"{at}.preactivation": preactivation,
            f"{at}.hidden": hidden,
            f"{at}.x_out": x,
        }
    read_out(parameters, shape, x, results)
    return results
