"""What a user is told of a file of weights that cannot be."""

from pathlib import Path

import pytest
import torch

from model.network.names import VIT_DIGITS
from model.weights.load import load_model
from rtl_gen.errors import UserError


def refusal(path: Path, content: object) -> str:
    """What a user is told of weights whose file holds this; always one line."""
    torch.save(content, path)
    with pytest.raises(UserError) as caught:
        load_model(VIT_DIGITS, path)
    message = str(caught.value)
    assert message.startswith(f"weights file {path}")
    assert "\n" not in message
    assert "weights_only" not in message
    return message
