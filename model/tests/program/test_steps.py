"""Programs of small networks, command by command, on the preset `tiny`: 2 lanes, rows of 8."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from model.network.readout import FinalNorm, Readout
from model.network.shape import Network
from model.program.step import Parameter, Step
from model.program.steps import network_steps
from model.pruning.placement import Placement
from rtl_gen.control.commands import Opcode
from rtl_gen.interfaces.program import Destination, Source
from rtl_gen.interfaces.targets import Target
from rtl_gen.presets import get_config

TINY = get_config("tiny")
SHAPE = Network(name="any", heads=2, layers=1, head_dim=8, grid=(2, 2), patch=(2, 2), classes=11)
"""5 tokens of 16 channels, patches of 12 inputs, 64 hidden channels."""


def load(target: Target, count: int, name: str | None = None, **fields: int) -> Step:
    parameter = None if name is None else Parameter(name)
    whole = {"target": target, "count": count, "barrier": 0, "input": 0} | fields
    return Step("transfer", Opcode.LOAD, whole, parameter)


def norm(name: str, only_cls: int = 0, plain: int = 0) -> Step:
    fields = {"dim": 16, "only_cls": only_cls, "plain": plain}
    return Step("layer_norm", Opcode.NORM, fields, Parameter(name))


def linear(operation, parameter, source, destination, pitch, slices, tiles, only_cls=0) -> Step:
    fields = {
        "source": source,
        "destination": destination,
        "pitch": pitch,
        "slices": slices,
        "tiles": tiles,
        "only_cls": only_cls,
    }
    return Step(operation, Opcode.LINEAR, fields, parameter)


def to_residual(operation: str, name: str, source: Source, slices: int, groups: int = 1) -> Step:
    parameter = Parameter(name, input_groups=groups)
    return linear(operation, parameter, source, Destination.RESIDUAL, 4, slices, 8)


def head(index: int, accumulate: int) -> list[Step]:
    qkv = Parameter("layers.0.qkv", 24 * index, 24, output_groups=3)
    fields = {"first": index, "pitch": 2, "accumulate": accumulate}
    return [
        linear("qkv", qkv, Source.ACTIVATION, Destination.QKV, 0, 2, 12),
        load(Target.MASK, 3, f"masks.0.{index}"),
        Step("attention", Opcode.ATTEND, fields, Parameter(f"layers.0.heads.{index}")),
    ]


def prune(count: int) -> Step:
    return Step("pruning", Opcode.PRUNE, {"count": count, "prefix": 1})


OPENING = [
    Step("pruning", Opcode.SET_TOKENS, {"count": 5}),
    load(Target.RESIDUAL, 20, "initial", barrier=1),
    load(Target.HIDDEN, 10, barrier=1, input=1),
    load(Target.CHANNEL_SHIFT, 4, "layers.0.norm1"),
    to_residual("patch_embedding", "patch", Source.HIDDEN, 2),
]
PROJECTION = to_residual("projection", "layers.0.projection", Source.HIDDEN, 2, groups=2)
FFN = [
    load(Target.GELU, 32, "layers.0.nonlinearity"),
    load(Target.CHANNEL_SHIFT, 4, "layers.0.norm2"),
    norm("layers.0.norm2"),
    linear("ffn", Parameter("layers.0.ffn1"), Source.ACTIVATION, Destination.HIDDEN, 8, 2, 32),
    to_residual("ffn", "layers.0.ffn2", Source.HIDDEN, 8),
    load(Target.CHANNEL_SHIFT, 4, "norm"),
]


def classifier(first: int, outputs: int, tiles: int) -> Step:
    parameter, destination = Parameter("classifier", first, outputs), Destination.LOGITS
    return linear("classifier", parameter, Source.ACTIVATION, destination, 0, 2, tiles, only_cls=1)


def without_stores(steps: Iterable[Step]) -> list[Step]:
    """Steps as they are outside of layers, and what is stored by another test."""
    return [step._replace(layer=None) for step in steps if step.opcode != Opcode.STORE]


def program(shape: Network = SHAPE, keep: int | None = None, **options) -> list[Step]:
    return without_stores(network_steps(TINY, shape, [keep] * shape.layers, **options))


HALT = Step("transfer", Opcode.HALT, {})


@pytest.mark.parametrize("keep", [None, 3])
def test_a_network_of_one_layer(keep: int | None):
    pruning = [] if keep is None else [prune(keep)]
    accumulate = int(keep is not None)
    assert program(keep=keep) == [
        *OPENING,
        norm("layers.0.norm1"),
        *head(0, accumulate),
        *head(1, accumulate),
        *pruning,
        PROJECTION,
        *FFN,
        norm("norm", only_cls=1),
        classifier(0, 11, 6),
        HALT,
    ]


@pytest.mark.parametrize(
    ("placement", "behind"),
    [(Placement.BEFORE_LAYER, OPENING[-1]), (Placement.AFTER_FFN, FFN[-1])],
)
def test_tokens_may_go_elsewhere(placement: Placement, behind: Step):
    steps = program(keep=3, placement=placement)
    assert steps[steps.index(prune(3)) - 1] == behind
    assert steps.count(prune(3)) == 1


def test_steps_of_a_layer_know_it():
    steps = list(network_steps(TINY, replace(SHAPE, layers=2), [3, None]))
    layers = [step.layer for step in steps]
    assert layers == [None] * 5 + [0] * 15 + [1] * 14 + [None] * 4
    assert {step.parameter.name for step in steps if step.layer == 1 and step.parameter} >= {
        *("layers.1.norm1", "layers.1.qkv", "layers.1.heads.1", "layers.1.ffn2", "norm")
    }


def test_results_are_computed_as_the_hidden_memory_holds_them():
    """64 channels of 16 bits would not fit; what is stored of each part lies in whole rows."""
    shape = replace(SHAPE, classes=150)
    steps = list(network_steps(TINY, shape, [None]))
    parts = [step for step in steps if step.operation == "classifier"]
    assert parts == [classifier(0, 64, 32), classifier(64, 64, 32), classifier(128, 22, 11)]
    stores = [step.fields for step in steps if step.opcode == Opcode.STORE]
    assert [fields["count"] for fields in stores] == [16, 16, 6]


def test_cores_load_a_picture_and_store_results_each():
    config = replace(TINY, cores=2)
    steps = list(network_steps(config, SHAPE, [None]))
    pictures = [step.fields for step in steps if step.fields.get("input")]
    assert [(fields["one_core"], fields["core"]) for fields in pictures] == [(1, 0), (1, 1)]
    stores = [step for step in steps if step.opcode == Opcode.STORE]
    assert [step.fields["core"] for step in stores] == [step.stored.core for step in stores]
    assert [step.fields["core"] for step in stores] == [0, 1]
    loads = [step.fields for step in steps if step.opcode == Opcode.LOAD]
    assert sum("one_core" in fields for fields in loads) == 2


def test_a_mean_of_normalised_tokens():
    """The norm's outputs become the stream; its mean, of the last 4 tokens, is token 0 alone."""
    shape = replace(SHAPE, readout=Readout.MEAN, final_norm=FinalNorm.BEFORE_READOUT)
    steps = program(shape)
    to_stream = to_residual("classifier", "mean.linear", Source.ACTIVATION, 2)
    assert steps[-9:] == [
        norm("mean.norm"),
        load(Target.RESIDUAL, 20, barrier=1),
        to_stream,
        load(Target.CHANNEL_SHIFT, 4, "norm"),
        Step("classifier", Opcode.POOL, {"prefix": 1, "first": 0, "dim": 16}),
        Step("pruning", Opcode.SET_TOKENS, {"count": 1}),
        norm("norm", only_cls=1, plain=1),
        classifier(0, 11, 6),
        HALT,
    ]


def test_a_norm_in_front_of_the_layers():
    steps = program(replace(SHAPE, pre_norm=True))
    assert steps[3] == load(Target.CHANNEL_SHIFT, 4, "pre_norm.norm")
    to_stream = to_residual("patch_embedding", "pre_norm.linear", Source.ACTIVATION, 2)
    assert steps[5:10] == [
        norm("pre_norm.norm"),
        load(Target.RESIDUAL, 20, barrier=1),
        to_stream,
        load(Target.CHANNEL_SHIFT, 4, "layers.0.norm1"),
        norm("layers.0.norm1"),
    ]


def test_whatever_lies_in_a_memory_can_be_stored():
    """Names, shapes and bits, in order; sums are cleared by a selection of all tokens."""
    steps = list(network_steps(TINY, SHAPE, [None], dump=True))
    stored = [step.stored for step in steps if step.opcode == Opcode.STORE]
    heads = [(f"layers.0.{letter}.{h}", (5, 8), 8) for h in (0, 1) for letter in "qkv"]
    assert [(tensor.name, tensor.shape, tensor.bits) for tensor in stored] == [
        ("embedding", (5, 16), 16),
        ("layers.0.norm1", (5, 16), 8),
        *heads,
        ("layers.0.attention", (5, 16), 8),
        ("layers.0.importance", (5,), 32),
        ("layers.0.survivors", (5,), 1),
        ("layers.0.x_mid", (5, 16), 16),
        ("layers.0.norm2", (5, 16), 8),
        ("layers.0.hidden", (5, 64), 8),
        ("layers.0.x_out", (5, 16), 16),
        ("norm", (1, 16), 8),
        ("logits", (1, 11), 16),
    ]
    assert without_stores(steps).count(prune(5)) == 1
    assert {tensor.name: tensor.groups for tensor in stored if tensor.groups > 1} == {
        "layers.0.attention": 2
    }
    assert all(
        step.fields["count"] == step.stored.rows for step in steps if step.opcode == Opcode.STORE
    )
