"""The pure parts of `make bench`, and that its pages say what its newest result says."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bench import __main__ as program
from bench import record, report
from bench.figures import Taken, calmest, figure, ratio, significant, spread
from bench.router.check import check
from bench.router.contenders import ALL as CONTENDERS
from bench.router.measures import ALL, Load, Measure
from bench.router.replies import SERVICES, body, reply
from bench.router.sample import Failed, Sample
from bench.router.sampling import Removed, take
from bench.router.stage import Running, Stage
from bench.router.wrk import understand
from bench.tables import align, markdown, measure_rows, missing, target_rows
from bench.targets import TARGETS, judge
from tests.support.answering import answering
from tests.support.site import ROOT

SAID = """  2 threads
  Latency Distribution
     50%  801.00us
     99%    2.50ms
  4242 requests in 500.00ms, 5.00MB read
  Socket errors: connect 1, read 2, write 0, timeout 3
  Non-2xx or 3xx responses: 7
"""


def taken(rate: float, foreign: float = 0.0, cpu: float = 1.0) -> Taken:
    return Taken(rate=rate, cpu=cpu, backend=cpu / 2, p50=rate / 10, p99=None, foreign=foreign)


def result(**more: Any) -> dict[str, Any]:
    """One in which every contender has the same figures in every measure."""
    same = figure([taken(100.0)])
    grown = {"10": figure([taken(1.0, cpu=1.0)]), "1000": figure([taken(1.0, cpu=1.05)])}
    idle = {"count": 10_000, "bytes_each": 0.0, "descriptors_each": 0.0}
    names = list(CONTENDERS)
    return {
        "date": "2026-01-02", "form": "full", "rounds": 1, "foreign": 0.25, "network": "a network, reno", "versions": ["x 1"],
        "machine": {"processor": "P", "cores": 2, "memory_gib": 4, "virtual": "virtual machine", "kernel": "6", "python": "3"},
        "contenders": dict.fromkeys(names, ""), "measures": {key: dict.fromkeys(names, same) for key in ALL},
        "idle": dict.fromkeys(names, idle), "slow": {}, "start": {}, "growth": {"routes": grown},
        "resting": {}, "passing": {}, "services": {"static": ""},
    } | more  # fmt: skip


def value(found: dict[str, Any], title: str) -> tuple[str, bool | None]:
    return next((each.value, each.holds) for each in judge(found) if each.title == title)


def test_the_calmest_half_counts_but_not_fewer_than_three() -> None:
    foreign = (0.9, 0.1, 0.3, 0.2, 0.8, 0.7, 0.6, 0.5)
    samples = [taken(rate, share) for rate, share in enumerate(foreign, 1)]
    assert [each["rate"] for each in calmest(samples)] == [2, 4, 3, 8]
    assert [each["rate"] for each in calmest(samples[:4])] == [2, 4, 3]
    assert len(calmest(samples[:1])) == 1
    assert calmest([]) == []


def test_those_that_were_as_calm_count_too() -> None:
    foreign = (0.0, 0.001, 0.4, 0.002, 0.0059, 0.0061, 0.5)
    samples = [taken(rate, share) for rate, share in enumerate(foreign, 1)]
    assert [each["rate"] for each in calmest(samples[:4])] == [1, 2, 4]
    assert [each["rate"] for each in calmest(samples[:5])] == [1, 2, 4, 5], "up to half a percent more than the third"
    assert [each["rate"] for each in calmest([*samples[:2], *samples[4:6]])] == [1, 2, 5, 6]


def test_a_figure_is_a_median_with_its_spread() -> None:
    found = figure([taken(10), taken(20), taken(40)])
    assert (found["rate"], found["spread"], found["p50"], found["p99"], found["samples"]) == (20, 1.5, 2, None, 3)
    assert spread([5.0]) == 0


@pytest.mark.parametrize(("of", "expected"), [(4.0, 0.5), (None, None), (0.0, None)])
def test_a_ratio_to_nothing_is_none(of: float | None, expected: float | None) -> None:
    assert ratio(2.0, of) == expected


def test_numbers_are_kept_as_far_as_they_count() -> None:
    assert significant(123456.789) == 123500.0
    assert record.trimmed({"a": [0.000123456], "b": 7}) == {"a": [0.0001235], "b": 7}


def test_every_target_is_judged_and_a_missing_figure_is_said() -> None:
    nothing = result(measures={}, idle={}, growth={})
    assert [each.holds for each in judge(nothing)] == [None] * len(TARGETS)
    assert len(target_rows(nothing)) == len(TARGETS) + 1


def test_a_target_is_judged_as_it_is_shown() -> None:
    title = "new connections a second, handoff, of direct"
    for rate, shown, holds in ((94.6, "0.95", True), (94.4, "0.94", False), (100.0, "1.00", True)):
        found = result()
        found["measures"]["connections"] |= {"portico handoff": figure([taken(rate)])}
        assert value(found, title) == (shown, holds)


def test_the_best_peer_is_the_fastest_one_or_the_cheapest() -> None:
    found = result()
    figures = {"portico handoff": (120, 4), "HAProxy http": (100, 10), "nginx http": (80, 8), "portico tcp split": (500, 1)}
    figures["Caddy"] = (20, 40)
    found["measures"]["each"] = {name: figure([taken(rate, cpu=cpu)]) for name, (rate, cpu) in figures.items()}
    prefix = "another prefix at each request, "
    assert value(found, prefix + "requests a second, handoff, of the best peer") == ("1.20", True)
    assert value(found, prefix + "router CPU, handoff, of the best peer") == ("0.50", True)
    del found["measures"]["each"]["nginx http"]
    assert value(found, prefix + "router CPU, handoff, of the best peer") == ("not measured", None)
    found["contenders"]["nginx http"] = "removed: it has ended with 1"
    assert value(found, prefix + "router CPU, handoff, of the best peer") == ("0.40", True)


@pytest.mark.parametrize(("each", "holds"), [(0.0, True), (-3.0, True), (26.0, True), (27.0, False)])
def test_no_memory_is_less_than_what_the_allocator_moves(each: float, holds: bool) -> None:
    found = result()
    found["idle"]["portico handoff"] = {"count": 10_000, "bytes_each": each, "descriptors_each": 0}
    assert value(found, "router memory of a handed-over connection")[1] is holds


@pytest.mark.parametrize(("cost", "holds"), [(0.0, True), (0.0009, True), (0.0011, False)])
def test_no_processor_time_is_less_than_a_millisecond_for_a_gib(cost: float, holds: bool) -> None:
    found = result(passing={"portico handoff": {"down": cost}})
    assert value(found, "bulk down, router CPU, handoff")[1] is holds


def test_what_does_not_hold_is_named() -> None:
    found = result()
    assert "requests on kept connections, tcp split, of tuned HAProxy http" in [each.title for each in missing(found)]
    text = report.rewritten("a\n<!-- bench: not met -->\nold\n<!-- bench: end -->\nb\n", found)
    assert "- requests on kept connections, tcp split, of tuned HAProxy http: 1.00, the target is ≥ 1.1\n" in text
    assert text.startswith("a\n<!-- bench: not met -->\n") and text.endswith("<!-- bench: end -->\nb\n") and "old" not in text
    assert report.rewritten(text, found) == text


def test_who_is_not_here_has_a_row_that_says_so() -> None:
    found = result()
    found["contenders"]["Caddy"] = "not here: there is no caddy (Debian: caddy)"
    del found["measures"]["connections"]["Caddy"]
    rows = measure_rows(found, "connections")
    assert ["Caddy", "not here: there is no caddy (Debian: caddy)"] in [list(row[:2]) for row in rows]
    assert "Debian: caddy" in align(rows) and markdown(rows).count("\n") == len(CONTENDERS) + 1


def test_samples_that_came_to_nothing_are_not_hidden() -> None:
    found = result(rounds=3)
    found["measures"]["connections"] |= {"direct": figure([taken(1.0)] * 3)}
    cells = {row[0]: row[2] for row in measure_rows(found, "connections")}
    assert (cells["direct"], cells["portico handoff"]) == ("0%", "0% (1 of 3)")


def test_a_target_that_was_not_measured_is_not_met() -> None:
    found = result(idle={})
    assert [row[3] for row in target_rows(found) if "idle connection" in row[0]] == ["unknown", "unknown"]
    text = report.rewritten("<!-- bench: not met -->\n<!-- bench: end -->\n", found)
    assert "- router memory of an idle connection, tcp pin: not measured, the target is ≤ 0.6 KiB\n" in text


def test_the_backends_cost_has_a_column_where_it_is_known() -> None:
    found = result()
    rows = measure_rows(found, "connections")
    at = rows[0].index("backend CPU")
    assert {row[at] for row in rows[1:]} == {"500000.0 µs"}
    for each in found["measures"]["connections"].values():
        each.pop("backend", None)
    assert all(len(row) == at + 2 for row in measure_rows(found, "connections")) and "backend CPU" not in rows[0][:at]


def test_results_are_read_as_they_were_written_and_the_newest_is_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        record.newest(tmp_path)
    record.write(result(), tmp_path)
    last = record.write(result(date="2026-01-10"), tmp_path)
    assert record.newest(tmp_path) == last
    assert record.read(last) == json.loads(json.dumps(record.trimmed(result(date="2026-01-10"))))


def test_what_is_printed_is_what_the_pages_will_say(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    found = result()
    found["measures"]["connections"] |= {"direct": figure([taken(10_000.0)]), "portico handoff": figure([taken(9_450.4)])}
    drawn: list[dict[str, Any]] = []

    def draw(plotted: dict[str, Any], _: Path) -> list[Path]:
        drawn.append(plotted)
        return []

    monkeypatch.setattr("bench.namespace.enter", lambda _: None)
    monkeypatch.setattr(program, "run", lambda *_: found)
    monkeypatch.setattr(program, "draw", draw)
    monkeypatch.setattr(program, "ENDING", ())
    monkeypatch.setattr("sys.argv", ["bench", "--results", str(tmp_path)])
    assert program.main() == 0
    kept = record.read(record.newest(tmp_path))
    assert align(target_rows(kept)) in capsys.readouterr().out and align(target_rows(kept)) != align(target_rows(found))
    assert drawn == [kept]


def test_the_pages_say_what_the_newest_result_says() -> None:
    newest = record.read(record.newest())
    blocks = set()
    for name in report.PAGES:
        page = (ROOT / name).read_text()
        assert report.rewritten(page, newest) == page, f"{name}: `python -m bench.report` writes it anew"
        blocks |= {block for block in report.BLOCKS if f"<!-- bench: {block} -->" in page}
    assert blocks == set(report.BLOCKS)


def test_wrk_is_understood() -> None:
    found = understand(SAID)
    assert (found.units, found.seconds, found.wrong, found.broken, found.p99) == (4242, 0.5, 7, 6, 0.0025)
    assert found.p50 == pytest.approx(801e-6)
    with pytest.raises(Failed, match="unable to connect"):
        understand("unable to connect to 127.0.0.1:1 Connection refused")


def test_a_service_of_the_backend_answers_for_itself_alone() -> None:
    ask = b"GET /%s/1k HTTP/1.1\r\nHost: x\r\n\r\n"
    for service in SERVICES:
        assert reply(service, ask % service.encode()).head.endswith(b"\r\n\r\n" + body(service, 1024))
        assert reply(service, ask % b"other").head.startswith(b"HTTP/1.1 404 ")
    assert reply("static", b"GET /static/n/77 HTTP/1.1\r\nConnection: close\r\n\r\n")[1:3] == (True, 77)
    assert reply("uploads", b"POST /uploads/x HTTP/1.1\r\nContent-Length: 5\r\n\r\n").upload == 5


@pytest.mark.parametrize("content", [body("uploads", 1024), bytes(1024)])
def test_a_contender_that_answers_wrongly_is_found_out(content: bytes) -> None:
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n" + content) as port:
        assert check(Running("x", None, dict.fromkeys(SERVICES, port))).startswith("services: /static/1k: 200, 1024 bytes")


@pytest.mark.parametrize(
    ("sample", "error"), [(Sample(10, 1.0, wrong=1), Removed), (Sample(0, 1.0), Failed), (Sample(100, 1.0, broken=2), Failed)]
)
def test_a_sample_with_wrong_answers_removes_and_one_with_none_is_left_out(sample: Sample, error: type[Exception]) -> None:
    stage = cast(Stage, SimpleNamespace(backend=SimpleNamespace(pid=0)))
    got: Callable[[Running, Load], Sample] = lambda *_: sample  # noqa: E731
    with pytest.raises(error):
        take(stage, Running("x", None, {}), Measure("m", "unit", got), cast(Load, None))
