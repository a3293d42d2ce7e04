"""What other accelerators publish of DeiT-Tiny, beside our own on as many multipliers and clock."""

from collections.abc import Iterator
from dataclasses import dataclass

from model.pruning.schedule_file import DEFAULT_NAME, UNPRUNED
from rtl_gen.presets import DEFAULT
from scripts.documents.cells import kind, select
from scripts.documents.markdown import table

MULTIPLIERS, GIGAHERTZ = 4096, 0.5
"""What all are scaled to."""


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A design that says how many multipliers it has and what an image of DeiT-Tiny takes."""

    name: str
    cycles: float
    """Of an image: clock / images a second."""
    multipliers: int
    bits: str
    """Of weights and activations; "-" where it does not matter."""
    runs: str
    """What of the network."""
    known: str
    """From what."""

    @property
    def images(self) -> float:
        """A second, of one multiplier at 1 GHz."""
        return 1e9 / (self.cycles * self.multipliers)


PUBLISHED = (
    Peer(
        name="HG-PIPE, [arXiv 2407.17879](https://arxiv.org/abs/2407.17879)",
        cycles=425e6 / 7118,
        multipliers=20_000,
        bits="3 to 4",
        runs="dense, all layers at once",
        known="FPGA, 425 MHz",
    ),
    Peer(
        name="ViTCoD's simulator, 512 multipliers for attention, too",
        cycles=681_492 + 1_361_664 + 42_455,
        multipliers=512,
        bits="-",
        runs="95 % sparse; no softmax, norm, GELU, patches",
        known="simulator",
    ),
    Peer(
        name="TACCEL",
        cycles=25e6,
        multipliers=256,
        bits="8",
        runs="dense, encoder alone",
        known="RTL",
    ),
    Peer(
        name="HeatViT in SystemVerilog",
        cycles=213.76e6,
        multipliers=192,
        bits="8",
        runs="tokens dropped by thresholds",
        known="RTL",
    ),
)
"""Numbers are those of each design's paper or repository."""


def peers() -> str:
    """All by images a second, the fastest first."""
    rows = (
        [
            peer.name,
            peer.bits,
            peer.runs,
            peer.known,
            f"{peer.multipliers:,}",
            f"{peer.images:.2f}",
            f"{peer.images * MULTIPLIERS * GIGAHERTZ:,.0f}",
        ]
        for peer in sorted([*_ours(), *PUBLISHED], key=lambda peer: -peer.images)
    )
    heads = ["design", "bits", "runs", "known from", "multipliers"]
    scaled = f"of {MULTIPLIERS:,} at {1000 * GIGAHERTZ:.0f} MHz"
    return table([*heads, "images a second a multiplier and GHz", scaled], rows)


def _ours() -> Iterator[Peer]:
    """One core and as many as MULTIPLIERS are, on the fast memory."""
    rows = select("cores", network="deit_tiny", memory_rate=64)
    for cores in (1, MULTIPLIERS // DEFAULT.macs):
        for sparsity, pruning in ((0.0, UNPRUNED), (0.8, DEFAULT_NAME)):
            (row,) = rows[
                (rows.cores == cores) & (rows.sparsity == sparsity) & (rows.pruning == pruning)
            ].itertuples()
            yield Peer(
                name=f"**this one**, {cores} core{'s' * (cores > 1)}",
                cycles=row.total_cycles / cores,
                multipliers=cores * DEFAULT.macs,
                bits="8",
                runs=kind(sparsity, prune=pruning != UNPRUNED),
                known="cycle model",
            )
