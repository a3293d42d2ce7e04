"""Names of a network's tensors, freed of what training put in front of them.

Wrappers of PyTorch (`DistributedDataParallel`, `torch.compile`, FSDP, activation checkpointing)
leave their words anywhere in a name; a program's own module, such as Lightning's, stands in front
of all the names of its network. The patch embedding, of which a network has one, shows where that
is.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rtl_gen.errors import UserError

_WRAPPERS = frozenset({"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"})

_EMBEDDING = re.compile(
    r"(?P<front>(.*\.)??)(patch_embed\.proj"
    r"|((vit|deit)\.)?embeddings\.patch_embeddings\.projection)\.weight"
)
"""timm's name of the patch embedding, or Hugging Face's."""

_LAYER_SCALE = re.compile(r"\.gamma_([12])$")
"""Of DeiT III's own training script."""

_NO_PART = re.compile(
    r"n_averaged"  # a counter of torch.optim.swa_utils
    r"|((vit|deit)\.)?(embeddings\.)?mask_token|decoder.*"  # masked pre-training
    r"|((vit|deit)\.)?pooler\..*"  # behind the features of Hugging Face's ViTModel
)


def of_network(path: Path, state: Mapping[str, Any]) -> dict[str, Any]:
    """The values of one network by its own names, timm's or Hugging Face's.

    A value that belongs to no part of a plain Vision Transformer is left out if it is known what
    for it is there, and keeps its name otherwise.

    Raises:
        UserError: two networks, or two values of one name.
    """
    bare = {
        name: ".".join(word for word in name.split(".") if word not in _WRAPPERS) for name in state
    }
    front = _front(path, bare.values())
    names = {
        name: _LAYER_SCALE.sub(r".ls\1.gamma", short.removeprefix(front))
        for name, short in bare.items()
    }
    name, times = Counter(names.values()).most_common(1)[0]
    if times > 1:
        raise UserError(f"weights file {path} holds {times} tensors {name}: save one network alone")
    return {short: state[name] for name, short in names.items() if not _NO_PART.fullmatch(short)}


def _front(path: Path, names: Iterable[str]) -> str:
    """What stands in front of a network's names."""
    matches = (_EMBEDDING.fullmatch(name) for name in names)
    fronts = sorted({match["front"] for match in matches if match})
    if len(fronts) > 1:
        below = " and ".join(front or "no name" for front in fronts)
        raise UserError(
            f"weights file {path} holds {len(fronts)} networks, below {below}: save one alone"
        )
    return fronts[0] if fronts else ""
