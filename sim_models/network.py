"""Cycles of a whole network by operation, equal to the RTL's from start to done.

model/program/steps.py lists the commands of a network, sim_models/program.py runs them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from model.integer.attention import select_tokens
from model.masks.strategies import check_maps_fit
from model.masks.vitcod_file import check_masks
from model.network.fit import check_fit
from model.network.shape import Network
from model.program.step import TRANSFER, Step
from model.program.steps import network_steps
from model.pruning.placement import LayerTokens, Placement
from model.pruning.schedule import NO_PRUNING, Schedule
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from sim_models.attention import AttentionCycles, attend_cycles, beats_of
from sim_models.memory import DEFAULT_MEMORY, MemoryTiming
from sim_models.program import ProgramCycles, program_cycles


@dataclass(frozen=True)
class NetworkCycles:
    """Where the cycles of a network go. An operation's are those in which its unit is busy."""

    patch_embedding: int = 0
    """With gain and offset of a LayerNorm in front of the layers."""
    qkv: int = 0
    attention: AttentionCycles = field(default_factory=AttentionCycles)
    pruning: int = 0
    """Selections, and the list of all tokens at the start."""
    projection: int = 0
    ffn: int = 0
    layer_norm: int = 0
    classifier: int = 0
    """With the mean of tokens that it is given, if it is."""
    between: int = 0
    """No unit is at work: start, inputs, what a command needs before it can begin, logits."""
    counters: Mapping[str, int] = field(default_factory=dict, compare=False)
    """What the counters of the accelerator read."""

    def operations(self) -> dict[str, int]:
        """Cycles by operation."""
        names = [item.name for item in fields(self) if item.name != "counters"]
        return {**{name: getattr(self, name) for name in names}, "attention": self.attention.total}

    @property
    def total(self) -> int:
        return sum(self.operations().values())


def assumed_live(
    network: Network,
    maps: np.ndarray,
    masks: np.ndarray | None = None,
    schedule: Schedule = NO_PRUNING,
) -> np.ndarray:
    """Tokens live in the attention of every layer, bool (layers, n), assumed from averaged maps.

    A token's importance is the column sum, over live queries and heads, of the averaged attention
    `maps` (layers, heads, n, n) restricted to kept live entries and normalised by row again. A
    single image's survivors differ; how many there are does not.

    Raises:
        UserError: maps or masks of another network.
    """
    check_maps_fit(maps, network)
    if masks is not None:
        check_masks(masks, network)
    live = np.ones(network.tokens, dtype=np.bool_)
    importance = np.zeros(network.tokens)
    lives = []
    before_layer = schedule.placement is Placement.BEFORE_LAYER
    for layer, tokens in enumerate(schedule.layer_tokens(network)):
        if before_layer:
            live = _keep(network, importance, live, tokens.leaving)
        lives.append(live)
        mask = None if masks is None else masks[layer]
        importance = _importance(maps[layer], mask, live)
        if not before_layer:
            live = _keep(network, importance, live, tokens.leaving)
    return np.stack(lives)


@dataclass(frozen=True)
class NetworkRun:
    """The program of one image, or of one a core, and when each of its commands ran."""

    steps: Sequence[Step]
    beats: Sequence[np.ndarray]
    """Beats (rows,) of every head's attention, in the order of the program."""
    program: ProgramCycles


def run_network(
    config: AcceleratorConfig,
    network: Network,
    *,
    masks: np.ndarray | None = None,
    schedule: Schedule = NO_PRUNING,
    live: np.ndarray | None = None,
    memory: MemoryTiming = DEFAULT_MEMORY,
) -> NetworkRun:
    """Run the program of one image, or of one a core: all leave the same tokens.

    masks: kept entries, bool (layers, heads, n, n); None for dense attention
    live: tokens live in the attention of every layer, bool (layers, n), from the golden run of an
        image or from `assumed_live`; None for all

    Raises:
        UserError: the configuration cannot hold the network, `masks` or `live` do not fit network
            and schedule, or a memory that cannot be.
    """
    check_fit(config, network)
    if masks is not None:
        check_masks(masks, network)
    if live is None:
        live = np.ones((network.layers, network.tokens), dtype=np.bool_)
    _check_live(network, live, schedule.layer_tokens(network))
    dense = np.ones((network.heads, network.tokens, network.tokens), dtype=np.bool_)
    beats = [
        head
        for layer in range(network.layers)
        for head in beats_of(dense if masks is None else masks[layer], live[layer], config.lanes)
    ]
    keep = dropping_layers(network, schedule)
    steps = list(network_steps(config, network, keep, schedule.placement))
    program = program_cycles(config, [step.command for step in steps], beats, memory)
    return NetworkRun(steps, beats, program)


def dropping_layers(network: Network, schedule: Schedule) -> list[int | None]:
    """Tokens that each layer leaves, or None where it drops none."""
    leaving = [tokens.leaving for tokens in schedule.layer_tokens(network)]
    pairs = pairwise([network.tokens, *leaving])
    return [after if after < before else None for before, after in pairs]


def network_cycles(
    config: AcceleratorConfig,
    network: Network,
    *,
    masks: np.ndarray | None = None,
    schedule: Schedule = NO_PRUNING,
    live: np.ndarray | None = None,
    memory: MemoryTiming = DEFAULT_MEMORY,
) -> NetworkCycles:
    """Cycles of one image by operation; arguments and errors are those of `run_network`."""
    run = run_network(config, network, masks=masks, schedule=schedule, live=live, memory=memory)
    return cycles_of(config, run)


def cycles_of(config: AcceleratorConfig, run: NetworkRun) -> NetworkCycles:
    """The cycles of a run by operation."""
    busy = dict.fromkeys((step.operation for step in run.steps), 0)
    durations = run.program.ends - run.program.starts
    for step, cycles in zip(run.steps, durations, strict=True):
        busy[step.operation] += int(cycles)
    busy.pop(TRANSFER)
    attention = sum((attend_cycles(config, rows) for rows in run.beats), AttentionCycles())
    operations: dict[str, Any] = {**busy, "attention": attention}
    return NetworkCycles(
        **operations,
        between=run.program.counters["cycles"] - sum(busy.values()),
        counters=run.program.counters,
    )


def _importance(maps: np.ndarray, mask: np.ndarray | None, live: np.ndarray) -> np.ndarray:
    among = maps[:, live][:, :, live]
    if mask is not None:
        among = among * mask[:, live][:, :, live]
    row_sums = among.sum(axis=-1)
    weights = np.divide(1, row_sums, out=np.zeros_like(row_sums), where=row_sums > 0)
    importance = np.zeros(len(live))
    importance[live] = np.einsum("hq,hqk->k", weights, among)
    return importance


def _keep(network: Network, importance: np.ndarray, live: np.ndarray, keep: int) -> np.ndarray:
    if keep >= np.count_nonzero(live):
        return live
    sums, before = torch.from_numpy(importance), torch.from_numpy(live)
    return select_tokens(sums, before, keep, network.prefix_tokens).numpy()


def _check_live(network: Network, live: np.ndarray, layer_tokens: Sequence[LayerTokens]) -> None:
    shape = network.layers, network.tokens
    if live.dtype != np.bool_ or live.shape != shape:
        raise UserError(
            f"live tokens of shape {live.shape} and type {live.dtype}: expected bool {shape} for "
            f"{network.name}"
        )
    counts = [int(count) for count in live.sum(axis=-1)]
    expected = [tokens.attention for tokens in layer_tokens]
    if counts != expected:
        raise UserError(f"{counts} live tokens: the schedule leaves {expected}")
    if not live[:, : network.prefix_tokens].all() or (live[1:] & ~live[:-1]).any():
        raise UserError(
            "a token of the prefix, such as CLS, or one that an earlier layer drops is wrong: "
            "expected the prefix in every layer, and tokens that never come back"
        )
