"""What a network uses of the memories, counted by hand on the preset `tiny`: rows of 8 channels."""

from dataclasses import replace

import pytest

from model.network.shape import Network
from rtl_gen.presets import get_config
from sim_models.on_chip import on_chip_memories

TINY = get_config("tiny")
ONE_TOKEN = Network(
    name="any", heads=1, head_dim=4, grid=(1, 1), patch=(1, 1), prefix_tokens=0, mlp_ratio=1
)


@pytest.mark.parametrize(
    ("changes", "rows"),
    [
        ({"classes": 1}, 1),
        ({"classes": 5}, 2),
        ({"classes": 60}, 15),
        ({"classes": 64}, 16),
        ({"classes": 1000}, 16),  # in parts of what there is room for
        ({"classes": 1, "patch": (2, 3)}, 3),
        ({"classes": 1, "heads": 2}, 2),
        ({"classes": 1, "mlp_ratio": 7}, 4),
        ({"classes": 1, "mlp_ratio": 7, "grid": (3, 2)}, 24),
    ],
)
def test_rows_of_hidden_are_those_of_what_needs_most(changes: dict, rows: int):
    network = replace(ONE_TOKEN, **changes)
    assert on_chip_memories(TINY, network)["hidden"].words == rows


def test_words_of_the_others_follow_tokens_and_channels():
    network = replace(ONE_TOKEN, heads=2, head_dim=7, grid=(3, 3), prefix_tokens=1)
    used, built = on_chip_memories(TINY, network), on_chip_memories(TINY)
    assert used["activation"].words == 10 * 2
    assert used["residual"].words == 10 * 4
    assert used["query"].words == used["accumulators"].words == 10
    assert used["gelu"] == built["gelu"]
    assert built["hidden"].words == 17 * 8
