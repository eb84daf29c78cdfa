"""What is timed and chosen, with times that are given; the tables' networks; what the command line refuses."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import repro
from repro import papers
from repro.__main__ import main
from repro.core.errors import RecordError
from repro.core.spec import Accuracy, Experiment, Model, Static, Views, frozen
from repro.cost import choose
from repro.cost.choose import Candidate, Timed
from repro.papers import elsewhere
from repro.papers.table import RowSpec, TableSpec
from repro.records.index import finishing, shown_records

TINY = Model(name="tsn", backbone="tiny_resnet", num_classes=3, options=frozen(pool=True))


def candidate(gmacs, top1):
    return Candidate(f"{gmacs} {top1}", TINY, 32, top1, 1, "made up", gmacs)


def timed(rate):
    def time(one):
        seconds = one.gmacs / rate(one)
        return Timed(one, seconds, 1.1 * seconds, "eager")

    return time


networks = st.lists(
    st.builds(candidate, st.floats(0.5, 50), st.floats(10, 90)), min_size=1, max_size=12
).map(lambda found: sorted(found, key=lambda one: one.gmacs))  # fmt: skip


@given(networks, st.floats(0.001, 5), st.floats(1, 100))
def test_what_is_not_timed_could_not_have_been_chosen(found, budget, rate):
    """At rates that differ by less than what is left open, the choice is that of all candidates."""
    time = timed(lambda one: rate * (1 + 0.4 * (hash(one.label) % 100) / 100))
    made = choose.choose(found, budget, time)
    everything = choose.choose(found, 1e-9, time).timed or ()
    assert len(made.timed) + len(made.no_better) + len(made.too_large) == len(found)
    whole = choose.Choice(budget, tuple(map(time, found)), (), ())
    best, expected = [one.candidate.top1 for one in made.fitting[:1]], [one.candidate.top1 for one in whole.fitting[:1]]
    assert best == expected
    assert set(one.candidate.label for one in made.front) <= set(one.label for one in found) and everything
    assert all(any(a is b for b in made.timed) for a in made.front)


def test_cheapest_first_and_no_more_than_is_needed():
    found = [candidate(1, 60), candidate(2, 50), candidate(4, 70), candidate(100, 80)]
    seen = []
    made = choose.choose(found, 0.5, timed(lambda one: 10), lambda one, left: seen.append((one.gmacs, left)))
    assert seen == [(1, 4), (4, 2)]
    assert [one.candidate.top1 for one in made.fitting] == [70, 60]
    assert [one.gmacs for one in made.no_better] == [2] and [one.gmacs for one in made.too_large] == [100]
    nothing = choose.choose(found, 0.01, timed(lambda one: 10))
    assert not nothing.fitting and nothing.nearest.candidate.gmacs == 1


def test_printed_networks_of_a_dataset(monkeypatch):
    monkeypatch.setenv("REPRO_RESULTS", str(Path(repro.__file__).parents[1] / "results"))
    index = shown_records(reference=True)
    layouts = [papers.find(name) for name in papers.TABLES]
    found = choose.candidates(layouts, "kinetics400", lambda one: finishing(index.of(one.id)) if one else [])
    by_label = {one.label: one for one in found}
    assert len(found) > 20 and [one.gmacs for one in found] == sorted(one.gmacs for one in found)
    one = by_label["TDN+DNR"]
    assert (one.top1, one.views, one.source) == (77.05, 30, "dnr/table6, printed") and one.gmacs == pytest.approx(
        35.7, abs=0.1
    )
    assert by_label["X3D-XL"].size == 356
    assert not choose.candidates(layouts, "nothing", lambda one: [])


def test_measured_networks_of_one_s_own():
    views = Views(sampling="mmaction2.uniform_test_8", crop=32, resize=0)
    experiment = Experiment(model=TINY, measure=Accuracy(dataset="mine@0123456789ab", test=views))
    scores = elsewhere.experiment("mine@0123456789ab", "val", sha256="0" * 64, classes=3, clips=1)
    rows = (
        RowSpec(key="a", label="mine", cells={"mine": experiment}),
        RowSpec(key="b", label="other", cells={"static": Experiment(model=TINY, measure=Static())}),
        RowSpec(key="c", label="other code", section="elsewhere", cells={"mine": scores}),
    )
    layout = TableSpec(paper="own", name="mine", title="t", caption="c", published_csv="", rows=rows, columns=())
    records = [SimpleNamespace(results={"top1": value}) for value in (80.0, 90.0)]

    def done(one):
        return records if one in (experiment, scores) else []

    (found,) = choose.candidates([layout], "mine", done)
    assert [found] == choose.candidates([layout], "mine@0123456789ab", done)
    assert not choose.candidates([layout], "mine@ba9876543210", done)
    assert (found.label, found.top1, found.size, found.source) == ("mine", 85.0, 32, "own/mine, measured, 2 seeds")
    assert found.gmacs > 0
    made = choose.timer(form="eager", repeats=3, device="cpu", threads=1)(found)
    assert 0 < made.p50 <= made.p95 and made.form == "eager"


def test_an_accuracy_that_the_user_s_file_says(tmp_path):
    """Of weights trained elsewhere: it joins and says whose word it is; more than 100 percent is told with its line."""
    file = tmp_path / "mine.toml"
    text = 'title = "t"\ncolumns = "params"\n[[row]]\nmodel = "tsm"\nbackbone = "mobilenetv2_100"\nlabel = "light"\n'
    file.write_text(f"{text}accuracy = {{ kinetics400 = 69.5 }}\n")
    layout = papers.find(str(file))
    assert "69.5 as this file says, not measured here" in layout.rows[0].note
    (found,) = choose.candidates([layout], "kinetics400", lambda one: [])
    assert (found.label, found.top1, found.size, found.source) == ("light", 69.5, 256, "own/mine, as it says")
    assert found.gmacs == pytest.approx(3.2, abs=0.3)  # 0.31 a frame at 224
    file.write_text(f"{text}accuracy = {{ kinetics400 = 695 }}\n")
    with pytest.raises(RecordError, match="line 7: accuracy 695"):
        papers.find(str(file))


def test_what_cannot_be_is_told(capsys):
    assert main(["choose", "--budget", "50ms", "--dataset", "kinetic400"]) == 2
    assert "kinetics400" in capsys.readouterr().err
    for budget in ("50", "0ms", "fast", "-1s"):
        with pytest.raises(SystemExit):
            main(["choose", f"--budget={budget}", "--dataset", "kinetics400"])
        assert "such as 50ms" in capsys.readouterr().err
