"""Tables as people write them: headings, names, units; what cannot be read is a fault and never the end."""

from __future__ import annotations

import pytest

from repro.__main__ import main
from repro.core.errors import RecordError
from repro.core.roofline import peak_of
from repro.evidence.check import check_tables
from repro.papers import as_written

PAPER = (
    "Method,Backbone,Dataset,#Frame,GFLOPs x views,Params (M),Top-1 (%),Top-5 acc.,FPS,GPU\n"
    "TSN,R50,Kinetics-400,8x10x3,33 × 30,24.3M,71.65,90.17,0.3,rtx2080ti\n"
    'TSN+Gate (ours),ResNet-50,K400,8x10x3,33x30,28.4,72.1%,90.9,,"-"\n'
)


def read(folder, text, name="Table 3.csv"):
    (folder / name).write_text(text)
    return as_written.read(folder / name)


def test_headings_and_names_of_a_paper(tmp_path):
    table = read(tmp_path, PAPER)
    assert not table.faults
    (plain, gate) = table.rows.values()
    texts = {name: value.text for name, value in plain.values.items()}
    assert texts == {
        "model": "tsn", "backbone": "resnet50", "dataset": "kinetics400", "frames": "8x10x3", "gflops": "33",
        "views": "30", "params_m": "24.3", "top1": "71.65", "top5": "90.17", "videos_per_s": "0.3",
        "device": "rtx2080ti",
    }  # fmt: skip
    assert (gate.values["method"].text, gate.values["top1"].number) == ("gate", 72.1) and "device" not in gate.values


@pytest.mark.parametrize(
    ("heading", "column"),
    [
        ("FLOPs (G)", "gflops"), ("GMACs", "gflops"), ("#Param.", "params_m"), ("Parameters", "params_m"),
        ("Acc@1", "top1"), ("top1", "top1"), ("Top-5", "top5"), ("Resolution", "input_size"), ("Δ Top-1", "delta_top1"),
        ("Throughput", "videos_per_s"), ("videos/s", "videos_per_s"), ("Network", "model"),
    ],
)  # fmt: skip
def test_headings(tmp_path, heading, column):
    assert column in read(tmp_path, f"name,{heading}\na,1\n").columns


def test_every_bad_number_is_a_finding_and_none_hides_another(tmp_path):
    text = PAPER + "TSM,R50,K400,8x10x3,abc,-3,80,55,fast,Foo 9000\nTSM,R50,K400,8x10x3,33,24.3,101\n"
    found = check_tables({"t": read(tmp_path, text)})
    places = [one.cells[0] for one in found if one.rule == "reading" and one.severity == "error"]
    assert places == [
        "Table 3, line 5", "Table 3/tsm_resnet50-line5/top1", "Table 3/tsm_resnet50/gflops",
        "Table 3/tsm_resnet50/params_m", "Table 3/tsm_resnet50/top1", "Table 3/tsm_resnet50/videos_per_s",
    ]  # fmt: skip
    assert {"gain"} <= {one.rule for one in found}


def test_an_unknown_column_is_a_note_with_the_nearest(tmp_path):
    (fault,) = read(tmp_path, "model,Topp-1,note\ntsn,3,\n").faults
    assert fault.severity == "note" and "did you mean top1" in fault.told


def test_an_unknown_device_is_a_note_and_a_known_one_is_found_however_it_is_written(tmp_path):
    text = "model,gflops,fps,device\ntsn,33,10,Foo 9000\ntsm,33,1000,rtx 2080ti\n"
    rules = {(one.rule, one.severity) for one in check_tables({"t": read(tmp_path, text)})}
    assert rules == {("device", "note"), ("throughput", "error")}


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("rtx2080ti", 6.725), ("2080 Ti", 6.725), ("NVIDIA GeForce RTX 2080 Ti", 6.725), ("GTX-1080Ti", 5.67),
        ("Tesla V100-SXM2-32GB", 7.85), ("nvidia t4", 4.05), ("A100 80GB", 9.75), ("titan xp", 6.07), ("rtx3090", 17.8),
        ("RTX 3090 Ti", None), ("RTX 2080", None), ("GTX 480", None), ("Titan X", None), ("my card", None),
    ],
)  # fmt: skip
def test_devices_as_people_write_them(name, peak):
    assert peak_of(name, "fp32") == peak


def test_a_file_that_is_not_there_or_empty(tmp_path):
    with pytest.raises(RecordError, match="check --template"):
        as_written.read(tmp_path / "no.csv")
    with pytest.raises(RecordError, match="has 1 lines"):
        read(tmp_path, "model,top1\n")


def test_the_template_is_a_table_without_faults(tmp_path, capsys):
    file = tmp_path / "t.csv"
    assert main(["check", "--template", str(file)]) == 0 and main(["check", "--template", str(file)]) == 2
    table = as_written.read(file)
    assert not table.faults and [row.values["model"].text for row in table.rows.values()] == ["tsm", "tsm"]
    assert main(["check", str(file), "--severity", "error"]) == 0


def test_a_method_that_is_not_known_is_held_against_its_host_at_the_crop_of_the_test(tmp_path):
    from types import SimpleNamespace

    model = {"name": "tsn", "backbone": "resnet50", "method": None, "num_classes": 400, "frames": 8}
    results = {"params": 24_330_000, "sizes": {"224": {"gmacs": 32.7}, "256": {"gmacs": 42.7}}}
    facts = {"kind": "static", "status": "done", "smoke": False, "name": "r", "paper": "p", "table": "t", "row": "x"}
    record = SimpleNamespace(results=results, spec={"model": model}, **facts)
    text = "model,method,backbone,frames,gflops,views,input size\ntsn,mine,R50,8x10x3,33,30,{}\n"

    def rules(size):
        return [one.rule for one in check_tables({"t": read(tmp_path, text.format(size))}, [record])]

    assert (rules(""), rules("224"), rules("256x256")) == (["host"], [], ["host"])
