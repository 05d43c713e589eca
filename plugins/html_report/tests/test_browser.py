"""The report in a real browser: nothing in its console, nothing asked of the network, points that can be clicked.

Skipped where there is no chromium, no chromedriver or no selenium.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from plugins.html_report.tests.pages import MARKUP, NASTY, drawn, hostile, mapped, several

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed"),
    pytest.mark.skipif(DRIVER is None, reason="no chromedriver is installed"),
]

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DRAWN = "return [...document.querySelectorAll('.chart:not([hidden])')].every(c => c.querySelector('.main-svg'))"

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A browser that keeps what its console says and what it asks the network for."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in [*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield browser
    browser.quit()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    for name, data in {"several": several(), "hostile": hostile()}.items():
        (folder / f"{name}.html").write_text(drawn(data))
    return {path.stem: path for path in folder.iterdir()}


@pytest.fixture
def opened(chromium: Any, files: dict[str, Path]) -> Iterator[Open]:
    """Opens a report so many pixels wide; at the end nothing may stand in the console or have left the file."""
    size: dict[str, Any] = {}

    def open_page(name: str, width: int = 1280) -> Any:
        for log in ("browser", "performance"):
            chromium.get_log(log)
        size.update(width=width, height=900, deviceScaleFactor=1, mobile=width < 500)
        chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        chromium.get(files[name].as_uri())
        wait(chromium, DRAWN)
        return chromium

    yield open_page
    assert chromium.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in chromium.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert asked, "the log of the network is empty"
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def wait(browser: Any, script: str) -> None:
    """Until the script's value is true."""
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 60).until(lambda b: b.execute_script(script))


def shown(browser: Any) -> str:
    (key,) = browser.execute_script(
        "return [...document.querySelectorAll('.nest:not([hidden])')].map(n => n.dataset.mapping)"
    )
    return str(key)


def text(browser: Any, selector: str) -> str:
    return str(browser.execute_script("return document.querySelector(arguments[0]).innerText", selector))


def click_point(browser: Any, key: str) -> None:
    """With the mouse, where the point of a mapping is drawn on top of the front."""
    from selenium.webdriver.common.action_chains import ActionChains

    x, y = browser.execute_script(
        """
        const chart = document.getElementById("chart-front");
        chart.scrollIntoView({block: "center"});
        const trace = chart.data.find(t => t.hoverinfo === "text" && t.customdata.includes(arguments[0]));
        const at = trace.customdata.indexOf(arguments[0]);
        const {xaxis, yaxis} = chart._fullLayout, box = chart.getBoundingClientRect();
        return [box.x + xaxis._offset + xaxis.d2p(trace.x[at]), box.y + yaxis._offset + yaxis.d2p(trace.y[at])];
        """,
        key,
    )
    actions = ActionChains(browser)
    actions.w3c_actions.pointer_action.move_to_location(round(x), round(y))
    actions.pause(0.3).click().perform()


def test_every_chart_is_drawn_and_the_best_mapping_shown(opened: Open) -> None:
    browser = opened("several")
    assert shown(browser) == str(several().best)
    for chart in ("front", "energy", "latency", "roofline", "unfused", "occupancy-0"):
        assert browser.execute_script(f"return document.querySelectorAll('#chart-{chart} .main-svg').length") > 0
    assert "Matmul1" in text(browser, "#table-latency")
    assert "MAC" in text(browser, "#roofline-about") or "Buffer" in text(browser, "#roofline-about")


def test_a_click_on_a_point_shows_its_mapping_everywhere(opened: Open) -> None:
    browser = opened("several")
    sections = ("#energy-about", "#latency-about", "#table-energy", "#table-latency", "#table-unfused")
    seen = {s: {text(browser, s)} for s in sections}
    for key in ("0", "2"):
        assert shown(browser) != key
        click_point(browser, key)
        wait(browser, f"return document.querySelector('#mapping-select').value === '{key}'")
        assert shown(browser) == key
        assert f"mapping {key}" in text(browser, "#table-front tr.on")
        for section in sections:
            seen[section].add(text(browser, section))
    assert {s: len(texts) for s, texts in seen.items() if len(texts) < 3} == {}


def test_the_list_works_by_keyboard_and_holds_no_fusion(opened: Open) -> None:
    from selenium.webdriver.common.keys import Keys

    browser = opened("several")
    select = browser.find_element("id", "mapping-select")
    select.send_keys(Keys.HOME)
    assert shown(browser) == "0"
    select.send_keys(Keys.ARROW_DOWN)
    assert shown(browser) == "1"
    select.send_keys(Keys.END)
    assert shown(browser) == "unfused"
    assert "no fusion" in text(browser, "#table-unfused")


def test_energy_is_broken_down_three_ways_and_rows_open(opened: Open) -> None:
    browser = opened("several")
    for value, name in (("tensor", "W0"), ("einsum", "Matmul0"), ("component", "Buffer")):
        browser.execute_script(f"document.querySelector('#energy [data-value={value}]').click()")
        assert name in text(browser, "#table-energy")
        pressed = browser.execute_script("return document.querySelector('#energy [aria-pressed=true]').dataset.value")
        assert pressed == value
    before = text(browser, "#table-energy").count("\n")
    browser.execute_script("document.querySelector('#table-energy button.more').click()")
    assert text(browser, "#table-energy").count("\n") > before
    assert "read" in text(browser, "#table-energy")


def test_numbers_of_the_tables_are_those_of_the_model(opened: Open) -> None:
    browser = opened("several")
    for number in (0, len(mapped()) - 1):
        browser.execute_script(f"document.querySelectorAll('#table-front tbody tr')[{number}].click()")
        exact = browser.execute_script(
            "return [...document.querySelectorAll('#table-latency tbody tr td:nth-child(2)')].map(c => c.title)"
        )
        latencies = [e.latency for e in several().details[number].latency]
        assert [float(t.removesuffix(" s")) for t in exact] == pytest.approx([*latencies, sum(latencies)])


def test_a_tensor_can_be_followed_through_the_mapping(opened: Open) -> None:
    browser = opened("several")
    browser.execute_script("document.querySelector('#legend [data-tensor=T1]').click()")
    followed = "return [...new Set([...document.querySelectorAll('.followed')].map(c => c.dataset.tensor))]"
    assert browser.execute_script(followed) == ["T1"]
    browser.execute_script("document.querySelector('#legend [data-tensor=T1]').click()")
    assert browser.execute_script(followed) == []


@pytest.mark.parametrize("name", ["several", "hostile"])
@pytest.mark.parametrize("width", [400, 1280])
def test_no_page_is_wider_than_its_screen(opened: Open, name: str, width: int) -> None:
    browser = opened(name, width)
    assert browser.execute_script("return innerWidth") == width
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width


def test_names_of_strangers_do_nothing(opened: Open) -> None:
    browser = opened("hostile")
    assert NASTY in text(browser, "#legend")
    assert NASTY in text(browser, "#table-latency")
    browser.execute_script("document.querySelector('#energy [data-value=tensor]').click()")
    assert NASTY in text(browser, "#table-energy")
    assert browser.execute_script("return document.querySelectorAll('img, a').length") == 0
    labels = browser.execute_script(
        "return [...document.querySelectorAll('#chart-energy .ytick text')].map(t => t.textContent)"
    )
    assert any(label.startswith("</script><img") for label in labels)
    assert any(label.startswith(MARKUP[:8]) for label in labels)  # Plotly knows these tags


def test_the_network_is_forbidden(opened: Open) -> None:
    """What the policy says is what the browser does, so that a hole in the page would lead nowhere."""
    browser = opened("several")
    browser.execute_script(
        "window.blocked = []; addEventListener('securitypolicyviolation', e => blocked.push(e.effectiveDirective));"
        "new Image().src = 'https://example.invalid/x.png'; fetch('https://example.invalid/y').catch(() => {});"
        "const s = document.createElement('script'); s.textContent = 'window.ran = true'; document.body.append(s);"
    )
    wait(browser, "return blocked.length >= 3")
    assert set(browser.execute_script("return blocked")) == {"img-src", "connect-src", "script-src-elem"}
    assert browser.execute_script("return window.ran") is None
    refused = browser.get_log("browser")  # the browser tells of each
    assert len(refused) >= 3
    assert all("Content Security Policy" in entry["message"] or "example" in entry["message"] for entry in refused)
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    answered = [m["params"]["response"]["url"] for m in messages if m["method"] == "Network.responseReceived"]
    assert [url for url in answered if "example" in url] == []
    browser.refresh()  # what stands in the logs from here on is the page's own
