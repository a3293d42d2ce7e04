"""Whether a configuration can run a network: the one place that decides.

Compiler, cycle model, sweeps and commands ask here before any long work. The limits are those that
the hardware checks of every command (rtl_gen/control/dispatcher.py, range_check.py), and the
formats that bound them.
"""

from model.network import Network
from rtl_gen.config import PRESETS, AcceleratorConfig
from rtl_gen.errors import UserError


def check_fit(config: AcceleratorConfig, network: Network) -> None:
    """Raise UserError if the configuration cannot hold the network."""
    least = {
        **dict.fromkeys(("heads", "layers", "head_dim", "colours"), 1),
        **dict.fromkeys(("prefix_tokens", "classes"), 0),
    }
    for name, smallest in least.items():
        _check_count(network, name, getattr(network, name), smallest)
    for name, smallest in {"patch": 1, "grid": 0}.items():
        for value in getattr(network, name):
            _check_count(network, name, value, smallest)
    _check_count(network, "tokens", network.tokens, 1)
    _check_count(network, "hidden", network.hidden, 1)
    limits = {
        "max_tokens": (network.tokens, config.max_tokens),
        "max_heads": (network.heads, config.max_heads),
        "width": (network.head_dim, config.width),
        "max_dim": (network.dim, config.max_dim),
    }
    for name, (needed, available) in limits.items():
        if needed > available:
            raise UserError(
                f"{network.name} needs {name} = {needed}, this configuration has {available}: "
                "choose a larger preset"
            )
    for name, needed in {
        "patch inputs": network.patch_inputs,
        "hidden channels of the FFN": network.hidden,
        f"attention outputs, {config.width} a head,": network.heads * config.width,
    }.items():
        if needed > config.hidden_dim:
            raise UserError(
                f"{network.name} has {needed} {name}: this configuration holds "
                f"{config.hidden_dim}, four times max_dim = {config.max_dim}"
            )


def fitting_presets(network: Network) -> list[str]:
    """Names of the presets that can run the network, those of the narrowest lanes first."""
    fitting = [name for name, config in PRESETS.items() if _fits(config, network)]
    return sorted(fitting, key=lambda name: PRESETS[name].width)


def _fits(config: AcceleratorConfig, network: Network) -> bool:
    try:
        check_fit(config, network)
    except UserError:
        return False
    return True


def _check_count(network: Network, name: str, value: int, smallest: int) -> None:
    if type(value) is not int or value < smallest:
        kind = "a positive integer" if smallest else "an integer from 0 on"
        raise UserError(f"{network.name} has {name} = {value!r}: expected {kind}")
