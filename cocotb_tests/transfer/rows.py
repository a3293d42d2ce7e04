"""Where rows of each target lie in the memories, from what docs/architecture.md says of them."""

from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.targets import Target

PLAIN = {
    Target.QUERY: "query",
    Target.ACTIVATION: "activation",
    Target.HIDDEN: "hidden",
    Target.RESIDUAL: "residual",
    Target.LIVE: "live",
}
"""A row a word."""


def kv_word(config: AcceleratorConfig, target: Target, token: int) -> tuple[int, int]:
    """Bank and word of a token's key or value: keys and values alternate in the token's bank."""
    return token % config.lanes, 2 * (token // config.lanes) + (target == Target.VALUE)
