"""The report in a real browser: no width or theme breaks it, and it asks the network for nothing.

Needs Chromium and ChromeDriver (Debian: `chromium chromium-driver`) and the extra `browser`.
`SCREENSHOTS=FOLDER make test-browser` leaves pictures to be looked at.
"""

import base64
import os
import shutil
from pathlib import Path

import pytest

from latentcomp.evaluate.result import EvaluationResult
from latentcomp.experiment.judge import judge_phase
from latentcomp.experiment.phases import phase
from latentcomp.experiment.run_folder import RunFolder
from latentcomp.report import write_report
from latentcomp.report.compare import write_comparison

from ..experiment import runs
from .test_insides import diagnosis
from .test_report import SAMPLES

webdriver = pytest.importorskip("selenium.webdriver", reason="needs the extra `browser`")
pytestmark = pytest.mark.browser

WIDTHS = (1400, 768, 400, 360)
"""Pixels: a screen, a tablet, two phones."""
LEGIBLE = 8.0
"""Least size of the letters of a figure in CSS pixels."""
CONTRAST = 4.5
"""Least ratio of luminances of text and background, level AA of WCAG 2.2, 1.4.3."""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The report of a run with everything that a page can show, and the page of two runs."""
    with pytest.MonkeyPatch.context() as patch:
        runs.small_lab(patch)
        run = RunFolder(tmp_path_factory.mktemp("pages") / "run")
        for number in (1, 4):
            trial = runs.save_trial(run, phase(number).recipe)
            runs.save_curve(trial)
            for ratio, share in ((16.0, 0.3), (8.0, 0.5), (4.0, 0.9)):
                found = runs.save_evaluation(
                    trial, run, ratio=ratio, compressed=share, summary=0.4, bm25=0.3,
                    samples=SAMPLES if number == 4 else (),
                )  # fmt: skip
            judge_phase(run, number)
            sha = EvaluationResult.read(found.result).checkpoint_sha256
            diagnosis(sha).write(trial.path / "diagnosis-4x-0.json")
        other = Path(shutil.copytree(run.path, run.path.with_name("other")))
        both = write_comparison(run.path, other, run.path / "report" / "compare.html")
        yield {"report": write_report(run.path), "compare": both}


@pytest.fixture(scope="module")
def browser():
    for program in ("chromium", "chromedriver"):
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    quiet = ("background-networking", "component-update", "sync", "quic", "gpu")
    for flag in ("headless=new", "no-sandbox", "no-first-run", *(f"disable-{q}" for q in quiet)):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


def opened(browser, page, width, *, media="screen", scheme="light"):
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 700}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(page.as_uri())


def keep(browser, name):
    """A picture of the whole page, where somebody wants to look at it."""
    if "SCREENSHOTS" not in os.environ:
        return
    taken = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
    folder = Path(os.environ["SCREENSHOTS"])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.png").write_bytes(base64.b64decode(taken["data"]))


@pytest.mark.parametrize("name", ["report", "compare"])
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_sticks_out_of_the_page(browser, pages, name, width):
    opened(browser, pages[name], width)
    keep(browser, f"{name}-{width}")
    wide = browser.execute_script("return document.documentElement.scrollWidth")
    assert wide <= width
    assert browser.execute_script("return document.querySelectorAll('svg').length") > 3 or (
        name == "compare"
    )


def test_figures_can_be_read_on_a_phone(browser, pages):
    opened(browser, pages["report"], 400)
    heights = browser.execute_script(
        "return [...document.querySelectorAll('figure svg text')].map(each => {"
        "const to = each.getScreenCTM();"  # letters of an axis may stand upright
        "return parseFloat(getComputedStyle(each).fontSize) * Math.hypot(to.a, to.b)})"
    )
    assert heights and min(heights) >= LEGIBLE


@pytest.mark.parametrize("name", ["report", "compare"])
def test_it_asks_for_nothing_and_complains_of_nothing(browser, pages, name):
    opened(browser, pages[name], 1400)
    asked = "return performance.getEntriesByType('resource').map(each => each.name)"
    assert browser.execute_script(asked) == []
    assert browser.get_log("browser") == []


LUMINANCE = """
const spot = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
const light = color => {
  spot.fillStyle = color; spot.fillRect(0, 0, 1, 1);
  const part = [...spot.getImageData(0, 0, 1, 1).data].slice(0, 3).map(value => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2];
};
const style = getComputedStyle(document.documentElement);
const of = name => light(style.getPropertyValue('--' + name).trim());
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_themes(browser, pages, scheme):
    opened(browser, pages["report"], 1400, scheme=scheme)
    keep(browser, f"report-{scheme}")
    page = browser.execute_script(LUMINANCE + "return of('page')")
    assert (page > 0.5) == (scheme == "light")
    grounds = {"page": ["ink", "muted", "accent", "warn", "good", "bad", "open"]}
    grounds |= {"card": ["ink", "muted", "accent"]}
    grounds |= {f"{tone}-bg": [tone] for tone in ("good", "bad", "open")}
    for ground, inks in grounds.items():
        for ink in inks:
            lights = browser.execute_script(LUMINANCE + f"return [of('{ground}'), of('{ink}')]")
            ratio = (max(lights) + 0.05) / (min(lights) + 0.05)
            assert ratio >= CONTRAST, f"{ink} on {ground}, {scheme}: {ratio:.2f}"


def test_examples_are_filtered_by_a_click(browser, pages):
    opened(browser, pages["report"], 1400)
    shown = "return [...document.querySelectorAll('.sample')].filter(e => e.offsetParent).length"
    every = browser.execute_script(shown)
    assert every > 0
    counts = {}
    for name in ("right", "stale"):
        label = browser.find_element("css selector", f"label:has(input.o-{name})")
        label.click()
        counts[name] = browser.execute_script(shown)
    assert counts == {"right": 0, "stale": every}, "the one example is a stale answer"


@pytest.mark.parametrize("name", ["report", "compare"])
def test_on_paper_no_table_is_cut(browser, pages, name):
    opened(browser, pages[name], 718, media="print")  # A4 between margins of a centimetre, 96 dpi
    keep(browser, f"{name}-print")
    cut = browser.execute_script(
        "const edge = document.documentElement.clientWidth;"
        "return [...document.querySelectorAll('table')]"
        ".filter(each => each.getBoundingClientRect().right > edge + 1)"
        ".map(each => each.innerText.slice(0, 60))"
    )
    assert cut == []
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": False})
    assert base64.b64decode(printed["data"]).startswith(b"%PDF")
