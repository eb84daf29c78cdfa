"""What `import repro` offers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import repro
from repro import papers
from repro.core.errors import BadOption, UnknownName, WeightsError
from repro.core.spec import Model, frozen
from repro.models.build import build
from repro.models.formats import IMAGENET
from repro.models.weights import save_weights
from repro.papers import published
from tests.repro.conftest import write_video

SMALL = Model(
    name="tsm", backbone="tiny_resnet", num_classes=3, frames=8, options=frozen(blocks=1, pool=True), method="dnr"
)


@pytest.fixture
def committed(monkeypatch):
    """The records of the checkout, which nothing here writes to."""
    monkeypatch.setenv("REPRO_RESULTS", str(Path(repro.__file__).parents[1] / "results"))


def test_import_takes_nothing_heavy_along_and_tables_no_torch():
    code = (
        "import sys, time; began = time.perf_counter(); import repro; taken = time.perf_counter() - began\n"
        "heavy = {'torch', 'numpy', 'pandas', 'pydantic', 'rich', 'repro.registry'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "frame = repro.table('table6', reference=True).to_frame()\n"
        "repro.records('table6', reference=True).to_frame(); repr(repro.table('table6', reference=True))\n"
        "assert len(frame) and 'torch' not in sys.modules and 'timm' not in sys.modules\n"
        "assert callable(repro.records) and repro.records.__name__ == 'repro.records'\n"
        "from repro.records import store; assert store.load_all and 'table' in dir(repro)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_only_frames_import_pandas():
    code = "import sys, repro; repr(repro.table('table6', reference=True)); assert 'pandas' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    with pytest.raises(AttributeError, match="tabel"):
        repro.tabel  # noqa: B018


@pytest.mark.parametrize("name", ["dnr/table6", "adafuse/table5", "psn/table4", "suite/matrix", "dnr/table1a"])
def test_a_table_as_a_frame_is_what_is_printed_and_what_is_recorded(name, committed):
    table = repro.table(name, reference=True)
    frame, layout = table.to_frame(), papers.find(name)
    assert list(frame.index) == [row.key for row in layout.rows]
    assert set(frame.columns.get_level_values(0)) <= {"row", "printed", "here", "verdict"}
    printed = published.load(layout.published_csv)
    for row in layout.rows:
        for column in ("gflops", "views", "top1", "params_m"):
            value = (
                printed.value(row.published_row, column) if column in printed.columns and row.published_row else None
            )
            if value is not None and ("printed", column) in frame:
                assert frame.loc[row.key, ("printed", column)] == value.number
    numbers = frame["here"]
    assert all(kind == np.float64 for kind in numbers.dtypes)
    statics = {record.row: record for record in repro.records(name, reference=True) if record.cell == "static"}
    at = next((column for column in numbers if column in ("params", "params_m")), None)
    for row, record in statics.items():
        if at and row in frame.index and record.table == layout.name and record.paper == layout.paper:
            assert numbers.loc[row, at] == pytest.approx(record.results["params"] / 1e6)
    notes = table.notes()
    assert set(notes.columns) == {"row", "column", "kind", "text"} and set(notes["row"]) <= {"", *frame.index}
    assert name in repr(table) and "<table" in table._repr_html_()


def test_records_as_a_frame(committed):
    records = repro.records("table6", reference=True)
    frame = records.to_frame()
    assert len(frame) == len(records) and {"table", "row", "seed", "params", "sizes.224.gmacs"} <= set(frame)
    static = frame[(frame["row"] == "tsn_r50_dnr") & (frame["cell"] == "static")].iloc[0]
    assert static["sizes.224.gmacs"] == pytest.approx(32.7, abs=0.1) and static["params"] == 28366864
    assert len(repro.records(reference=True)) > len(records)


def test_a_network_is_counted_timed_loaded_and_called(tmp_path):
    net = repro.model("tsm", method="dnr", backbone="tiny_resnet", options={"blocks": 1, "pool": True})
    assert net.spec.num_classes == 400 and "tsm+dnr" in repr(net)
    counts = repro.count(net, size=32)
    assert counts.params == sum(p.numel() for p in net.module.parameters()) and 0 < counts.params_method < counts.params
    assert counts.gmacs > 0 and counts.size == 32
    timed = repro.speed(net, size=32, repeats=2, threads=1)
    assert len(timed["times_s"]) == 2 and timed["threads"] == 1 and timed["against"]["ratio_median"] > 0
    assert repro.model("table6/tsm_r50_dnr").spec.method == "dnr"

    torch.manual_seed(1)
    module = build(SMALL).eval()
    save_weights(tmp_path / "w.safetensors", module.state_dict(), model=SMALL, contract=IMAGENET)
    before = torch.random.get_rng_state()
    again = repro.model("tsm", method="dnr", backbone="tiny_resnet", options={"blocks": 1, "pool": True})
    assert again.load(tmp_path / "w.safetensors") is again and again.classes == ["class 0", "class 1", "class 2"]
    x = torch.zeros(2, 8, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(again(x), module(x))
    plain = repro.model("tsm", method="dnr").load(tmp_path / "w.safetensors")
    assert plain.spec.backbone == "tiny_resnet" and plain.spec.options == SMALL.options
    with pytest.raises(WeightsError, match="backbone"):
        repro.model("tsm", method="dnr", backbone="resnet18").load(tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match="method"):
        repro.model("tsm").load(tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match="method"):
        repro.model("tsm", backbone="tiny_resnet", options={"blocks": 1, "pool": True}).load(tmp_path / "w.safetensors")
    assert repro.model("tsn", backbone="tiny_resnet").module is not None
    assert torch.equal(torch.random.get_rng_state(), before), "a user's random numbers stay theirs"


def test_predictions_of_real_files(tmp_path):
    for number in range(2):
        write_video(tmp_path / f"{number}.mp4", number, frames=12)
    (tmp_path / "bad.mp4").write_bytes(b"none")
    save_weights(tmp_path / "w.safetensors", build(SMALL).state_dict(), model=SMALL, contract=IMAGENET)
    found = repro.predict(tmp_path, tmp_path / "w.safetensors", top=2)
    frame = found.to_frame()
    assert list(frame.columns) == ["path", "class1", "score1", "class2", "score2", "problem"] and len(frame) == 3
    assert list(frame["problem"].astype(bool)) == [False, False, True]
    assert frame["score1"].dtype == np.float64 and 0 < frame["score1"][0] <= 1
    net = repro.model("tsm", method="dnr", backbone="tiny_resnet", options={"blocks": 1, "pool": True})
    with pytest.raises(BadOption, match="nothing to say"):
        repro.predict([tmp_path / "0.mp4"], net)
    one = repro.predict([tmp_path / "0.mp4"], net.load(tmp_path / "w.safetensors"))
    assert one[0].classes[0]["name"] == frame["class1"][0]


def test_a_frame_is_checked_as_a_file_is(tmp_path):
    frame = pd.DataFrame(
        {"model": ["tsn", "tsn"], "method": [None, "x"], "top1": ["70.00", "72.50"], "delta_top1": [None, "2.00"]},
        index=["tsn", "tsn_x"],
    )
    found = repro.check(frame)
    assert [one.rule for one in found if one.severity == "error"] == ["difference"]
    told = found.to_frame()
    assert (
        list(told.columns) == ["rule", "severity", "cells", "arithmetic", "means"] and "2.50" in told["arithmetic"][0]
    )
    frame.rename_axis("row").reset_index().assign(note="").to_csv(tmp_path / "my_table.csv", index=False)
    assert [one.arithmetic for one in repro.check(tmp_path / "my_table.csv")] == [one.arithmetic for one in found]
    (unread,) = repro.check(pd.DataFrame({"row": ["a", "b"], "top1": ["x", 2.0]}))
    assert (unread.rule, unread.cells) == ("reading", ("frame_table/a/top1",))


def test_names_that_are_none_are_told_with_the_nearest():
    for call in (
        lambda: repro.model("tsmm"),
        lambda: repro.table("table66"),
        lambda: repro.model("tsm", method="dnrr"),
    ):
        with pytest.raises(UnknownName, match="did you mean"):
            call()
    with pytest.raises(BadOption, match="without a method"):
        repro.model("tsm", method_options={"reduction": 4})
