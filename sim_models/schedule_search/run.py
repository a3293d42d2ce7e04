"""A search from images to its result."""

from dataclasses import replace

from model.data.image_folder import ImageFolder
from model.evaluation.evaluation import ProgressBar
from model.pruning.schedule import ListedSchedule, Schedule
from model.reference.forward import FloatReference
from rtl_gen.errors import UserError
from sim_models.schedule_search.layer_cycles import Machine, layer_cycles
from sim_models.schedule_search.losses import PruningLoss
from sim_models.schedule_search.planning import Plan, Planner
from sim_models.schedule_search.results import DEFAULT, FOUND, Result
from sim_models.schedule_search.search import (
    Evaluate,
    Evaluated,
    best,
    changes_of,
    free_layers,
    measured_drops,
    most_evaluations,
    search,
)


def run_search(
    unpruned: FloatReference,
    machine: Machine,
    images: ImageFolder,
    held_back: ImageFolder | None,
    default: Schedule,
    start: Schedule,
    most: float | None,
    batch_size: int,
    bar: ProgressBar,
) -> Result:
    """Search on `images`, and judge the found schedule and the default one on `held_back`.

    In a free last layer no patch is left.

    Args:
        unpruned: the network with its masks.
        machine: the same network with the same masks, and the hardware.
        images, held_back: labels are not used.
        default: what the found schedule is compared with.
        start: near which it is sought.
        most: largest mean loss in nats; None: what the default schedule loses.
        batch_size: images a step.
        bar: shows progress.

    Raises:
        UserError: every schedule that was evaluated loses more.
    """
    network = unpruned.network
    losses = _losses(unpruned, images, batch_size, bar)
    with bar(network.tokens, "cycle model") as advance:
        cycles = layer_cycles(machine, advance)
    evaluate = _evaluator(unpruned, machine, losses)
    base = evaluate(default, None)
    most = base.loss if most is None else most
    kept = tuple(start.kept_tokens(network))
    if free_layers(network):
        kept = (*kept[:-1], 0)
    first = evaluate(ListedSchedule(kept=kept), None)
    drops = measured_drops(kept, network)
    with bar(losses.images * network.layers, "layers") as advance:
        measured = losses.around(kept, drops, advance)
    changes = changes_of(kept, first.loss, drops, measured, network)
    planner = Planner(cycles=cycles, loss=first.loss, changes=changes)
    front = planner.front()
    with bar(most_evaluations(front), "schedules") as advance:
        others = [first, *search(front, evaluate, most, advance)]
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


def _evaluator(unpruned: FloatReference, machine: Machine, losses: PruningLoss) -> Evaluate:
    def evaluate(schedule: Schedule, plan: Plan | None) -> Evaluated:
        lost = losses.of(replace(unpruned, schedule=schedule))
        return Evaluated(schedule, machine.cycles(schedule), lost, plan)

    return evaluate


def _losses(
    unpruned: FloatReference, folder: ImageFolder, batch_size: int, bar: ProgressBar
) -> PruningLoss:
    with bar(len(folder), "unpruned") as advance:
        batches = (images for images, _ in folder.batches(unpruned.model, batch_size))
        return PruningLoss(unpruned, batches, advance)
