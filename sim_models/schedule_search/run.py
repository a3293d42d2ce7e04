"""A search from images to its result."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

from model.images import ImageFolder
from model.reference import FloatReference
from model.schedule import ListedSchedule, Schedule
from rtl_gen.errors import UserError
from sim_models.schedule_search.layer_cycles import Machine, layer_cycles
from sim_models.schedule_search.losses import Progress, PruningLoss
from sim_models.schedule_search.planning import Plan, Planner
from sim_models.schedule_search.results import DEFAULT, FOUND, Result
from sim_models.schedule_search.search import (
    Evaluated,
    best,
    interpolated,
    measured_counts,
    most_evaluations,
    search,
)

ProgressBar = Callable[[int, str], AbstractContextManager[Progress]]
"""Of a number of steps and a description."""


def run_search(
    unpruned: FloatReference,
    machine: Machine,
    images: ImageFolder,
    held_back: ImageFolder | None,
    default: Schedule,
    most: float | None,
    batch_size: int,
    bar: ProgressBar,
) -> Result:
    """Search on `images`, and judge the found schedule and the default one on `held_back`.

    Beside the plans one more schedule is evaluated: the default one with CLS alone in the last
    layer, behind whose attention nothing looks at other tokens.

    Args:
        unpruned: the network with its masks.
        machine: the same network with the same masks, and the hardware.
        images, held_back: labels are not used.
        default: what the found schedule is compared with.
        most: largest mean loss in nats; None: what the default schedule loses.
        batch_size: images a step.
        bar: shows progress.

    Raises:
        UserError: every schedule that was evaluated loses more.
    """
    network = unpruned.network
    losses = _losses(unpruned, images, batch_size, bar)
    counts = measured_counts(network.patch_tokens)
    with bar(losses.images * network.layers, "each layer alone") as advance:
        measured = losses.by_layer(counts, advance)
    with bar(network.tokens, "cycle model") as advance:
        cycles = layer_cycles(machine, advance)
    planner = Planner(cycles=cycles, losses=interpolated(counts, measured, network.patch_tokens))
    front = planner.front()

    def evaluate(schedule: Schedule, plan: Plan) -> Evaluated:
        lost = losses.of(replace(unpruned, schedule=schedule))
        return Evaluated(schedule, machine.cycles(schedule), lost, plan)

    kept = tuple(default.kept_tokens(network))
    with bar(most_evaluations(front) + 2, "schedules") as advance:
        base = evaluate(default, planner.of(kept))
        trimmed = planner.of((*kept[:-1], 0))
        others = [evaluate(ListedSchedule(kept=trimmed.kept), trimmed)]
        advance(2)
        most = base.loss if most is None else most
        others += search(front, evaluate, most, advance)
    found = best([base, *others], most)
    if found is None:
        raise UserError(f"every schedule loses more than {most:g} nats: allow a larger --loss")
    judged = {}
    if held_back is not None:
        judge = _losses(unpruned, held_back, batch_size, bar)
        with bar(2 * judge.images, "held back, pruned") as advance:
            for name, one in ((DEFAULT, base), (FOUND, found)):
                judged[name] = judge.of(replace(unpruned, schedule=one.schedule), advance)
    return Result(
        network=network,
        default=base,
        found=found,
        others=others,
        front=front,
        held_back=judged,
    )


def _losses(
    unpruned: FloatReference, folder: ImageFolder, batch_size: int, bar: ProgressBar
) -> PruningLoss:
    with bar(len(folder), "unpruned") as advance:
        batches = (images for images, _ in folder.batches(unpruned.model, batch_size))
        return PruningLoss(unpruned, batches, advance)
