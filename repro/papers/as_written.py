"""A table as people write it: headings of papers, names of networks and data in any spelling, numbers with units.

`GFLOPs`, `FLOPs (G)`, `Params`, `#Param.`, `Top-1 (%)`, `Acc@1`, `GFLOPs x views` with `33 x 30`. What cannot be read
as what its column holds is left out and stands among the table's faults: one bad number hides none of the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from repro.core.csv_text import records_of, text_of
from repro.core.errors import RecordError, UnknownName
from repro.papers import published
from repro.papers.published import ABOUT, TEXT, Fault, PublishedRow, PublishedTable, Value, rule_of
from repro.registry import backbones, datasets, methods, models

#: heading without its signs and units -> column
_HEADINGS = {
    **dict.fromkeys("gflops flops gmacs macs gmac mac gflop gflopsview gflopsperview".split(), "gflops"),
    **dict.fromkeys("params param parameters parameter paramsm parametersm".split(), "params_m"),
    **dict.fromkeys("top1 top1acc top1accuracy acc1 accuracy acc top1val".split(), "top1"),
    **dict.fromkeys("top5 top5acc top5accuracy acc5 top5val".split(), "top5"),
    **dict.fromkeys("gflopsviews gflopsxviews flopsviews flopsxviews".split(), "gflops*views"),
    **dict.fromkeys("gain deltatop1 delta improvement".split(), "delta_top1"),
    **dict.fromkeys("frames frame t input framescrops".split(), "frames"),
    **dict.fromkeys("views view clipsxcrops".split(), "views"),
    **dict.fromkeys("device gpu hardware card machine".split(), "device"),
    **dict.fromkeys("videoss fps throughput speed videospers videossec videosps".split(), "videos_per_s"),
    **dict.fromkeys("pretrain pretraining pretrained".split(), "pretrain"),
    **dict.fromkeys("dataset data benchmark".split(), "dataset"),
    **dict.fromkeys("backbone encoder".split(), "backbone"),
    **dict.fromkeys("inputsize resolution crop testcrop imagesize".split(), "input_size"),
    **dict.fromkeys("row key name".split(), "row"),
    **dict.fromkeys("note notes comment remarks remark".split(), "note"),
    **dict.fromkeys("model network arch architecture".split(), "model"),
    "method": "method",
}
_DATASETS = {
    **dict.fromkeys(("k400", "kinetics"), "kinetics400"), **dict.fromkeys(("k200",), "kinetics200"),
    **dict.fromkeys(("ssv1", "somethingv1", "somethingsomethingv1"), "sthv1"),
    **dict.fromkeys(("ssv2", "somethingv2", "somethingsomethingv2"), "sthv2"),
}  # fmt: skip
#: a number with a sign, and what may stand behind it
_NUMBER = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*(%|g|m|gflops|gmacs|fps|points|pp)?", re.IGNORECASE)
_PRODUCT = re.compile(r"(\d+(?:\.\d+)?)\s*(?:[x×*]|\\times)\s*(\d+)", re.IGNORECASE)
_SQUARE = re.compile(r"(\d+)\s*[x×]\s*\1")
#: what says that nothing is printed
_NOTHING = frozenset(("", "-", "–", "—", "n/a", "na", "none", "/", "?", "--"))

_USUAL = "model, method, backbone, dataset, frames, views, GFLOPs, params, top-1, top-5, gain, videos/s, device"
#: a file to begin with: a network, and the same with a method of one's own
TEMPLATE = """row,model,backbone,method,dataset,frames,views,input_size,gflops,params_m,top1,top5,delta_top1,device,note
tsm,TSM,R50,,Kinetics-400,8x10x3,30,256,42.9,24.3,73.8,91.3,,,a network as it is
tsm_mine,TSM,R50,mine,Kinetics-400,8x10x3,30,256,43.1,24.9,74.9,92.0,+1.1,,the same with a method of your own
"""


def read(path: Path) -> PublishedTable:
    """The table of a file with its faults; `RecordError` where it is no CSV at all."""
    if not path.is_file():
        fix = f"python -m repro check --template {path}"
        raise RecordError(f"there is no file {str(path)!r}", allowed="a CSV", fix=fix)
    lines = records_of(text_of(path, RecordError, allowed="a CSV file"), path.name, RecordError)
    if len(lines) < 2:
        raise RecordError(f"{path.name} has {len(lines)} lines", allowed="a header and a line a network")
    faults: list[Fault] = []
    columns = _columns(path.stem, lines[0][1], faults)
    rows: dict[str, PublishedRow] = {}
    for line, fields in lines[1:]:
        if len(fields) != len(columns):
            told = f"{len(fields)} fields for {len(columns)} columns"
            faults.append(Fault(f"{path.stem}, line {line}", told, "as many as the header has; commas in quotes"))
        row = _row(path.stem, line, dict(zip(columns, fields, strict=False)), rows, faults)
        rows[row.key] = row
    shown = [name for name in columns if name and name not in ABOUT]
    shown += ["views"] if "gflops*views" in shown and "views" not in shown else []
    shown = ["gflops" if name == "gflops*views" else name for name in shown]
    shown = list(dict.fromkeys([*shown, "model", "method", "backbone", "note"]))
    return PublishedTable(path.stem, tuple(shown), rows, tuple(faults))


def _columns(stem: str, header: Sequence[str], faults: list[Fault]) -> list[str]:
    """The column that each heading means; empty for one that is left out."""
    found: list[str] = []
    for heading in header:
        name = _column(heading.strip())
        if name in found:
            faults.append(Fault(f"{stem}, line 1", f"two columns are {name}: the second is {heading!r}", "one of each"))
            name = ""
        elif name is None:
            known = sorted({*_HEADINGS.values(), *TEXT, *published.WHOLE} - {"gflops*views"})
            near = UnknownName("column", heading, known).near
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            told = f"unknown column {heading!r}{hint}: left out"
            faults.append(Fault(f"{stem}, line 1", told, _USUAL, "note"))
            name = ""
        found.append(name)
    return found


def _column(heading: str) -> str | None:
    if heading in TEXT or rule_of(heading) or heading in ABOUT:
        return heading
    plain = re.sub(r"\((.*?)\)|\[(.*?)\]", lambda found: found[0] if "view" in found[0] else "", heading.casefold())
    plain = plain.replace("×", "x").replace("δ", "delta").replace("Δ", "delta")
    return _HEADINGS.get(re.sub(r"[^a-z0-9]", "", plain))


def _row(
    stem: str, line: int, fields: dict[str, str], rows: dict[str, PublishedRow], faults: list[Fault]
) -> PublishedRow:
    texts = {name: text.strip() for name, text in fields.items() if name}
    texts |= dict(_network(texts))
    key = _key(texts, line, rows)
    values: dict[str, Value] = {}
    for name, text in texts.items():
        if name in ("row", "note", *ABOUT) or text.casefold() in _NOTHING:
            continue
        for column, value in _values(name, text):
            if isinstance(value, str):
                faults.append(Fault(f"{stem}/{key}/{column}", f"{text!r} on line {line}", value))
            else:
                values[column] = value
    best = [values[name].number for name in ("top1", "top5") if name in values]
    if len(best) == 2 and (best[0] or 0) > (best[1] or 0):
        told = f"top-1 {values['top1'].text} above top-5 {values['top5'].text}, line {line}"
        faults.append(Fault(f"{stem}/{key}/top1", told, "at most top-5: every right first guess is among the five"))
    return PublishedRow(key, values, texts.get("note", ""))


def _key(texts: dict[str, str], line: int, rows: dict[str, PublishedRow]) -> str:
    """The row's own key, else its network; with its line where that stands twice."""
    named = texts.get("row") or "_".join(filter(None, (texts.get(name) for name in ("model", "method", "backbone"))))
    key = re.sub(r"[^A-Za-z0-9_.+-]+", "-", named).strip("-_.+") or f"line{line}"
    return key if key not in rows else f"{key}-line{line}"


def _network(texts: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Names as this suite has them; of `TSM+DNR`, under whatever heading, the network and the method in it."""
    named = texts.get("model") or (texts.get("method", "") if "model" not in texts else "")
    parts = [part for part in re.split(r"\s*\+\s*", re.sub(r"\s*\(.*?\)", "", named)) if part]
    if named and parts and (host := _known(parts[0], models.names())):
        yield "model", host
        inserted = "+".join(parts[1:]) or (texts.get("method", "") if texts.get("model") else "")
        yield "method", _known(inserted, methods.names()) or inserted.casefold()
    elif "model" not in texts and "method" in texts:
        yield "model", texts["method"].casefold()
        yield "method", ""
    if backbone := texts.get("backbone"):
        short = re.sub(r"(?i)^r(?=\d)", "resnet", backbone)
        yield "backbone", _known(short, backbones.names()) or backbone
    if dataset := texts.get("dataset"):
        yield "dataset", _DATASETS.get(_plain(dataset)) or _known(dataset, datasets.names()) or dataset


def _known(text: str, names: Sequence[str]) -> str:
    return next((name for name in names if _plain(name) == _plain(text)), "")


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.casefold())


def _values(name: str, text: str) -> Iterator[tuple[str, Value | str]]:
    """Column and value, or what is allowed there instead."""
    product = _PRODUCT.fullmatch(text)
    if name in ("gflops*views", "gflops") and product:
        yield from _values("gflops", product[1])
        yield from _values("views", product[2])
        return
    name = "gflops" if name == "gflops*views" else name
    rule = rule_of(name)
    if rule is None:
        yield name, Value(text, None)
        return
    if name == "input_size" and (square := _SQUARE.fullmatch(text)):
        text = square[1]
    if name == "views" and product:
        text = str(int(float(product[1])) * int(product[2]))
    number = _NUMBER.fullmatch(text)
    digits = number[1].removeprefix("+") if number else ""
    fits = bool(number) and rule[0](float(digits)) and digits not in ("inf", "nan")
    yield name, Value(digits, float(digits)) if fits else rule[1]
