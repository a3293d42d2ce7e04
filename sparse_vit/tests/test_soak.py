"""The soak: what it tries, what it keeps of a failure, and that turns repeat."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from sparse_vit.commands import soak
from sparse_vit.soak import turns
from sparse_vit.soak.turns import Problem, Turn


@pytest.fixture
def fake(monkeypatch):
    """Turns that end at once; those of networks fail, the first one with a case of its own."""

    def take(kind: str, seed: int, number: int, _only: int | None) -> Turn:
        turn = Turn(kind, number)
        turn.counts["tried"] = 10 + seed
        if kind == "networks":
            turn.problems.append(Problem("bit 3 differs", only=5 if number == 0 else None))
        return turn

    monkeypatch.setattr(soak, "take", take)
    monkeypatch.setattr(soak, "ProcessPoolExecutor", ThreadPoolExecutor)


@pytest.mark.usefixtures("fake")
def test_a_turn_of_every_kind_at_least(tmp_path, command, capsys):
    assert command("soak", "--hours", 0, "--seed", 7, "--out", tmp_path) == 2
    record = json.loads((tmp_path / soak.FILE).read_text())
    assert record["seed"] == 7
    assert set(record["kinds"]) == set(turns.KINDS)
    assert all(kind["turns"] >= 1 for kind in record["kinds"].values())
    assert all(kind["tried"] == 17 * kind["turns"] for kind in record["kinds"].values())
    assert record["failures"][0] == {
        "problem": "bit 3 differs",
        "replay": "sparse-vit soak --seed 7 --kind networks --turn 0 --only 5",
    }
    assert "failures with seed 7: run the first one alone by" in capsys.readouterr().err


@pytest.mark.usefixtures("fake")
def test_one_kind_for_its_time(tmp_path, command):
    words = ("--kind", "units", "--hours", "0.00001", "--out", str(tmp_path))
    assert command("soak", *words) == 0
    record = json.loads((tmp_path / soak.FILE).read_text())
    assert set(record["kinds"]) == {"units"}
    assert not record["failures"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--kind", "moods"), "unknown kind 'moods': expected one of units, networks"),
        (("--turn", "1"), "--turn 1: expected --kind with it"),
        (("--kind", "damage", "--only", "1"), "--only 1: expected --turn with it"),
    ],
)
def test_refused(tmp_path, command, capsys, words, message):
    assert command("soak", *words, "--out", tmp_path) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_turns_follow_from_seed_and_number(monkeypatch):
    drawn = []
    monkeypatch.setitem(turns.KINDS, "noted", lambda _turn, rng, _only: drawn.append(rng.random()))
    for seed, number in ((1, 0), (1, 0), (1, 1), (2, 0)):
        turns.take("noted", seed, number)
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) == 3


def test_a_damaged_program_in_rtl():
    turn = turns.take("damage", 1, 0, only=2)
    assert turn.counts == {"damaged programs": 1}
    assert turn.problems == []


BROKEN = (
    (
        "rtl_gen.common.saturate",
        "value[:bits].as_signed(), _limit",
        "~value[:bits].as_signed(), _limit",
    ),
    ("rtl_gen.accelerator", "counter + ", "counter + 1 + "),
)
"""Wrong numbers, which networks show, and wrong counters, which programs show."""


@pytest.mark.long
def test_a_broken_design_is_found_and_one_case_shows_it():
    """In a process of its own, which imports the design altered."""
    code = (
        "import json, sys\n"
        "from proofs.altered import alter, replaced\n"
        "for module, old, new in json.loads(sys.argv[1]):\n"
        "    alter(module, replaced(module, old, new))\n"
        "from rtl_gen.presets import get_config\n"
        "from sparse_vit.soak import turns\n"
        "turns.NETWORKS = turns.CASES = 2\n"
        "turns._config = lambda _: get_config('tiny')\n"
        "for kind in ('networks', 'programs'):\n"
        "    found = turns.take(kind, 1, 0).problems\n"
        "    print(kind, [(problem.only, 'cycles' in problem.what) for problem in found])\n"
    )
    words = [sys.executable, "-c", code, json.dumps(BROKEN)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == [
        "networks [(0, False), (1, False)]",
        "programs [(0, True), (1, True)]",
    ], done.stderr
