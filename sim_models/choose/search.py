"""Which configuration of at most a part's resources runs a network fastest.

Every configuration that is tried holds the network and no more: tokens, heads and channels are the
network's. What an array, its cores and its queues are is tried in all combinations that there are.
Resources are predicted (rtl_gen/area), cycles are those of the cycle model, which are the RTL's.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from model.network.fit import misfit
from model.network.shape import Network
from rtl_gen.area.model import predict
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from rtl_gen.synthesis.ultrascale import ULTRASCALE, check_part
from sim_models.memory import MemoryTiming
from sim_models.workload import Simulation, Workload, simulate

_POWERS = [1 << exponent for exponent in range(8)]

TRIED = {
    "lanes": _POWERS[1:5],
    "width": _POWERS[3:],
    "cores": _POWERS[:4],
    "bus_bytes": _POWERS[1:],
    "row_slots": _POWERS[2:6],
}
"""Values that are combined; those that a configuration cannot have fall out."""


LEAST_BEATS, MOST_BEATS = 16, 1024
"""Of a program stream that is read ahead."""


@dataclass(frozen=True)
class Part:
    """Some of a part's resources."""

    name: str = "zu9eg"
    share: float = 0.8
    """Of each resource at most: a full part cannot be routed.

    Raises UserError for a part that is not known, a share that is none.
    """

    def __post_init__(self):
        check_part(self.name)
        if not 0 < self.share <= 1:
            raise UserError(f"share = {self.share}: expected a fraction above 0, at most 1")

    def taken(self, counts: dict[str, float]) -> dict[str, float]:
        """Share of each resource, 0 to 1 and beyond."""
        needed = ULTRASCALE.needed(counts, self.name)
        return {name: number / available for name, (number, available) in needed.items()}


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A configuration that fits the part."""

    config: AcceleratorConfig
    counts: dict[str, float]
    taken: dict[str, float]
    """Of the part, by resource."""

    @property
    def fullest(self) -> float:
        """Share of the resource that is used most."""
        return max(self.taken.values())


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A candidate with a workload."""

    candidate: Candidate
    simulation: Simulation


def configurations(
    network: Network, *, frequency_mhz: int, latency: int
) -> Iterator[AcceleratorConfig]:
    """All that hold the network with not a token, head or channel more than it takes, and that read
    ahead what a memory of such a latency asks for.
    """
    beats = min(max(1 << latency.bit_length(), LEAST_BEATS), MOST_BEATS)
    for values in product(*TRIED.values()):
        chosen = dict(zip(TRIED, values, strict=True))
        config = _least(network, frequency_mhz=frequency_mhz, stream_beats=beats, **chosen)
        if config is not None and misfit(config, network) is None:
            yield config


def _least(network: Network, **chosen: int) -> AcceleratorConfig | None:
    width = chosen["width"]
    widest = max(network.patch_inputs, network.hidden, network.heads * width)
    channels = max(network.dim, -(-widest // 4))
    try:
        return AcceleratorConfig(
            max_tokens=max(network.tokens, 2 * chosen["lanes"]),
            max_heads=network.heads,
            max_dim=-(-channels // width) * width,
            **chosen,
        )
    except UserError:
        return None


def candidates(configs: Iterable[AcceleratorConfig], part: Part) -> list[Candidate]:
    """Those that fit the part."""
    found = []
    for config in configs:
        counts = predict(config)
        candidate = Candidate(config=config, counts=counts, taken=part.taken(counts))
        if candidate.fullest <= part.share:
            found.append(candidate)
    return found


def fastest(
    chosen: Sequence[Candidate],
    workload: Workload,
    memory: MemoryTiming,
    progress: Callable[[int], object] = lambda _done: None,
) -> list[Choice]:
    """All of them, most images a second first; of equally fast ones what leaves most of the part
    free.
    """
    done = []
    for candidate in chosen:
        simulation = simulate(candidate.config, workload, memory)
        done.append(Choice(candidate=candidate, simulation=simulation))
        progress(1)
    return sorted(
        done,
        key=lambda choice: (-choice.simulation.images_per_second, choice.candidate.fullest),
    )
