"""What fits a configuration: compiler, cycle model and the hardware's own checks say the same."""

import dataclasses
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from model.integer.random_network import random_network
from model.network.fit import check_fit
from model.network.names import DEIT_TINY
from model.network.readout import Readout
from model.network.shape import Network
from model.program.compiler import compile_network
from model.program.steps import network_steps
from model.pruning.schedule import ListedSchedule
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.commands import Opcode
from rtl_gen.errors import UserError
from rtl_gen.interfaces.program import Destination
from rtl_gen.interfaces.targets import transfers
from rtl_gen.presets import get_config
from sim_models.memory import MemoryTiming
from sim_models.network import network_cycles
from sim_models.predict import predict_network
from sim_models.program import program_cycles

TINY = get_config("tiny")
SHAPE = Network(name="any", heads=2, layers=1, head_dim=8, grid=(4, 4), patch=(2, 4), classes=11)

networks = st.builds(
    Network,
    name=st.just("any"),
    heads=st.integers(1, 3),
    layers=st.integers(1, 2),
    head_dim=st.sampled_from([8, 8, 4, 7, 16]),
    grid=st.tuples(st.just(1), st.one_of(st.integers(0, 18), st.sampled_from([16, 17]))),
    colours=st.just(1),
    patch=st.tuples(st.just(1), st.one_of(st.sampled_from([8, 64, 72]), st.integers(1, 80))),
    classes=st.one_of(st.sampled_from([64, 65]), st.integers(1, 80)),
    mlp_ratio=st.integers(1, 9),
)


def unpruned(network: Network) -> ListedSchedule:
    return ListedSchedule(kept=(network.patch_tokens,) * network.layers)


def accepts(what, *arguments, **options) -> bool:
    try:
        what(*arguments, **options)
    except UserError:
        return False
    return True


def legal(config: AcceleratorConfig, command: Mapping) -> bool:
    """Whether the hardware takes a command of an unpruned network, by the rules of its documents.

    Rows that a LINEAR reaches follow from its slices and tiles, as the pitch is that of the result.
    """
    match command["opcode"]:
        case Opcode.SET_TOKENS:
            return 1 <= command["count"] <= config.max_tokens
        case Opcode.LOAD | Opcode.STORE:
            return 1 <= command["count"] <= transfers(config)[command["target"]].rows
        case Opcode.LINEAR:
            qkv = command["destination"] == Destination.QKV
            most_outputs = 3 * config.width if qkv else 4 * config.max_dim
            return (
                1 <= command["slices"] <= 4 * config.max_dim // config.width
                and 1 <= command["tiles"] <= most_outputs // config.lanes
            )
        case Opcode.NORM | Opcode.POOL:
            return 1 <= command["dim"] <= config.max_dim
        case Opcode.ATTEND:
            return command["pitch"] <= 4 * config.max_dim // config.width
    return True


@given(networks)
@example(dataclasses.replace(SHAPE, mlp_ratio=4))
@example(dataclasses.replace(SHAPE, mlp_ratio=8))
@example(dataclasses.replace(SHAPE, heads=1, mlp_ratio=9))
@example(dataclasses.replace(SHAPE, heads=1, mlp_ratio=8, colours=1, patch=(8, 8), classes=64))
@example(dataclasses.replace(SHAPE, colours=1, patch=(4, 5)))
@example(dataclasses.replace(SHAPE, patch=(4, 6)))
@example(dataclasses.replace(SHAPE, classes=650))
@example(dataclasses.replace(SHAPE, heads=1, head_dim=9))
@example(dataclasses.replace(SHAPE, heads=2, head_dim=3, mlp_ratio=64 / 6))
@example(dataclasses.replace(SHAPE, readout=Readout.DISTILLED, prefix_tokens=2, classes=130))
@example(dataclasses.replace(SHAPE, readout=Readout.MEAN, prefix_tokens=0, pre_norm=True))
def test_compiler_cycles_and_hardware_accept_the_same(network):
    schedule = unpruned(network)
    masks = torch.ones(network.mask_shape, dtype=torch.bool)
    keep = [None] * network.layers
    fits = accepts(check_fit, TINY, network)
    assert fits == accepts(network_cycles, TINY, network, schedule=schedule)
    assert fits == accepts(compile_network, TINY, random_network(network, 1), masks, keep)
    commands = [step.command for step in network_steps(TINY, network, keep)]
    assert fits == (
        network.heads <= TINY.max_heads and all(legal(TINY, command) for command in commands)
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"patch": (4, 6)}, "72 patch inputs: this configuration holds 64"),
        ({"mlp_ratio": 8}, "128 hidden channels of the FFN: this configuration holds 64"),
        ({"layers": 0}, "layers = 0: expected a positive integer"),
        ({"head_dim": 9}, "any needs width = 9, this configuration has 8"),
        ({"prefix_tokens": -1}, "prefix_tokens = -1: expected an integer from 0 on"),
        ({"grid": (1, 17)}, "any needs max_tokens = 18, this configuration has 17"),
    ],
)
def test_what_does_not_fit_is_named(changes, message):
    with pytest.raises(UserError, match=message):
        network_cycles(TINY, dataclasses.replace(SHAPE, **changes), schedule=unpruned(SHAPE))


# Masks, live tokens and beats --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ((12, 6, 197, 197), bool),
        ((24, 3, 197, 197), bool),
        ((12, 1, 197, 197), bool),
        ((12, 3, 196, 196), bool),
        ((3, 197, 197), bool),
        (DEIT_TINY.mask_shape, int),
        (DEIT_TINY.mask_shape, float),
    ],
)
def test_masks_of_another_network_are_refused(shape, kind):
    """Twice or a third of the heads and twice the layers too, which the program could run."""
    with pytest.raises(UserError, match=r"the mask has (shape|type)"):
        network_cycles(get_config("default"), DEIT_TINY, masks=np.ones(shape, kind))


def test_masks_with_an_empty_row_are_refused():
    masks = np.ones(DEIT_TINY.mask_shape, np.bool_)
    masks[3, 2, 5] = False
    with pytest.raises(UserError, match="keeps nothing in layer 3, head 2, row 5"):
        network_cycles(get_config("default"), DEIT_TINY, masks=masks)


def _live(*changes: tuple) -> np.ndarray:
    """Two layers of 17 tokens, of which 10 stay, changed in some places."""
    live = np.ones((2, 17), np.bool_)
    live[1, 10:] = False
    for place, value in changes:
        live[place] = value
    return live


@pytest.mark.parametrize(
    ("live", "message"),
    [
        (_live()[:1], "live tokens of shape"),
        (np.pad(_live(), ((0, 0), (0, 3))), "live tokens of shape"),
        (_live().astype(np.int64), "type int64"),
        (_live(((1, 9), False)), "the schedule leaves"),
        (_live(((1, 0), False), ((1, 10), True)), "a token of the prefix"),
    ],
)
def test_live_tokens_that_cannot_be_are_refused(live, message):
    network = dataclasses.replace(SHAPE, layers=2)
    schedule = ListedSchedule(kept=(9, 9))
    assert network_cycles(TINY, network, schedule=schedule, live=_live()).total > 0
    with pytest.raises(UserError, match=message):
        network_cycles(TINY, network, schedule=schedule, live=live)


def test_tokens_that_come_back_are_refused():
    network = dataclasses.replace(SHAPE, layers=3)
    live = np.concatenate([_live(), _live()[1:]])
    live[2, [9, 10]] = False, True
    with pytest.raises(UserError, match="tokens that never come back"):
        network_cycles(TINY, network, schedule=ListedSchedule(kept=(9, 9, 9)), live=live)


ATTENDS = [{"opcode": Opcode.SET_TOKENS, "count": 4}, *[{"opcode": Opcode.ATTEND}] * 2]


@pytest.mark.parametrize(
    ("beats", "message"),
    [
        ([[1] * 4], "beats of 1 heads: the program has 2"),
        ([[1] * 4] * 3, "beats of 3 heads: the program has 2"),
        ([[1] * 4, [1] * 3], "beats of 3 rows for a head of 4 live tokens"),
        ([[1] * 4, [1, 1, 0, 1]], "rows of 0 to 1 beats: expected 1 to 9"),
        ([[1] * 4, [1, 10, 1, 1]], "rows of 1 to 10 beats: expected 1 to 9"),
        ([[1] * 4, [[1]] * 4], r"beats of shape \(4, 1\)"),
    ],
)
def test_beats_of_another_program_are_refused(beats, message):
    commands = [*ATTENDS, {"opcode": Opcode.HALT}]
    heads = [np.array(rows) for rows in beats]
    with pytest.raises(UserError, match=message):
        program_cycles(TINY, commands, heads, MemoryTiming())


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 1, 17, 17), "beats of 1 heads: the program has 2"),
        ((1, 3, 17, 17), "beats of 3 heads: the program has 2"),
        ((1, 2, 16, 16), "masks of shape"),
    ],
)
def test_prediction_with_masks_of_another_network_is_refused(shape, message):
    network = random_network(SHAPE, 1)
    masks = torch.ones(SHAPE.mask_shape, dtype=torch.bool)
    image = compile_network(TINY, network, masks, [None])
    trace = {"layers.0.live": torch.ones((1, 17), dtype=torch.bool)}
    assert predict_network(TINY, image, masks, trace, MemoryTiming())["cycles"] > 0
    with pytest.raises(UserError, match=message):
        predict_network(TINY, image, torch.ones(shape, dtype=torch.bool), trace, MemoryTiming())


def test_programs_beyond_the_address_space_are_refused():
    """22 layers of the widest network: 4.4 GB of weights."""
    config = get_config("default", max_dim=4096, max_heads=64)
    network = dataclasses.replace(DEIT_TINY, heads=64, layers=22)
    with pytest.raises(UserError, match="expected at most 4,294,967,296"):
        network_cycles(config, network, schedule=unpruned(network))
