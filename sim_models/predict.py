"""Every counter of the accelerator for an image, whose data say which tokens and entries count."""

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from model.integer.attention_layers import AttentionLayer, AttentionLayerTrace
from model.program.memory_image import Image
from rtl_gen.config import AcceleratorConfig
from sim_models.attention import beats_of
from sim_models.memory import MemoryTiming
from sim_models.program import program_cycles


def predict_layers(
    config: AcceleratorConfig,
    image: Image,
    layers: Sequence[AttentionLayer],
    traces: Sequence[AttentionLayerTrace],
    memory: MemoryTiming,
) -> dict[str, int]:
    """The counters for an image of attention layers; `traces` tell which tokens each layer has."""
    beats = [
        head
        for layer, trace in zip(layers, traces, strict=True)
        for head in beats_of(layer.mask.numpy(), trace.live.numpy(), config.lanes)
    ]
    return program_cycles(config, image.commands, beats, memory).counters


def predict_network(
    config: AcceleratorConfig,
    image: Image,
    masks: Tensor,
    trace: Mapping[str, Tensor],
    memory: MemoryTiming,
) -> dict[str, int]:
    """The counters for an image of a whole network; `trace` is that of an input for every core."""
    beats = network_beats(config, masks, trace)
    return program_cycles(config, image.commands, beats, memory).counters


def network_beats(
    config: AcceleratorConfig, masks: Tensor, trace: Mapping[str, Tensor]
) -> list[np.ndarray]:
    """Beats (cores, rows) of each ATTEND; `trace` as in `predict_network`."""
    beats = []
    for index, mask in enumerate(masks.numpy()):
        lives = trace[f"layers.{index}.live"].numpy()
        cores = [beats_of(mask, live, config.lanes) for live in lives]
        beats += [np.stack(heads) for heads in zip(*cores, strict=True)]
    return beats
