"""Keys: what each does, and that none does harm."""

import csv
import json

import pytest
from helpers.terminal import NAMES, NOW, drive
from textual.widgets import Input

import urpo_store
from urpo_store import Gauge, MetricPoint
from urpo_store.tui.row_list import RowList
from urpo_store.tui.view import View


def on(store, *keys, size=(100, 30), **options):
    """The screen after these keys."""

    async def press(driver):
        return await driver.press(*keys)

    return drive(press, store, size, **options)


def first_row(text):
    return text.splitlines()[2]


STARTS = {
    "services": (),
    "service": ("enter",),
    "metrics": ("2",),
    "metric": ("2", "down", "enter"),
    "exemplars": ("2", "down", "enter", "e"),
    "arrived": ("3",),
    "query": ("4", "escape"),
    "query-line": ("4",),
    "filter": ("slash",),
}
#: They end the program, or belong to Textual.
LEFT_OUT = ("quit", "app.quit", "help_quit", "command_palette", "copy_text", "screen.copy_text")


#: The mode of the app, where it is not the name of the start.
MODES = {"service": "services", "filter": "services", "query-line": "query"}
MODES |= {"metric": "metrics", "exemplars": "metrics"}
#: They lead to another screen, or to a line to type in.
LEADING = {"1", "2", "3", "4", "colon", "enter", "escape", "m", "e", "o", "slash"}
LEADING |= {"question_mark", "f1", "tab", "shift+tab"}


async def back(driver, home, start):
    """To the screen `home`, wherever a key has led: as directly as can be."""
    app, mode = driver.app, MODES.get(start, start)
    if app.current_mode != mode and isinstance(app.screen, View):
        app.switch_mode(mode)
        await driver.settle()
    for _ in range(3):
        typing = isinstance(app.focused, Input) and start not in ("query-line", "filter")
        if type(app.screen) is home and not typing:
            return
        await driver.press("escape")
    if type(app.screen) is not home:
        await driver.press("1", *STARTS[start])


SMALL = (80, 24)


@pytest.mark.parametrize("size", [SMALL, (120, 40), (200, 60)], ids="{0[0]}x{0[1]}".format)
@pytest.mark.parametrize("start", STARTS)
def test_every_key_of_every_screen_leaves_a_screen(store, tmp_path, monkeypatch, size, start):
    """Found in the bindings themselves, and pressed in turn."""
    monkeypatch.setattr("webbrowser.open", lambda url: None)

    async def press_all(driver):
        app = driver.app
        home = type(app.screen)
        keys = [
            bound.binding.key
            for bound in app.screen.active_bindings.values()
            if bound.binding.action.partition("(")[0] not in LEFT_OUT
            # Those of the app: on every screen of the small terminal, on one of the others.
            and (size == SMALL or start == "services" or bound.node is not app)
        ]
        assert len(keys) > (20 if size == SMALL and start not in ("query-line", "filter") else 4)
        for key in sorted(keys, key=LEADING.__contains__):
            text = await driver.press(key)
            assert app.is_running and len(text.splitlines()) <= size[1], key
            assert text.strip(), key
            if size == SMALL:
                # Every key from where it belongs; elsewhere the last ones from where one has led.
                await back(driver, home, start)
        return keys

    keys = drive(press_all, store, size, STARTS[start], directory=tmp_path)
    assert {"q", "ctrl+q"}.isdisjoint(keys)
    if size == SMALL and start not in ("query-line", "filter"):
        assert list(tmp_path.glob("*.svg"))


def test_sorting(store):
    async def sorting(driver):
        return driver.text, await driver.press("s"), await driver.press("S")

    by_name, by_rate, reversed_ = drive(sorting, store)
    assert first_row(by_name).startswith("checkout")
    assert "RATE/s v" in by_rate and first_row(by_rate).startswith("storefront")
    assert "RATE/s ^" in reversed_ and first_row(reversed_).startswith("mailer")


def test_filter_is_live_shown_and_left(store):
    async def filtering(driver):
        await driver.press("slash")
        await driver.type("mail")
        live = driver.text
        entered = await driver.press("enter")
        cleared = await driver.press("escape")
        return live, entered, cleared

    live, entered, cleared = drive(filtering, store)
    for text in (live, entered):
        assert "/mail" in text and "mailer" in text and "checkout" not in text
    assert "/mail" not in cleared and "checkout" in cleared


def test_what_no_name_has_is_said(store):
    async def filtering(driver):
        await driver.press("slash")
        await driver.type("nobody")
        return driver.text

    assert "No service has a name like this." in drive(filtering, store)


def test_ranges(store):
    async def widening(driver):
        found = [driver.text]
        for key in ["["] * 3 + ["]"] * 7:
            found.append(await driver.press(NAMES[key]))
        return [text.splitlines()[0].split()[-1] for text in found]

    seen = drive(widening, store)
    assert seen == ["5m", "1m", "1m", "1m", "5m", "15m", "1h", "6h", "24h", "24h", "24h"]


def test_a_pause_obeys_filters_and_ranges_and_pans():
    with urpo_store.open(retention=None) as changing:

        def send(value, before):
            point = MetricPoint("s", "depth", Gauge(value), timestamp=NOW - before * 10**9)
            assert changing.store_metric(point).accepted == 1

        send(1.0, 400)
        send(2.0, 10)

        async def pausing(driver):
            paused = await driver.press("2", "enter", "v", "p")
            send(3.0, 5)
            driver.app.screen.tick()
            await driver.settle()
            same = driver.text
            wider = await driver.press("right_square_bracket")
            earlier = await driver.press("left_square_bracket", "left", "left")
            now = await driver.press("0")
            return paused, same, wider, earlier, now

        paused, same, wider, earlier, now = drive(pausing, changing)
    assert "PAUSED" in paused and paused == same
    # The wider range shows what lies further back, and what came meanwhile at a time within it.
    assert "PAUSED" in wider and "last 15m" in wider
    assert "PAUSED" in earlier and ": 1.0 at" in earlier
    assert "PAUSED" not in now and ": 3.0 at" in now


def test_views_of_a_histogram(store):
    async def viewing(driver):
        await driver.press("2", "down", "enter")
        return [driver.text] + [await driver.press("v") for _ in range(5)]

    views = ("p50 p95 p99", "rate", "heat map", "increase", "raw", "p50 p95 p99")
    for text, view in zip(drive(viewing, store), views, strict=True):
        assert f"[{view}," in text.splitlines()[0]


def test_grouping_and_switching_off(store):
    async def grouping(driver):
        await driver.press("2", "down", "enter", "v", "b")
        grouped = driver.text
        off = await driver.press("space")
        return grouped, off

    grouped, off = drive(grouping, store)
    assert "by error.type" in grouped
    assert "no error.type" in grouped and 'error.type="500"' in grouped
    # Its line and its mark are gone, its row stays.
    marks = [line[0] for line in grouped.splitlines() if line[:1] in ("*", "+")]
    assert marks == ["+", "*"]
    assert [line[0] for line in off.splitlines() if line[:1] in ("*", "+")] == ["*"]
    assert "error.type" in off and off.splitlines()[2:20] != grouped.splitlines()[2:20]


def test_a_filter_of_attributes(store):
    async def filtering(driver):
        await driver.press("2", "down", "enter", "v", "slash")
        await driver.type("error.type=500")
        good = driver.text
        await driver.type(" http.route~(")
        return good, driver.text

    good, bad = drive(filtering, store)
    assert "/error.type=500" in good.splitlines()[0] and ": 0.1/s at" in good
    assert "is no regex" in bad


def test_exemplars_are_copied_and_opened(store, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setenv("URPO_STORE_TRACE_URL", "http://traces/{trace_id}")

    async def copying(driver):
        text = await driver.press("2", "down", "enter", "e", "y", "o")
        return text, driver.app.clipboard

    text, copied = drive(copying, store)
    assert len(copied) == 32 and copied in text
    assert opened == [f"http://traces/{copied}"]


def test_opening_a_trace_without_a_template_says_what_to_set(store):
    text = on(store, "2", "down", "enter", "e", "o", size=(120, 40))
    assert "URPO_STORE_TRACE_URL" in text


@pytest.mark.parametrize("keys", [(), ("enter",), ("2", "down", "enter"), ("3",)])
def test_export(store, tmp_path, keys):
    on(store, *keys, "x", "X", "w", directory=tmp_path)
    rows = list(csv.DictReader((next(tmp_path.glob("*.csv"))).read_text().splitlines()))
    assert rows and rows == [
        {key: str(value) for key, value in row.items()}
        for row in json.loads(next(tmp_path.glob("*.json")).read_text())
    ]
    assert next(tmp_path.glob("*.svg")).read_text().startswith("<svg")


def test_the_query_line(store):
    async def asking(driver):
        await driver.press("4")
        await driver.type("payments --agg rate --by card --step 30s")
        answer = await driver.press("enter")
        recalled = await driver.press("up")
        return answer, recalled

    answer, recalled = drive(asking, store)
    assert "card=visa" in answer and "card=maestro" in answer and "rate of payments" in answer
    assert "payments --agg rate --by card --step 30s" in recalled.splitlines()[1]


def test_errors_of_the_query_line_stand_where_they_are(store):
    async def asking(driver):
        await driver.press("4")
        await driver.type("payments --agg median")
        return await driver.press("enter")

    lines = drive(asking, store).splitlines()
    line, mark, message = lines[1:4]
    assert line[mark.index("^") : mark.rindex("^") + 1] == "median"
    assert "is none of: raw last sum" in message


def test_help_lists_the_bindings(store):
    text = on(store, "question_mark", size=(100, 60))
    for what in ("Filter", "Pause", "Narrower range", "Picture (SVG)", "Sort by the next column"):
        assert what in text
    assert "KEYS" not in on(store, "question_mark", "escape")


def test_the_way_there_and_back(store):
    async def going(driver):
        service = await driver.press("enter")
        metrics = await driver.press("m")
        metric = await driver.press("enter")
        await driver.press("escape", "escape", "escape")
        return service, metrics, metric, driver.text

    service, metrics, metric, home = drive(going, store)
    names = [text.split()[1] for text in (service, metrics, metric, home)]
    assert names == ["Service", "Metrics", "Metric", "Services"]


@pytest.mark.parametrize("key", ["q", "ctrl+q", "ctrl+c"])
def test_quit(store, key):
    async def quitting(driver):
        await driver.pilot.press(key)
        await driver.pilot.pause()
        return driver.app._exit

    assert drive(quitting, store)


def test_the_cursor_stays_with_its_row(store):
    async def moving(driver):
        await driver.press("down")
        row_list = driver.app.screen.query_one(RowList)
        before = row_list.current
        await driver.press("s")
        return before, row_list.current

    before, after = drive(moving, store)
    assert before == after == "mailer"
