"""Cycles of command fetch and loads through the memory port, with an ideal memory.

The memory answers a read request with its first beat `latency` cycles later and then sends a beat a
cycle; it accepts writes at once.
"""

from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.command import Target, command_beats
from rtl_gen.control.sequencer import Sequencer
from rtl_gen.memory.loader import Loader


def fetch_cycles(config: AcceleratorConfig, latency: int) -> int:
    """From a command's read request to the decision what to do with it."""
    return latency + command_beats(config) + Sequencer.CHECK_CYCLES


def load_beats(config: AcceleratorConfig, target: Target, count: int) -> int:
    """Beats of `count` words of a target memory."""
    return count * Loader.word_beats(config, target)


def load_cycles(beats: int, latency: int) -> int:
    """From the transfer of the loader's command until it is idle again."""
    return Loader.START_CYCLES + latency + beats + Loader.FINISH_CYCLES
