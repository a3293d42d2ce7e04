"""Linear layers in plain Python, from their definition: payload and outputs; and random ones."""

import random
from dataclasses import dataclass

from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.memories import words
from rtl_gen.interfaces.program import Destination, Source

PARAMETER_BYTES = {"bias": 4, "multiplier": 2, "shift": 1, "reserved": 1}
WIDE = (Destination.LOGITS, Destination.RESIDUAL)
LARGEST = (1 << 31) - 1


def saturate(x: int, bits: int) -> int:
    return max(-(1 << (bits - 1)), min((1 << (bits - 1)) - 1, x))


def int8s(rng: random.Random, count: int) -> list[int]:
    return [rng.randint(-128, 127) for _ in range(count)]


@dataclass
class Layer:
    """One layer: the fields of its command, and a weight row and parameters an output channel."""

    command: dict
    weights: list[list[int]]
    parameters: list[dict]

    def payload(self, config: AcceleratorConfig) -> list[int]:
        """Rows, group by group: parameters, then a weight row a lane for every slice."""
        width, lanes = config.width, config.lanes
        data = b""
        for first in range(0, len(self.weights), lanes):
            group = range(first, first + lanes)
            head = b"".join(
                self.parameters[m].get(name, 0).to_bytes(size, "little", signed=name == "bias")
                for m in group
                for name, size in PARAMETER_BYTES.items()
            )
            data += head + bytes(-len(head) % width)
            for at in range(0, self.command["slices"] * width, width):
                for m in group:
                    data += bytes(w & 0xFF for w in self.weights[m][at : at + width])
        return [
            int.from_bytes(data[at : at + width], "little") for at in range(0, len(data), width)
        ]

    def output(self, m: int, inputs: list[int]) -> int:
        """Channel m before it goes anywhere: int16."""
        of = self.parameters[m]
        acc = of["bias"] + sum(w * x for w, x in zip(self.weights[m], inputs, strict=True))
        half = 1 << (of["shift"] - 1)
        return saturate((acc * of["multiplier"] + half) >> of["shift"], 16)


def draw_layer(
    rng: random.Random,
    config: AcceleratorConfig,
    destination: Destination,
    tiles: int,
    slices: int,
    **fields: int,
) -> Layer:
    """Random weights and factors; a channel in four has extreme ones."""
    outputs, inputs = tiles * config.lanes, slices * config.width
    room = LARGEST - 128 * 128 * inputs
    target = 16 if destination in WIDE else 8
    likely = 16 + (128 * 128 * inputs).bit_length() - target
    return Layer(
        command={
            "source": rng.choice(list(Source)),
            "destination": destination,
            "only_cls": 0,
            "slices": slices,
            "tiles": tiles,
            "pitch": 0,
        }
        | fields,
        weights=[
            rng.choice([[-128] * inputs, [127] * inputs])
            if rng.random() < 0.25
            else int8s(rng, inputs)
            for _ in range(outputs)
        ],
        parameters=[
            {
                "bias": rng.choice([rng.randint(-20_000, 20_000), 0, room, -room]),
                "multiplier": rng.randint(1 << 15, (1 << 16) - 1),
                "shift": rng.choice([max(1, likely - rng.randrange(4)), 1, 31, 63]),
            }
            for _ in range(outputs)
        ],
    )


def random_layer(
    rng: random.Random, config: AcceleratorConfig, destination: Destination, **fields: int
) -> Layer:
    """A layer whose inputs and results fit their memories."""
    slices = rng.choice([1, 2, config.max_dim // config.width])
    if destination == Destination.QKV:
        return draw_layer(rng, config, destination, 3 * config.chunks, slices, **fields)
    groups_a_row = config.chunks // (2 if destination in WIDE else 1)
    of_all = words(config, "residual" if destination == Destination.RESIDUAL else "hidden")
    rows = of_all // config.max_tokens
    tiles = rng.randint(1, groups_a_row * rows)
    return draw_layer(rng, config, destination, tiles, slices, pitch=rows, **fields)


def live_sets(config: AcceleratorConfig, rng: random.Random, least: int) -> list[list[int]]:
    """CLS alone, fewer than the `least` cycles of a pass, exactly these, a random half, all."""
    longest = config.max_tokens
    return [
        [0],
        [0, longest - 1],
        sorted({0, *rng.sample(range(1, longest), least - 1)}),
        [token for token in range(longest) if token == 0 or rng.random() < 0.5],
        list(range(longest)),
    ]
