"""A case's counters from both sides: the cycle model and the RTL."""

from cocotb_tests.network.run import run_image
from rtl_gen.errors import UserError
from sim_models.program import program_cycles
from sparse_vit.calibration.cases import Case
from sparse_vit.calibration.results import Counters, describe


def predict(case: Case) -> Counters:
    """From the cycle model."""
    return program_cycles(case.config, case.image.commands, case.beats, case.memory).counters


def measure(case: Case, simulator: str) -> Counters:
    """From the RTL in simulation. Raises UserError if the accelerator stops with an error."""
    run = run_image(case.config, case.image, case.data, simulator=simulator, memory=case.memory)
    try:
        return run.finished().counters
    except UserError as error:
        raise UserError(f"{describe(case)}: {error}") from error
