"""Mutants are what they say they are; a bench notices them, or they are listed."""

import multiprocessing
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml
from rich.console import Console

from cocotb_tests.mutants import drawing, judging
from cocotb_tests.mutants.drawing import Drawn, draw, everything
from cocotb_tests.mutants.equivalent import Equivalents
from cocotb_tests.mutants.forked import FAILED, NOTHING_RAN, PASSED, status_of, stop_all
from cocotb_tests.mutants.judging import SURVIVES, Judged, noticed_by
from cocotb_tests.mutants.operators import Mutant, mutants
from cocotb_tests.mutants.report import Report
from cocotb_tests.mutants.tests_of import Stage, stages
from proofs.altered import source_of
from rtl_gen.errors import UserError

HARDWARE = """
def sizes(config):
    return config + 1


def parts(self, m, valid, *, depth=3):
    level = Signal(range(valid + 1))
    tag = data.StructLayout({"valid": 1, "word": valid + 1})
    with m.If(valid & ~(self.level != 0)):
        m.d.sync += x.eq((a +
            b) >> 1)
    require(m, a < b, "a" + "b")
"""

SOFTWARE = '''
LIMIT = 3

def kept(x, limit=2):
    """At most 7."""
    if not x or (x > limit and
                 x % 4):
        return x // 2 * 3
    warn("no", stacklevel=2)
    return None
'''


def found_in(text: str, *, hardware: bool) -> list[tuple[int, str]]:
    found = mutants(text, hardware=hardware)
    for one in found:
        compile(one.text, "mutant", "exec")
        changed, before = one.text.splitlines(), text.splitlines()
        assert changed[one.line - 1].strip() == one.after
        assert before[one.line - 1].strip() == one.before != one.after
        assert changed[: one.line - 1] == before[: one.line - 1]
    return [(one.line, one.after) for one in found]


def test_places_of_hardware_are_changed_one_by_one():
    assert found_in(HARDWARE, hardware=True) == [
        (7, "level = Signal(range(valid - 1))"),
        (8, 'tag = data.StructLayout({"valid": 1, "word": valid - 1})'),
        (9, "with m.If(valid | ~(self.level != 0)):"),
        (9, "with m.If(valid & (self.level != 0)):"),
        (9, "with m.If(valid & ~(self.level == 0)):"),
        (9, "with m.If(valid & ~(self.level != 1)):"),
        (10, "pass"),
        (10, "m.d.sync += x.eq((a -"),
        (11, "b) << 1)"),
        (11, "b) >> 2)"),
    ]


def test_places_of_software_are_changed_one_by_one():
    assert found_in(SOFTWARE, hardware=False) == [
        (6, "if x or (x > limit and"),
        (6, "if not x and (x > limit and"),
        (6, "if not x or (x >= limit and"),
        (6, "if not x or (x > limit or"),
        (7, "x % 5):"),
        (8, "return x * 2 * 3"),
        (8, "return x // 3 * 3"),
        (8, "return x // 2 + 3"),
        (8, "return x // 2 * 4"),
    ]


def test_a_smaller_draw_is_the_beginning_of_a_larger_one():
    assert draw(None, 50, 3) == draw(None, 80, 3)[:50] != draw(None, 50, 4)
    packages = {one.module.split(".")[0] for one in draw(None, 200, 0)}
    assert packages == {"rtl_gen", "model", "sim_models"}
    all_of_it = [one for one in everything() if one.module.startswith("model.program.")]
    assert sorted(draw("model.program", 10**6, 0), key=all_of_it.index) == all_of_it


def test_what_trains_or_draws_is_drawn_from_by_name_alone():
    modules = {one.module for one in everything()}
    assert all(any(f"{name}.".startswith(f"{one}.") for name in modules) for one in drawing.EXACT)
    drawn = {one.module for one in draw(None, 10**6, 0)}
    assert {"rtl_gen.core.core", "model.weights.fit", "sim_models.program"} < drawn
    by_name = {"model.finetune.trainer", "model.integer.random_network", "sim_models.figures.front"}
    assert by_name < modules - drawn
    assert {one.module for one in draw("finetune.trainer", 9, 0)} == {"model.finetune.trainer"}


def test_a_change_elsewhere_moves_no_mutant(monkeypatch):
    order = draw(None, 10**6, 3)
    others = [one for one in everything() if one.module != "rtl_gen.pruning.topk"]
    monkeypatch.setattr(drawing, "everything", lambda: tuple(others))
    fewer = draw(None, 10**6, 3)
    assert fewer == [one for one in order if one in set(others)]
    assert len(set(order)) == len(order) > len(fewer) > 3000


@pytest.mark.parametrize("name", ["topk", "pruning.topk", "rtl_gen.pruning.topk"])
def test_modules_are_called_by_the_end_of_their_name(name):
    assert {one.module for one in draw(name, 5, 3)} == {"rtl_gen.pruning.topk"}


def test_folders_have_names_too():
    modules = {one.module for one in draw("rtl_gen.pruning", 1000, 0)}
    assert {"rtl_gen.pruning.topk", "rtl_gen.pruning.live_tokens"} < modules
    with pytest.raises(UserError, match=r"nothing to change in 'opk'"):
        draw("opk", 1, 0)


def test_every_module_has_tests_that_exist():
    for one in {one.module: one for one in everything()}.values():
        names = [stage.name for stage in stages(one)]
        assert names[-1] in ("programs", "package", "cycles", "rtl")
        assert len(names) == len(set(names))
    topk, schedule = draw("pruning.topk", 1, 0)[0], draw("model.pruning.schedule", 1, 0)[0]
    assert [stage.name for stage in stages(topk)] == ["module", "folder", "programs"]
    top, tree = draw("rtl_gen.accelerator", 1, 0)[0], draw("common.pipeline", 1, 0)[0]
    assert [stage.name for stage in stages(top)] == ["programs"]
    assert [stage.name for stage in stages(tree)] == ["beside", "module", "folder", "programs"]
    assert {path.name for path in stages(tree)[0].files()} > {"test_arithmetic.py"}
    assert not any("--long" in stage.words for stage in stages(topk))
    assert all("--long" in stage.words for stage in stages(topk, long=True))
    assert {path.name for path in stages(topk)[1].files()} > {"test_pruning.py", "bench_topk.py"}
    nearest, *_ = stages(schedule)
    assert [word.rpartition("/")[2] for word in nearest.words] == [
        "test_schedule.py", "test_schedule_file.py"
    ]  # fmt: skip


def test_the_queues_bench_notices():
    (drawn,) = (one for one in draw("common.queue", 50, 0) if "level == 0" in one.mutant.after)
    assert noticed_by(drawn, stages(drawn)) == "module"


def test_what_passes_all_stages_survives_and_is_judged_once(monkeypatch, tmp_path):
    topk, same = Drawn("rtl_gen.pruning.topk", 0, Mutant(1, "", "", "a")), draw("topk", 1, 0)[0]
    told = []

    def fails_in_programs(_, text, words, __):
        told.append((text, "-k" in words))
        if text == "a" and "test_errors" in str(words):
            return FAILED
        return NOTHING_RAN if "-k" in words else PASSED

    monkeypatch.setattr(judging, "status_of", fails_in_programs)
    judged = Judged(tmp_path / "judged.jsonl")
    assert [judged.noticed_by(one) for one in (topk, same)] == ["programs", SURVIVES]
    assert len(told) == 2 * len(stages(topk)) == 6
    monkeypatch.setattr(judging, "status_of", None)
    again = Judged(tmp_path / "judged.jsonl")
    assert [again.noticed_by(one) for one in (topk, same)] == ["programs", SURVIVES]


def test_a_survivor_is_judged_anew_by_long_tests(monkeypatch, tmp_path):
    one, journal = draw("topk", 1, 0)[0], tmp_path / "judged.jsonl"
    monkeypatch.setattr(
        judging, "status_of", lambda *run: FAILED if "--long" in run[2] else NOTHING_RAN
    )
    for long, by in [(False, SURVIVES), (True, "module"), (False, "module")]:
        assert Judged(journal, long=long).noticed_by(one) == by


def test_a_survivor_is_judged_anew_by_other_tests(monkeypatch, tmp_path):
    one, journal = draw("topk", 1, 0)[0], tmp_path / "judged.jsonl"
    test = tmp_path / "test_it.py"
    stage = Stage("module", (f"{test}::test_it", "-k", "it"))
    monkeypatch.setattr(judging, "stages", lambda *_, **__: [stage])
    for text, status in [("a", PASSED), ("a", FAILED), ("b", FAILED), ("c", PASSED)]:
        test.write_text(text)
        monkeypatch.setattr(judging, "status_of", lambda *_, status=status: status)
        assert Judged(journal).noticed_by(one) == (SURVIVES if text == "a" else "module")


def test_pytest_runs_on_the_changed_text(tmp_path):
    test = tmp_path / "test_values.py"
    test.write_text(
        "def test_value():\n    from rtl_gen.common.saturate import value\n    assert value == 3\n"
    )
    module = "rtl_gen.common.saturate"
    words = (str(test), "-c", "/dev/null", "--rootdir", str(tmp_path))
    assert status_of(module, "value = 3", words, 60) == PASSED
    assert status_of(module, "value = 4", words, 60) == FAILED
    assert status_of(module, "while True: pass", words, 3) == FAILED
    assert status_of(module, "import os\nos.abort()", words, 60) == FAILED
    assert status_of(module, "", (*words, "-k", "product"), 60) == NOTHING_RAN
    with pytest.raises(RuntimeError, match="ends with 70"):
        status_of("rtl_gen.no_such_module", "", words, 60)


@pytest.mark.parametrize(("module", "own"), [("memory", True), ("sources", True), ("paper", False)])
def test_what_is_compiled_of_a_mutant_does_not_stay(module, own, tmp_path):
    test = tmp_path / "test_cache.py"
    test.write_text(
        "import numba, sim_models\n"
        "from rtl_gen.caches import cache_folder\n"
        "def test_folder():\n"
        "    usual = numba.config.CACHE_DIR.startswith(str(cache_folder('numba')))\n"
        f"    assert usual != {own}\n"
    )
    name = f"sim_models.{module}"
    words = (str(test), "-c", "/dev/null", "--rootdir", str(tmp_path))
    assert status_of(name, source_of(name).read_text(), words, 60) == PASSED


def test_what_runs_can_be_stopped():
    """It has a session of its own, which an interrupt of the command's does not reach."""
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(
            status_of,
            "rtl_gen.common.saturate",
            "while True: pass",
            ("-p", "rtl_gen.common.saturate"),
            600,
        )
        while not waiting.running() or not multiprocessing.active_children():
            time.sleep(0.1)
        stop_all()
        with pytest.raises(RuntimeError, match="ends with -9"):
            waiting.result(timeout=60)


def test_reasons_are_about_mutants_that_there_are(tmp_path):
    assert Equivalents.read() is not None
    one = next(iter(everything()))
    file = tmp_path / "equivalent.yaml"
    entry = {"module": one.module, "before": one.mutant.before, "reason": "why"}
    file.write_text(yaml.safe_dump([entry | {"after": one.mutant.after}]))
    assert Equivalents.read(file).reason(one) == "why"
    file.write_text(yaml.safe_dump([entry | {"after": "nothing"}]))
    with pytest.raises(UserError, match="take its entry away"):
        Equivalents.read(file)
    file.write_text("- nothing")
    with pytest.raises(UserError, match="expected a list of mutants and reasons"):
        Equivalents.read(file)


def test_the_report_adds_up():
    report, drawn = Report(0), draw("pruning.topk", 4, 0)
    for one, by in zip(drawn, ["module", "module", "programs", SURVIVES], strict=True):
        report.add(one, by)
    report.equivalent["rtl_gen.pruning"] = 2
    row = {"mutants": 6, "equivalent": 2, "noticed": 3, "surviving": 1, "noticed_percent": 75.0}
    assert report.folders() == [{"folder": name, **row} for name in ("rtl_gen.pruning", "all")]
    assert report.contents()["noticed_by"] == {"module": 2, "programs": 1}
    with (console := Console(width=200)).capture() as capture:
        report.show(console)
    assert drawn[-1].mutant.after in capture.get()
