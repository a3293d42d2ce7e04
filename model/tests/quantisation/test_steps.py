"""Steps of least error, on samples that one of them fits."""

import pytest
import torch

from model.quantisation.steps import best_step, squared_error, step_below, to_integers

EVERY = torch.arange(-127, 128, dtype=torch.float64)


def test_what_a_step_fits_takes_it():
    assert best_step(EVERY * 0.5) == 0.5
    assert best_step(torch.tensor([-3.0, 0.0, 3.0])) == pytest.approx(3 / 127)
    assert best_step(torch.zeros(4)) == 0


@pytest.mark.parametrize("fraction", [0.96, 0.52, 0.24])
def test_a_rare_outlier_is_cut(fraction: float):
    """Of 765,000 values beside one of 127: steps are tried down to 0.24 of what holds it."""
    samples = torch.cat([(EVERY * fraction).repeat(3000), torch.tensor([127.0])])
    assert best_step(samples) == pytest.approx(fraction)


def test_errors_count_what_is_cut():
    found = squared_error(torch.tensor([0.0, 0.6, -0.5, 127.25, 130.0, -130.0]), 0.5)
    assert found == pytest.approx([0, 0.01, 0, 63.75**2, 66.5**2, 66**2])


def test_a_range_leaves_room_for_half_as_much_again():
    assert step_below(10.0, 16) == 15 / 32768
    assert step_below(0.0, 8) == 1.5 / 128


def test_integers_saturate():
    assert to_integers(torch.tensor([-128.6, -2.5, 1.5, 127.4, 200]), 8).tolist() == [
        *(-128, -2, 2, 127, 127)
    ]
