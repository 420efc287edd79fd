"""The live page in Chromium, against the running agent (or the development server: page_server.py)."""

import contextlib
import os
import sqlite3
import statistics
import threading
import time

import pytest

from support.waiting import wait_until

from . import browser as browsers
from .page_server import DEV, PageServer
from .path_proxy import PathProxy

TOKEN = "0123456789abcdef"
LIVE = "document.querySelector('#connection').dataset.state === 'live'"
ALERT_ROW = "[...document.querySelectorAll('#feed .alert')].some((row) => {}.test(row.textContent))"
TILE = "[...document.querySelectorAll('.tile')].find((tile) => tile.querySelector('.name').textContent === {!r})"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    browsers.require()
    driver = browsers.Browser(tmp_path_factory.mktemp("browser") / "driver.log")
    yield driver
    driver.close()


@pytest.fixture
def server(tmp_path):
    page_server = PageServer(tmp_path).start()
    yield page_server
    page_server.close()


class Beats:
    """Readings of some customers each half second, from a thread, until stopped."""

    def __init__(self, server, rates):
        self.rates = dict(rates)
        self._server = server
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        while not self._end.wait(0.5):
            self._server.send_all([(customer, rate, 0.0) for customer, rate in list(self.rates.items())])

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()


def crowd(server, customers=12, seconds=60):
    """Sends a minute of readings; returns them as (customer, heart rate). Two customers end outside of the limits."""
    readings = [(f"cust_{number:05}", 60 + number + second % 7, seconds - second + number / 100)
                for second in range(seconds) for number in range(customers)]
    readings += [("cust_high", 150, 0.5), ("cust_low", 41, 0.4)]
    server.send_all(readings)
    wait_until(lambda: server.get("snapshot")["totals"]["count"] == len(readings), 20, "the readings to be counted")
    return [(customer, heart_rate) for customer, heart_rate, _ in readings]


def quiet(chromium, server):
    """No error, and no request that leaves the page's own origin."""
    seen = chromium.act("seen")
    assert seen["console"] == [] and seen["errors"] == []
    assert seen["requests"] and all(url.startswith(server.url) for url in seen["requests"])


def test_values_equal_the_readings_that_were_sent(chromium, server):
    sent = crowd(server)
    rates = [heart_rate for _, heart_rate in sent]
    chromium.open(server.url)
    chromium.wait_text("#stat-readings", f"{len(sent):,}")
    assert chromium.text("#stat-average") == f"{statistics.fmean(rates):.1f}"
    assert chromium.text("#stat-min") == str(min(rates))
    assert chromium.text("#stat-max") == str(max(rates))
    assert chromium.text("#stat-active") == "14" and chromium.text("#stat-known") == "of 14"
    assert chromium.text("#stat-alerts-note") == "1 high · 1 low"
    shown = chromium.evaluate("Object.fromEntries([...document.querySelectorAll('.tile')].map((tile) => "
                              "[tile.querySelector('.name').textContent, Number(tile.querySelector('.rate b').textContent)]))")
    assert shown == dict(sent)  # the newest of each
    table = chromium.evaluate("Object.fromEntries([...document.querySelectorAll('#spread-rows tr')].map((row) => "
                              "[parseInt(row.children[0].textContent), Number(row.children[1].textContent.replaceAll(',', ''))]))")
    expected = {start: sum(int(start) <= rate < int(start) + 5 for rate in rates) for start in table}
    assert table == expected and sum(table.values()) == len(sent)
    quiet(chromium, server)


@pytest.mark.skipif(DEV, reason="the development server stores nothing")
def test_values_equal_those_of_the_database(chromium, tmp_path):
    """A finite run of the generator: what the page says is what the SQLite sink of the same agent holds."""
    stored = tmp_path / "stored.db"

    def rows(query):
        with contextlib.closing(sqlite3.connect(stored)) as database:
            return database.execute(query).fetchall()
    server = PageServer(tmp_path, sources="""[[source]]
        plugin = "generator"
        customers = 20
        count = 200
        rate = 100.0""", sinks=f'[[sink]]\nplugin = "sqlite"\npath = "{stored}"\n').start()
    try:
        wait_until(lambda: server.get("snapshot")["totals"]["readings"] == 200, 30, "the run to end")
        wait_until(lambda: rows("SELECT count(*) FROM heartbeats") == [(200,)], 10, "the database")
        ((average, lowest, highest),) = rows("SELECT avg(heart_rate), min(heart_rate), max(heart_rate) FROM heartbeats")
        chromium.open(server.url)
        chromium.wait_text("#stat-readings", "200")
        assert chromium.text("#stat-average") == f"{average:.1f}"
        assert (chromium.text("#stat-min"), chromium.text("#stat-max")) == (str(lowest), str(highest))
        shown = chromium.evaluate("Object.fromEntries([...document.querySelectorAll('.tile')].map((tile) => "
                                  "[tile.querySelector('.name').textContent, Number(tile.querySelector('.rate b').textContent)]))")
        newest = rows("SELECT customer_id, heart_rate, max(time) FROM heartbeats GROUP BY customer_id")
        assert shown == {customer: rate for customer, rate, _ in newest}
        quiet(chromium, server)
    finally:
        server.close()


def test_values_move(chromium, server):
    with Beats(server, {"cust_a": 70}) as beats:
        chromium.open(server.url)
        chromium.wait(f"{LIVE} && {TILE.format('cust_a')}?.textContent.includes('70')")
        assert chromium.text("#stat-alerts-note") == "none flagged"
        total = chromium.text("#stat-readings")
        beats.rates["cust_a"] = 83
        chromium.wait(f"{TILE.format('cust_a')}.querySelector('.rate b').textContent === '83'", 3)
        chromium.wait(f"document.querySelector('#stat-readings').textContent !== {total!r}", 3)
        chromium.wait("document.querySelector('.chip b').textContent === '83'", 4)  # the chart's newest value
    quiet(chromium, server)


def test_an_outlier_is_an_alert_within_two_seconds(chromium, server):
    with Beats(server, {f"cust_{number}": 70 for number in range(5)}) as beats:
        chromium.open(server.url)
        chromium.wait("document.querySelectorAll('.tile').length === 5")
        took = []
        for name in ("cust_1", "cust_2", "cust_3"):  # the best of three: a busy machine may hold one up
            began = time.monotonic()
            beats.rates[name] = 171
            chromium.wait(ALERT_ROW.format(f"/High began\\s*{name}\\s*171 bpm/"), 10)
            took.append(time.monotonic() - began)
            if name != "cust_3":
                beats.rates[name] = 80
                chromium.wait(ALERT_ROW.format(f"/High ended\\s*{name}/"), 10)
        assert min(took) < 2
        chromium.wait(f"{TILE.format('cust_3')}.dataset.kind === 'high'", 2)
        assert chromium.evaluate("document.querySelector('.tile .name').textContent") == "cust_3"  # moved to the front
        assert "High" in chromium.text(".tile .status")
        beats.rates["cust_3"] = 80
        chromium.wait(ALERT_ROW.format("/High ended\\s*cust_3/"), 5)
    quiet(chromium, server)


def test_a_stopped_source_shows_as_stale(chromium, server):
    with Beats(server, {"cust_a": 70, "cust_b": 75}) as beats:
        chromium.open(server.url)
        chromium.wait("document.querySelectorAll('.tile').length === 2")
        del beats.rates["cust_b"]
        chromium.wait(f"{TILE.format('cust_b')}.dataset.kind === 'stale'", 15)
        assert "Stale" in chromium.evaluate(f"{TILE.format('cust_b')}.textContent")
        assert chromium.text("#stat-active") == "1" and chromium.text("#stat-stale") == "1 stale"
        assert chromium.evaluate("document.querySelector('#banner').hidden")
    chromium.wait_text("#banner-title", "No readings are arriving.", 10)  # all have stopped
    quiet(chromium, server)


def test_recovers_by_itself_after_a_kill_and_a_start(chromium, server):
    with Beats(server, {"cust_a": 70}):
        chromium.open(server.url)
        chromium.wait(f"{LIVE} && document.querySelector('.chip b')?.textContent === '70'")
        started = server.get("snapshot")["started_ms"]
        server.kill()
        chromium.wait("/^Reconnecting in \\d s/.test(document.querySelector('#connection-text').textContent)", 5)
        chromium.wait_text("#banner-title", "No data for", 10)
        assert "by itself" in chromium.text("#banner-text")
    server.start()
    assert server.get("snapshot")["started_ms"] != started
    with Beats(server, {"cust_a": 70, "cust_new": 66}):
        chromium.wait(f"{LIVE} && document.querySelector('#banner').hidden && {TILE.format('cust_new')} !== undefined", 20)
        chromium.wait("[...document.querySelectorAll('.chip')].some((chip) => /cust_new\\s*66/.test(chip.textContent))", 15)
    assert chromium.act("seen")["errors"] == []


def test_polls_where_the_stream_does_not_get_through(chromium, server):
    with Beats(server, {"cust_a": 70}) as beats:
        chromium.open(server.url, block="**/api/v1/stream")
        chromium.wait_text("#connection-text", "Live, every 2 s", 15)
        chromium.wait(f"{TILE.format('cust_a')} !== undefined")
        beats.rates["cust_a"] = 88
        chromium.wait(f"{TILE.format('cust_a')}.querySelector('.rate b').textContent === '88'", 5)
        assert chromium.evaluate("document.querySelector('#banner').hidden")
    assert chromium.act("seen")["errors"] == []


@pytest.fixture
def locked(tmp_path):
    """A server that wants TOKEN."""
    page_server = PageServer(tmp_path, options=f'token = "{TOKEN}"', dev_arguments=["--token", TOKEN])
    page_server.start(ready=lambda: page_server.answers(401))
    yield page_server
    page_server.close()


def test_a_missing_token_is_said_once_with_what_to_do(chromium, locked):
    chromium.open(f"{locked.url}?token={TOKEN}")
    chromium.wait(LIVE)
    chromium.act("forget_cookies")
    locked.kill()
    locked.start(ready=lambda: locked.answers(401))
    chromium.wait_text("#connection-text", "Token needed", 20)
    assert f"{locked.url}?token=" in chromium.text("#banner-text")
    assert "until it is closed" in chromium.text("#banner-text")
    chromium.evaluate("""(() => {
        window.said = [];
        const note = () => window.said.push([document.querySelector('#connection').dataset.state,
                                             document.querySelector('#announcer').textContent]);
        new MutationObserver(note).observe(document.querySelector('#connection'), { attributeFilter: ['data-state'] });
        new MutationObserver(note).observe(document.querySelector('#announcer'), { childList: true });
    })()""")
    tries = len(chromium.act("seen")["requests"])
    wait_until(lambda: len(chromium.act("seen")["requests"]) >= tries + 4, 30, "two more tries, each asking why")
    chromium.wait_text("#connection-text", "Token needed")
    assert chromium.evaluate("window.said") == []
    chromium.act("goto", url=f"{locked.url}?token={TOKEN}")
    chromium.wait(LIVE)


@pytest.mark.parametrize("site", ["localhost", "127.0.0.1"])
def test_a_link_with_the_token_opens_the_page_below_a_proxys_path(chromium, locked, site):
    """From the same site and from another; what the browser keeps is for that path alone."""
    with PathProxy(locked.port, "/ward/3/") as proxy:
        proxy.link = f"http://127.0.0.1:{proxy.port}/ward/3/?token={TOKEN}"
        chromium.open(f"http://{site}:{proxy.port}/")
        chromium.act("click", selector="a")
        chromium.wait(LIVE)
        assert chromium.evaluate("location.pathname + location.search") == "/ward/3/"
        assert chromium.act("cookie_paths") == ["/ward/3"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440, 2560])
def test_accessible_and_within_the_width_in_both_themes(chromium, server, scheme, width):
    crowd(server)
    chromium.open(server.url, width=width, scheme=scheme)
    chromium.wait("document.querySelectorAll('.tile').length === 14 && document.querySelectorAll('.chip').length > 0 && "
                  "document.querySelectorAll('#feed .alert').length > 0")
    chromium.act("click", selector="details summary")
    assert chromium.evaluate("document.documentElement.scrollWidth") == width
    dark = chromium.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(12, 12, 14)"
    assert dark == (scheme == "dark")
    assert chromium.act("axe") == []
    quiet(chromium, server)


@pytest.mark.parametrize("width", [360, 1440])
def test_no_word_of_a_tile_is_cut_off(chromium, server, width):
    names = ["c", "cust_high_00042", "W" * 41]  # an id is no longer
    server.send_all([(name, 150, 0.0) for name in names])
    chromium.open(server.url, width=width)
    chromium.wait("[...document.querySelectorAll('.tile')].filter((tile) => /high, stale/i.test(tile.textContent)).length === 3", 20)
    for tile in chromium.evaluate("""[...document.querySelectorAll('.tile')].map((tile) => {
            const inner = tile.getBoundingClientRect();
            return [...tile.querySelectorAll('.status, .rate, .age, .name')].map((part) => {
                const box = part.getBoundingClientRect();
                return [part.className, box.width > 0 && box.left >= inner.left && box.right <= inner.right];
            });
        })"""):
        assert [name for name, is_within in tile if not is_within] == []
    assert chromium.evaluate("[...document.querySelectorAll('.status')].every((word) => word.scrollWidth <= word.clientWidth)")


def test_an_alert_beyond_what_a_date_can_hold_leaves_the_page_alive(chromium, server):
    """The wire holds such times; the sources that come with the agent let none through, so it is put into the answer."""
    with Beats(server, {"cust_a": 150}) as beats:
        chromium.open(server.url, block="**/api/v1/stream", alertTime=9_000_000_000_000_000)
        chromium.wait(ALERT_ROW.format("/^–\\s*High began\\s*cust_a/"), 20)
        assert not chromium.evaluate("document.querySelector('#feed time').hasAttribute('datetime')")
        beats.rates["cust_a"] = 151
        chromium.wait(f"{TILE.format('cust_a')}.querySelector('.rate b').textContent === '151'", 5)
    assert chromium.act("seen")["errors"] == []


def test_the_theme_switch_overrules_the_system(chromium, server):
    chromium.open(server.url, scheme="light")
    chromium.act("click", selector="[data-theme-choice=dark]")
    assert chromium.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(12, 12, 14)"
    assert chromium.evaluate("location.hash") == "#theme=dark"
    assert chromium.act("axe") == []


def test_the_address_holds_what_was_chosen(chromium, server):
    crowd(server)
    chromium.open(server.url)
    chromium.wait(f"{LIVE} && document.querySelectorAll('.tile').length === 14")
    # Nobody has chosen a range: the smallest that holds all since the start.
    now = server.get("snapshot")
    minutes = (now["time_ms"] - now["started_ms"]) / 60_000
    smallest = [next(each for each in (1, 5, 15) if each >= age) for age in (minutes, minutes + 0.2)]
    chromium.wait(f"{smallest}.includes(Number(document.querySelector('[data-range][aria-pressed=true]').dataset.range))")
    chromium.act("click", selector=".tile >> text=cust_00003")
    chromium.act("click", selector=".tile >> text=cust_high")
    chromium.act("click", selector="[data-range='5']")
    chromium.act("fill", selector="#search", text="CUST_0000")
    chromium.act("click", selector="[data-filter=ok]")
    chromium.wait("document.querySelectorAll('.tile').length === 10")
    address = chromium.evaluate("location.href")
    chromium.open("about:blank")
    chromium.open(address)
    chromium.wait("document.querySelectorAll('.tile').length === 10 && document.querySelectorAll('.chip').length === 2")
    assert chromium.evaluate("[...document.querySelectorAll('.chip .name')].map((name) => name.textContent)") == \
        ["cust_00003", "cust_high"]
    assert chromium.evaluate("document.querySelector('#search').value") == "CUST_0000"
    assert chromium.evaluate("[...document.querySelectorAll('[aria-pressed=true]')].map((button) => button.textContent)")[:3] == \
        ["Auto", "5 min", "OK"]


def test_a_customer_name_is_text_and_never_markup(chromium, server):
    name = "<img src=x onerror=alert(1)>&\"'"
    server.send(name, 150)
    chromium.open(server.url)
    chromium.wait("document.querySelectorAll('.tile').length === 1 && document.querySelectorAll('#feed .alert').length > 0")
    assert chromium.text(".tile .name") == name
    chromium.wait_text(".chip .name", name)
    assert chromium.evaluate("document.querySelectorAll('main img').length") == 0
    quiet(chromium, server)


def test_everything_is_reached_by_keyboard(chromium, server):
    crowd(server)
    chromium.open(server.url)
    chromium.wait("document.querySelectorAll('.tile').length === 14 && document.querySelectorAll('.chip').length === 4")
    visited = []
    for _ in range(80):
        chromium.act("press", key="Tab")
        focus = chromium.evaluate("(() => { const at = document.activeElement; const style = getComputedStyle(at);"
                                  " return at === document.body ? null : [at.id || at.className, style.outlineStyle, "
                                  "style.outlineWidth]; })()")
        if focus is None:
            break
        visited.append(focus)
    assert all(style != "none" and width != "0px" for _, style, width in visited), visited
    names = [name for name, _, _ in visited]
    assert names[0] == "skip" and {"plot", "search", "feed"} <= set(names)
    assert names.count("tile") == 14 and names.count("remove") == 4
    chromium.evaluate("document.querySelector('#plot').focus()")
    chromium.act("press", key="Shift+ArrowLeft")
    chromium.wait("document.querySelector('#cursor-time').textContent.startsWith('at ')")
    chromium.act("press", key="Escape")
    chromium.wait("document.querySelector('#cursor-time').textContent === ''")


def test_the_order_is_held_under_the_pointer(chromium, server):
    with Beats(server, {f"cust_{number}": 70 for number in range(5)}) as beats:
        chromium.open(server.url)
        chromium.wait("document.querySelectorAll('.tile').length === 5")
        chromium.act("hover", selector=".tile >> nth=0")
        beats.rates["cust_4"] = 160
        chromium.wait(f"{TILE.format('cust_4')}.dataset.kind === 'high'", 3)
        assert chromium.text(".tile .name") == "cust_0"
        assert "order held" in chromium.text("#wall-note")
        chromium.act("hover", selector="#stats-heading + dl")
        chromium.wait("document.querySelector('.tile .name').textContent === 'cust_4'", 3)


@pytest.mark.skipif("HBAGENT_PAGE_COST" not in os.environ, reason="a figure of a quiet machine: HBAGENT_PAGE_COST=1")
def test_sixty_tiles_cost_a_tenth_of_a_core_at_most(chromium, server):
    with Beats(server, {f"cust_{number:03}": 60 + number for number in range(60)}):
        chromium.open(server.url)
        chromium.wait("document.querySelectorAll('.tile').length === 60")
        assert chromium.act("busy", seconds=6) / 6 < 0.10
