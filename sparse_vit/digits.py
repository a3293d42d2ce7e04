"""Held-back digits through `vit_digits` in RTL, from pixels to classes, beside the golden model.

The preset `small`, the network that comes with the project, masks from its own averaged attention.
All digits go through one simulation: the accelerator is built once and started anew for each.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from rich.table import Table

from cocotb_tests.network.check import Comparison
from model.attention.mask_source import MaskSource
from model.data.digits import held_back_digit
from model.network.names import VIT_DIGITS
from model.program.choices import integer_network, picture_patches, preset_for
from model.pruning.hardware import prune_counts
from model.pruning.schedule import DEFAULT_SCHEDULE
from rtl_gen.presets import get_config
from sim_models.memory import DEFAULT_MEMORY, MemoryTiming
from sparse_vit.co_simulation import CoSimulation

PRESET = preset_for(VIT_DIGITS)


@dataclass(frozen=True)
class DigitRun:
    """One digit: what it is, what RTL and golden model make of it, and what that took."""

    number: int
    """Among the held-back digits."""
    label: int
    rtl_class: int
    golden_class: int
    tokens: tuple[int, ...]
    """Tokens, CLS included, that enter the first layer and that leave each layer."""
    counters: dict[str, int]
    predicted: dict[str, int]
    comparison: Comparison


def classify(
    numbers: Sequence[int],
    *,
    sparsity: float,
    dump: bool = False,
    memory: MemoryTiming = DEFAULT_MEMORY,
    seed: int = 1,
) -> list[DigitRun]:
    """Run held-back digits, pruned by the default schedule; with `dump` every tensor in a memory is
    stored and compared.

    Raises:
        UserError: no such digit, or the accelerator stopped with an error.
    """
    simulation = digits_simulation(numbers, sparsity=sparsity, dump=dump, memory=memory)
    runs = simulation.run("verilator", seed)
    results = []
    for number, batch, run in zip(numbers, simulation.batches, runs, strict=True):
        golden = batch.golden
        layers = [int(golden[f"layers.{i}.survivors"].sum()) for i in range(VIT_DIGITS.layers)]
        results.append(
            DigitRun(
                number=number,
                label=held_back_digit(number)[1],
                rtl_class=int(simulation.image.logits(run.memory)[0].argmax()),
                golden_class=int(golden["logits"][0].argmax()),
                tokens=(VIT_DIGITS.tokens, *layers),
                counters=run.counters,
                predicted=batch.predicted,
                comparison=simulation.compare(batch, run, 0),
            )
        )
    return results


def digits_simulation(
    numbers: Sequence[int],
    *,
    sparsity: float,
    dump: bool = False,
    memory: MemoryTiming = DEFAULT_MEMORY,
) -> CoSimulation:
    """`vit_digits` compiled, with held-back digits; `dump` as for `classify`.

    Raises:
        UserError: no such digit.
    """
    network = integer_network(VIT_DIGITS, None, seed=0)
    pictures = [held_back_digit(number)[0] for number in numbers]
    return CoSimulation.of(
        get_config(PRESET),
        network,
        torch.cat([picture_patches(network, picture) for picture in pictures]),
        torch.from_numpy(MaskSource(sparsity=sparsity).masks(VIT_DIGITS)),
        prune_counts(VIT_DIGITS, DEFAULT_SCHEDULE.fitted(VIT_DIGITS)),
        memory,
        dump=dump,
    )


def table(runs: Sequence[DigitRun]) -> Table:
    """A row a digit."""
    result = Table(title=f"Held-back digits through {VIT_DIGITS.name} in RTL, preset {PRESET}")
    columns = ("digit", "label", "RTL", "golden", "mismatches", "tokens", "cycles RTL", "model")
    for column in columns:
        result.add_column(column, justify="right")
    for run in runs:
        result.add_row(
            *map(str, (run.number, run.label, run.rtl_class, run.golden_class)),
            str(run.comparison.mismatches),
            " ".join(map(str, run.tokens)),
            *(f"{cycles:,}" for cycles in (run.counters["cycles"], run.predicted["cycles"])),
        )
    return result
