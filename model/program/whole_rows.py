"""Inputs and outputs of linear layers in whole rows of `width` channels.

They may be in groups of equally many, such as the heads of a token, each of which begins a row.
"""

import numpy as np

from rtl_gen.config import AcceleratorConfig


def slices_of(config: AcceleratorConfig, inputs: int, groups: int = 1) -> int:
    """Rows of inputs."""
    return groups * config.channel_rows(inputs // groups)


def tiles_of(config: AcceleratorConfig, outputs: int, groups: int = 1) -> int:
    """Groups of `lanes` outputs: those behind the last one of the last group are left out."""
    return -(-(1 + int(places_of(config, outputs, groups)[-1])) // config.lanes)


def places_of(config: AcceleratorConfig, outputs: int, groups: int = 1) -> np.ndarray:
    """Where each output lies, (outputs,) of int64."""
    a_group = outputs // groups
    begins = config.width * config.channel_rows(a_group) * np.arange(groups)
    return (begins[:, None] + np.arange(a_group)).reshape(-1)
