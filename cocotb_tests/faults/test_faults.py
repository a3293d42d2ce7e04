"""A few flips of each kind on Icarus: `sparse-vit faults` goes on. A minute."""

from dataclasses import replace

import pytest

from cocotb_tests.faults.flips import Flip, Kind
from cocotb_tests.faults.hardware import Campaign
from cocotb_tests.faults.report import DETECTED, MASKED, SILENT, Outcome, Report
from rtl_gen.errors import UserError
from rtl_gen.interfaces.program import ErrorCode
from rtl_gen.presets import get_config

CHIP = ("system", "accelerator", "cluster", "core_0")
RESIDUAL = (*CHIP, "residual", "words", "sram", "words")


@pytest.fixture(scope="module")
def campaign() -> Campaign:
    return Campaign(get_config("tiny", parity=1))


def test_flips_end_as_they_must(campaign):
    """A weight, a picture's pixel, a word that will be read, one that is written before, and the
    accelerator's error code.
    """
    work = campaign.workload
    weight, pixel = work.program_bytes[len(work.program_bytes) // 2], work.picture_bytes[-1]
    flips = [
        Flip(0, Kind.PROGRAM, (), weight, 3, 0),
        Flip(1, Kind.PICTURE, (), pixel, 6, 0),
        Flip(2, Kind.MEMORY, RESIDUAL, 0, 5, work.cycles[2] // 2),
        Flip(3, Kind.MEMORY, RESIDUAL, 0, 5, 10),
    ]
    outcomes = campaign.run(flips, "icarus")
    assert [one.ended for one in outcomes] == [DETECTED, SILENT, DETECTED, MASKED]
    assert [one.code for one in outcomes] == [
        ErrorCode.BAD_CHECKSUM,
        ErrorCode.NONE,
        ErrorCode.BAD_PARITY,
        ErrorCode.NONE,
    ]


def test_every_bit_can_be_drawn(campaign):
    flips = [campaign.places.draw(5, number) for number in range(4_000)]
    assert flips[17] == campaign.places.draw(5, 17) != campaign.places.draw(6, 17)
    places = {flip.place for flip in flips}
    stores = [*campaign.places.memories, *campaign.places.registers]
    assert {store.place for store in stores if store.bits * store.words > 100} <= places
    assert RESIDUAL in {store.place for store in campaign.places.memories}
    assert (*CHIP[:3], "dispatcher", "fsm_state") in {s.place for s in campaign.places.registers}
    for flip in flips:
        if flip.kind is Kind.PROGRAM:
            assert flip.word not in campaign.workload.picture_bytes


def test_a_silent_flip_of_what_is_claimed_is_an_error():
    report = Report(get_config("tiny", parity=1), seed=3)
    flip = Flip(8, Kind.REGISTER, (*CHIP, "x"), 0, 1, 2)
    report.add([Outcome(flip, SILENT, 0)])
    report.require_none_silent()
    report.add([Outcome(replace(flip, kind=Kind.MEMORY), SILENT, 0)])
    with pytest.raises(UserError, match="by sparse-vit faults --seed 3 --flip 8"):
        report.require_none_silent()
    assert report.contents()["counts"]["memory"] == {
        "detected": 0,
        "masked": 0,
        "hang": 0,
        "silent": 1,
    }
