"""The report as a reader sees it: opened in Chromium, offline, looked at and clicked."""

import json
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from model.attention.synthetic import maps_of
from model.masks.strategies import make_masks
from model.network.names import DEIT_TINY
from model.pruning.schedule import DEFAULT_SCHEDULE
from rtl_gen.errors import UserError
from sim_models.figures.catalogue import FIGURES
from sim_models.figures.operations import OPERATIONS
from sim_models.figures.workload import Setting
from sim_models.network import assumed_live, network_cycles
from sim_models.report.page import render_report
from sim_models.report.plots import PLOTS
from sim_models.report.rtl_runs import Evidence, find_evidence

CHROMIUM = shutil.which("chromium")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

SETTING = Setting(networks=(DEIT_TINY,))

RUN = {
    "model": "deit_tiny",
    "network": "random",
    "sparsity": 0.8,
    "prune": True,
    "config": "default",
    "latency": 100,
    "rate": 64,
    "seed": 0,
    "compared": 1000,
    "mismatches": 3,
    "cycles": 1_234_567,
    "cycles_model": 1_234_560,
    "mac_bound_cycles": 1_000_000,
    "counters": {"cycles": 1_234_567},
}

CALIBRATION = {
    "seed": 5,
    "cases": 72,
    "failed": 1,
    "fixed_memory": {
        "cases": 60,
        "cycles_rtl": 2_000_000,
        "cycles_model": 2_000_000,
        "largest_relative_error": 0.0,
    },
    "random_stall": {
        "cases": 12,
        "cycles_rtl": 400_000,
        "cycles_model": 399_000,
        "largest_relative_error": 0.0125,
    },
    "by_counter": {"norm_cycles": {"rtl": 4321, "model": 4320, "largest_error": 1}},
}


@pytest.fixture(scope="module")
def results():
    return {name: FIGURES[name].data(SETTING, lambda _: None) for name in PLOTS}


@pytest.fixture(scope="module")
def evidence(tmp_path_factory) -> Evidence:
    folder = tmp_path_factory.mktemp("runs")
    (folder / "deit_tiny-0.8-1.json").write_text(json.dumps(RUN))
    older = {name: value for name, value in RUN.items() if name != "cycles_model"}
    older |= {"network": "some/where/tiny.safetensors", "mismatches": 0}
    (folder / "older.json").write_text(json.dumps(older), encoding="utf-8-sig")
    calibration = folder / "calibration" / "report.json"
    calibration.parent.mkdir()
    calibration.write_text(json.dumps(CALIBRATION))
    return find_evidence(folder, calibration)


@pytest.fixture(scope="module")
def html(results, evidence) -> str:
    return render_report(SETTING, results, evidence)


@pytest.fixture(scope="module")
def page(html, tmp_path_factory) -> Iterator[Page]:
    """The open report; at the end, nothing may have gone wrong in it or left the machine."""
    if CHROMIUM is None:
        pytest.skip("Chromium is missing: apt-get install chromium")
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(html)
    complaints: list[str] = []
    requests: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        context = browser.new_context(offline=True, viewport={"width": 1300, "height": 900})
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri())
        yield page
        browser.close()
    assert complaints == []
    assert requests == [path.as_uri()]


def cells(page: Page, table: str) -> list[list[str]]:
    """Text of a table's body."""
    script = "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    return page.locator(f"#table-{table} tbody tr").evaluate_all(script)


def test_same_results_give_the_same_page(results, evidence, html):
    assert render_report(SETTING, results, evidence) == html


def test_every_plot_is_drawn(page, results):
    for name in PLOTS:
        box = page.locator(f"#plot-{name} .main-svg").first.bounding_box()
        assert box["width"] > 900
        assert box["height"] == pytest.approx(PLOTS[name](results[name]).layout.height, abs=2)
    traces = "name => document.getElementById('plot-' + name).data.length"
    assert page.evaluate(traces, "speedup") == 4
    assert page.evaluate(traces, "breakdown") == 2 * (len(OPERATIONS) + 1)
    assert page.evaluate(traces, "timeline") == 3 * len(OPERATIONS)
    assert page.evaluate(traces, "pareto") == 2 * 6 + 1
    assert page.locator("#plot-speedup .bars .point path").count() == 4
    assert page.locator("#plot-speedup .shapelayer path").count() == 2
    assert page.locator("#plot-timeline .bars .point path").count() == 2 * len(results["timeline"])
    assert page.locator("#plot-pareto .scatter .point").count() == 2 * 6 * 5


def test_tables_hold_the_cycles_of_the_model(page):
    maps = maps_of(DEIT_TINY).maps
    masks = make_masks(maps, 0.8, prefix=1)
    live = assumed_live(DEIT_TINY, maps, masks, DEFAULT_SCHEDULE)
    config = SETTING.config
    dense = network_cycles(config, DEIT_TINY).total
    sparse = network_cycles(config, DEIT_TINY, masks=masks).total
    pruned = network_cycles(
        config, DEIT_TINY, masks=masks, schedule=DEFAULT_SCHEDULE, live=live
    ).total
    assert ["deit_tiny", "measured", "80%", f"{sparse:,}", f"{pruned:,}"] in [
        row[:5] for row in cells(page, "speedup")
    ]
    assert cells(page, "timeline")[-1][-2:] == [f"{pruned:,}", f"{dense:,}"]
    assert [row[4] for row in cells(page, "utilisation") if row[2] == "total"] == [
        f"{dense:,}",
        f"{pruned:,}",
    ]
    configuration = dict(cells(page, "configuration"))
    assert configuration["lanes"] == "8"
    assert configuration["seed of synthetic maps"] == "0"


def test_tables_hold_what_the_rtl_said(page):
    settings = ["80%", "yes", "default", "100", "64", "1,000"]
    assert cells(page, "rtl-runs") == [
        ["deit_tiny-0.8-1", "random", *settings, "3", "1,234,567", "1,234,560", "7", "1.235"],
        ["older", "tiny.safetensors", *settings, "0", "1,234,567", "", "", "1.235"],
    ]
    assert cells(page, "calibration")[1][-3:] == ["400,000", "399,000", "1.250%"]
    assert cells(page, "calibration-counters") == [["norm cycles", "4,321", "4,320", "1"]]
    expect(page.locator(".headlines")).to_contain_text("mismatches in 2,000 values of 2 RTL runs")


def test_legend_hides_an_operation(page):
    bars = page.locator("#plot-timeline .bars .point path")
    before = bars.count()
    page.locator("#plot-timeline .legendtoggle").nth(list(OPERATIONS).index("attention")).click()
    expect(bars).not_to_have_count(before)
    traces = page.evaluate(
        "document.getElementById('plot-timeline').data.map(t => [t.name, t.visible ?? true])"
    )
    hidden = [name for name, visible in traces if visible == "legendonly"]
    assert hidden == ["attention"] * 3


def test_hover_tells_cycles(page):
    page.locator("#plot-speedup").scroll_into_view_if_needed()
    box = page.locator("#plot-speedup .bars .point path").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
    label = page.locator("#plot-speedup .hoverlayer .hovertext").first
    expect(label).to_contain_text("cycles sparse")


def test_long_tables_unfold(page):
    table = page.locator("#table-utilisation")
    expect(table).to_be_hidden()
    page.get_by_text("Utilisation of the array:").click()
    expect(table).to_be_visible()


def test_a_page_without_runs_says_so(results, tmp_path):
    nothing = find_evidence(tmp_path / "none", tmp_path / "none.json")
    assert "No runs found" in render_report(SETTING, results, nothing)


def test_foreign_calibration_is_refused(tmp_path):
    path = tmp_path / "report.json"
    path.write_text("[1")
    with pytest.raises(UserError, match="no result of `make calibrate`"):
        find_evidence(tmp_path / "none", path)
