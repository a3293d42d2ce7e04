"""Seeded programs for the cycle model and the RTL: of a unit, of attention layers, of networks."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from cocotb_tests.network.run import MemoryModel
from model.integer.attention import HeadScales
from model.integer.attention_layers import AttentionLayer, run_layers
from model.integer.forward import trace
from model.integer.network import IntegerNetwork, Linear
from model.integer.random_network import random_network, random_patches
from model.network.random_models import random_model
from model.network.shape import Network
from model.program.attention_layers import compile_layers
from model.program.compiler import compile_network, fewest_tokens, pack_linear
from model.program.memory_image import TOKEN_TARGETS, Image, ImageBuilder, pack_mask
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.commands import Opcode
from rtl_gen.interfaces.program import Destination, Source
from rtl_gen.interfaces.targets import Target, transfers
from rtl_gen.numerics import Scale
from sim_models.attention import beats_of
from sim_models.predict import network_beats

TOKENS = 197
"""Most tokens of a program; one below what the configurations hold."""

SCALES = HeadScales(score=Scale(52_000, 19), output=Scale(45_000, 15))
CHANNEL_SCALE = Scale(40_000, 25)


class ProgramDraws:
    """Random programs for a configuration; each call draws the next.

    What a program of a unit attends to is left in `unit_beats`.
    """

    def __init__(self, config: AcceleratorConfig, rng: np.random.Generator):
        self.config, self.rng = config, rng
        self.units = {
            "linear": self.linear,
            "attention": self.attention,
            "norm": self.norm,
            "pruning": self.pruning,
            "load_store": self.load_store,
        }

    def integer(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high))

    @property
    def tokens(self) -> int:
        return min(TOKENS, self.config.max_tokens)

    def memory(self) -> MemoryModel:
        """Ideal, or of any latency and rate."""
        if self.rng.random() < 0.2:
            return MemoryModel(latency=2)
        rate = self.integer(1, self.config.bus_bytes + 1) if self.rng.random() < 0.6 else None
        return MemoryModel(latency=self.integer(2, 160), rate=rate)

    def mask(self, *shape: int) -> np.ndarray:
        """Random entries at a random density; CLS row and column are kept."""
        mask = self.rng.random(shape) < self.rng.choice([0.02, 0.1, 0.3, 0.6, 1.0])
        mask[..., 0] = mask[..., 0, :] = True
        return mask

    def begin(self) -> tuple[ImageBuilder, int]:
        builder, tokens = ImageBuilder(self.config), self.integer(1, self.tokens + 1)
        builder.emit(Opcode.SET_TOKENS, count=tokens)
        self.unit_beats: list[np.ndarray] = []
        return builder, tokens

    def linear(self) -> Image:
        """Layers of any shape, one behind the other, and one over CLS alone."""
        builder, _ = self.begin()
        config = self.config
        places = [
            (Source.ACTIVATION, Destination.QKV, 3 * config.width),
            (Source.ACTIVATION, Destination.HIDDEN, 4 * config.max_dim),
            (Source.HIDDEN, Destination.RESIDUAL, config.max_dim),
        ]
        most_slices = config.max_dim // config.width
        for only_cls in (0, 0, 0, 1):
            source, destination, most = places[self.integer(0, len(places))]
            outputs, slices = self.integer(1, most + 1), self.integer(1, most_slices + 1)
            payload, tiles = pack_linear(config, self.weights(slices * config.width, outputs))
            builder.emit(
                Opcode.LINEAR,
                payload,
                source=source,
                destination=destination,
                pitch=-(-outputs // config.width),
                slices=slices,
                tiles=tiles,
                only_cls=only_cls,
            )
        return builder.finish()

    def weights(self, inputs: int, outputs: int) -> Linear:
        return Linear(
            weight=torch.from_numpy(self.rng.integers(-128, 128, (outputs, inputs), np.int8)),
            bias=torch.zeros(outputs, dtype=torch.int32),
            multiplier=torch.full((outputs,), CHANNEL_SCALE.multiplier, dtype=torch.int32),
            shift=torch.full((outputs,), CHANNEL_SCALE.shift, dtype=torch.uint8),
        )

    def attention(self) -> Image:
        """Heads of zeros with random masks."""
        builder, tokens = self.begin()
        for head in range(2):
            for target in TOKEN_TARGETS:
                # Nothing may overwrite what the head before still reads.
                first = target == TOKEN_TARGETS[0]
                builder.load(target, bytes(tokens * self.config.width), barrier=first)
            mask = self.mask(tokens, tokens)
            packed = pack_mask(self.config, torch.from_numpy(mask))
            builder.load(Target.MASK, packed, barrier=bool(self.integer(0, 2)))
            builder.emit(
                Opcode.ATTEND,
                first=head,
                pitch=2,
                accumulate=self.integer(0, 2),
                scale_a=SCALES.score._asdict(),
                scale_b=SCALES.output._asdict(),
            )
            live = np.ones(tokens, np.bool_)
            self.unit_beats += list(beats_of(mask[None], live, self.config.lanes))
        return builder.finish()

    def norm(self) -> Image:
        """Norms of any width, over all tokens or CLS alone."""
        builder, tokens = self.begin()
        config = self.config
        residual = bytes(tokens * 2 * config.max_dim)
        builder.load(Target.RESIDUAL, residual, barrier=True)
        for only_cls in (0, 1, 0):
            dim, plain = self.integer(1, config.max_dim + 1), self.integer(0, 2)
            scale = Scale.nearest(1 / dim)._asdict()
            scales = {"scale_a": scale, "scale_b": scale}
            builder.emit(Opcode.NORM, dim=dim, only_cls=only_cls, plain=plain, **scales)
        return builder.finish()

    def pruning(self) -> Image:
        """Prunings in a row; what stays matters to the norm behind each."""
        builder, tokens = self.begin()
        config = self.config
        builder.load(Target.RESIDUAL, bytes(tokens * 2 * config.max_dim), barrier=True)
        scale = Scale.nearest(1 / config.max_dim)._asdict()
        for _ in range(3):
            count = self.integer(1, tokens + 1)
            builder.emit(Opcode.PRUNE, count=count, prefix=self.integer(0, min(count, 5) + 1))
            builder.emit(Opcode.NORM, dim=config.max_dim, scale_a=scale, scale_b=scale)
        return builder.finish()

    def load_store(self) -> Image:
        """Every memory that can be stored, and loaded if it can."""
        builder, tokens = self.begin()
        for target, allowed in transfers(self.config).items():
            rows = self.integer(1, min(allowed.rows, 3 * tokens) + 1)
            if allowed.loads and target != Target.GELU:
                barrier = bool(self.integer(0, 2))
                builder.load(target, bytes(rows * self.config.width), barrier=barrier)
            if target in TOKEN_TARGETS:
                tensor = (min(rows, allowed.rows), self.config.width)
                builder.store(target.name, target, tensor)
            elif target in (Target.HIDDEN, Target.ACTIVATION):
                builder.store(target.name, target, (rows, self.config.width))
        builder.store("importance", Target.IMPORTANCE, (tokens,), 32)
        builder.store("live", Target.LIVE, (tokens,), 1)
        return builder.finish()

    def layers(self) -> tuple[Image, list[np.ndarray]]:
        """Attention layers with prunings between them, Q, K and V from memory."""
        tokens, config = self.integer(1, self.tokens + 1), self.config
        heads, head_dim = self.integer(1, config.max_heads + 1), self.integer(1, config.width + 1)
        layers = []
        for _ in range(2):
            q, k, v = (
                torch.from_numpy(self.rng.integers(-128, 128, (heads, tokens, head_dim)))
                for _ in range(3)
            )
            mask = torch.from_numpy(self.mask(heads, tokens, tokens))
            keep = self.integer(1, tokens + 1) if self.rng.random() < 0.7 else None
            prefix = self.integer(0, min(keep or tokens, 5) + 1)
            layers.append(AttentionLayer(q, k, v, mask, (SCALES,) * heads, keep, prefix))
        traces = run_layers(tokens, layers)
        beats = [
            head
            for layer, golden in zip(layers, traces, strict=True)
            for head in beats_of(layer.mask.numpy(), golden.live.numpy(), config.lanes)
        ]
        return compile_layers(config, tokens, layers), beats

    def network(
        self, tokens: int | None = None, layers: int | None = None
    ) -> tuple[Image, np.ndarray, list[np.ndarray]]:
        """A random network over every choice, pruned or not, with or without dumps; `tokens` and
        `layers` instead of drawn ones.
        """
        seed = self.integer(0, 1 << 31)
        shape = Network.from_timm(random_model(self.config, seed), "random")
        if tokens is not None:
            shape = replace(shape, grid=(1, max(tokens - shape.prefix_tokens, 1)))
        shape = replace(shape, layers=layers or shape.layers)
        network, patches = (
            random_network(shape, seed),
            random_patches(shape, self.config.cores, seed),
        )
        masks = torch.from_numpy(self.mask(*shape.mask_shape))
        keep = [
            self.integer(fewest_tokens(shape), shape.tokens + 1)
            if self.rng.random() < 0.6
            else None
            for _ in range(shape.layers)
        ]
        dump = bool(self.rng.random() < 0.3)
        return network_run(self.config, network, patches, masks, keep, dump=dump)


def network_run(
    config: AcceleratorConfig,
    network: IntegerNetwork,
    patches: torch.Tensor,
    masks: torch.Tensor,
    keep: Sequence[int | None],
    *,
    dump: bool = False,
) -> tuple[Image, np.ndarray, list[np.ndarray]]:
    """A network's image, its bytes with `patches` for every core, and the beats of its heads."""
    image = compile_network(config, network, masks, keep, dump=dump)
    beats = network_beats(config, masks, trace(network, patches, masks, keep))
    return image, image.with_patches(patches), beats
