"""Which presets hold which networks."""

import dataclasses

import pytest

from model.network.fit import fitting_presets
from model.network.names import DEIT_BASE, DEIT_TINY, VIT_DIGITS
from model.network.shape import Network
from model.program.choices import preset_for
from rtl_gen.errors import UserError
from rtl_gen.presets import PRESETS


@pytest.mark.parametrize(
    ("network", "preset"),
    [
        (VIT_DIGITS, "small"),
        (DEIT_TINY, "default"),
        (DEIT_BASE, "default"),
        (dataclasses.replace(DEIT_TINY, head_dim=32, heads=12), "default"),
        (dataclasses.replace(DEIT_TINY, grid=(24, 24)), "large"),
        (dataclasses.replace(DEIT_TINY, head_dim=80, heads=16), "wide"),
        (dataclasses.replace(DEIT_TINY, classes=21_843), "default"),
    ],
)
def test_the_narrowest_that_holds_it(network: Network, preset: str):
    assert preset_for(network) == preset
    assert fitting_presets(network)[0] == preset


def test_none_holds_it():
    network = dataclasses.replace(DEIT_TINY, grid=(40, 40))
    assert fitting_presets(network) == []
    with pytest.raises(UserError, match="max_tokens = 1601"):
        preset_for(network)
    assert len(PRESETS) > 5
