"""Every reader of files, and the command line, on input that nobody meant: an answer or a sentence, never a traceback.

What was found stands by itself in the tests of the module that was at fault.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fuzzing import FEW, JSON, MANY, NUMBERS, TEXTS, encoded, fuzz, mutated
from hypothesis import strategies as st

from repro.__main__ import main
from repro.core.errors import ReproError
from repro.core.spec import Model, canonical_json
from repro.models import checkpoint_reader, pretrained, weights
from repro.models.formats import IMAGENET, Contract
from repro.models.verify import verify
from repro.records.scores import Scores
from repro.runner import slurm

TINY = Model(name="tsn", backbone="tiny_resnet", frames=2, num_classes=3)

JSON_TEXT = st.one_of(JSON.map(json.dumps), TEXTS, st.sampled_from(["[" * 100_000, "{", '{"a":' * 5000, "NaN"]))


# checkpoints


def saved(content: Any, zipped: bool = True) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


STATE = {"conv1.weight": torch.ones(2, 3), "layer1.0.bn.num_batches_tracked": torch.tensor(3), "fc.bias": torch.ones(2)}
PLAIN = saved({"state_dict": STATE, "epoch": 3, "lr": 0.1, "names": ["a", (1, None)]})
LEGACY = saved({"state_dict": STATE, "model_ema": {"x": torch.ones(2)}}, zipped=False)


def rezipped(pickle: bytes) -> bytes:
    """A checkpoint whose pickle is another, with the right checksums around it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(PLAIN)) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            new.writestr(name, pickle if name.endswith("data.pkl") else old.read(name))
    return buffer.getvalue()


def pickle_of(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.read(next(name for name in archive.namelist() if name.endswith("data.pkl")))


def odd_tensor(kind: str) -> torch.Tensor:
    x = torch.ones(3, 3)
    makes: dict[str, Callable[[], torch.Tensor]] = {
        "float": lambda: x,
        "other": lambda: x * 2,
        "half": lambda: x.half(),
        "int8": lambda: x.to(torch.int8),
        "fp8": lambda: x.to(torch.float8_e4m3fn),
        "complex": lambda: x.to(torch.complex64),
        "sparse": lambda: x.to_sparse(),
        "meta": lambda: x.to("meta"),
        "quantized": lambda: torch.quantize_per_tensor(x, 0.1, 0, torch.qint8),
        "nan": lambda: x * float("nan"),
        "scalar": lambda: torch.tensor(3),
        "empty": lambda: torch.empty(0, 3),
        "expanded": lambda: torch.ones(1).expand(10**10),
        "bool": lambda: x.bool(),
    }
    return makes[kind]()


KEYS = st.sampled_from(
    ["state_dict", "model", "ema", "model_ema", "module", "optimizer", "teacher", "decay", "conv1.weight", "fc.weight",
     "module.conv1.weight", "ema_conv1_weight", "ema_model.conv1.weight", "n_averaged", "x", ""]
)  # fmt: skip
KINDS = ("float", "other", "half", "int8", "fp8", "complex", "sparse", "meta", "quantized", "nan", "scalar", "empty",
         "expanded", "bool")  # fmt: skip
CONTENTS = st.recursive(
    st.one_of(st.sampled_from(KINDS).map(odd_tensor), st.integers(), st.text(max_size=4), st.none()),
    lambda inner: st.one_of(
        st.dictionaries(st.one_of(KEYS, st.integers()), inner, max_size=5), st.lists(inner, max_size=3)
    ),
    max_leaves=10,
)


def read_checkpoint(case: tuple[bytes, str | None], folder: Path) -> None:
    file = folder / "c.pth"
    file.write_bytes(case[0])
    found = checkpoint_reader.read(file, case[1])
    assert found.tensors and all(value.layout == torch.strided for value in found.tensors.values())


def safetensors_file(header: bytes, data: bytes = bytes(24)) -> bytes:
    return struct.pack("<Q", len(header)) + header + data


HEADER = {
    "conv1.weight": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
    "fc.bias": {"dtype": "F32", "shape": [2], "data_offsets": [16, 24]},
}
FACTS = {
    "repro.model": canonical_json(TINY), "repro.contract": json.dumps(IMAGENET.to_dict()), "repro.classes": '["a"]',
    "repro.left_new": "[]", "repro.protocol": "{}", "repro.format": "plain",
}  # fmt: skip


def with_metadata(facts: dict[str, str]) -> bytes:
    return safetensors_file(encoded(json.dumps({"__metadata__": {**FACTS, **facts}, **HEADER})))


METADATA = st.dictionaries(st.sampled_from(sorted(FACTS)), JSON_TEXT, max_size=3).map(with_metadata)
DTYPES = st.sampled_from(["F32", "I8", "F8_E4M3", "BOOL", "F16", "BF16", "C64", "X", "U64", "F4"])
ENTRY = st.fixed_dictionaries(
    {"dtype": DTYPES, "shape": st.lists(st.integers(-1, 10**12), max_size=3),
     "data_offsets": st.lists(st.integers(0, 30), min_size=1, max_size=3)}
)  # fmt: skip
HEADERS = st.dictionaries(TEXTS, st.one_of(ENTRY, JSON), max_size=3).map(json.dumps).map(encoded).map(safetensors_file)


def read_safetensors(data: bytes, folder: Path) -> None:
    file = folder / "w.safetensors"
    file.write_bytes(data)
    for read in (
        checkpoint_reader.read,
        pretrained.saved,
        lambda path: weights.load_weights(torch.nn.ReLU(), path, TINY),
    ):
        try:
            read(file)
        except ReproError:
            continue


# scores


def npz(members: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **members)
    return buffer.getvalue()


WHOLE = {
    "version": np.int64(2), "labels": np.array([0, 1]), "ids": np.array(["a", "b"]), "views": np.array([1, 2]),
    "problem_ids": np.array([], np.str_), "problems": np.array([], np.str_), "about": np.array('{"views": {}}'),
    "logits": np.ones((2, 2, 3), np.float32), "stats": np.ones((2, 2, 1), np.float32), "stat_names": np.array(["g"]),
}  # fmt: skip
ARRAYS = st.one_of(
    st.tuples(
        st.sampled_from(["f4", "f8", "i8", "u1", "U3", "S2", "?", "c8", "M8[s]"]),
        st.lists(st.integers(0, 3), max_size=4),
    ).map(lambda case: np.zeros(case[1], case[0])),
    NUMBERS.filter(lambda value: (value is not None and abs(value) < 2**62) or value != value).map(np.array),
    JSON_TEXT.map(lambda text: np.array(text[:200_000])),
)


def without(case: tuple[dict[str, np.ndarray], set[str]]) -> bytes:
    return npz({name: value for name, value in {**WHOLE, **case[0]}.items() if name not in case[1]})


SCORES = st.tuples(
    st.dictionaries(st.sampled_from(sorted(WHOLE)), ARRAYS, max_size=2),
    st.sets(st.sampled_from(sorted(WHOLE)), max_size=1),
).map(without)


def read_scores(data: bytes, folder: Path) -> None:
    (folder / "s.npz").write_bytes(data)
    found = Scores.load(folder / "s.npz")
    assert found.logits.shape[:2] == (len(found.ids), found.clips * found.crops)


# references


GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "sampling.json").read_text())
NETWORK = {
    "spec": {"model": "tsn", "backbone": "tiny_resnet", "frames": 2, "num_classes": 3, "checkpoint_format": "plain"},
    "tensors": [["conv1.weight", [16, 3, 7, 7], "float32"]], "input": {"shape": [1, 2, 3, 32, 32], "seed": 1},
    "params": 3, "logits": [[0.1, 0.2, 0.3]], "gflops": {"clip_real": None}, "decisions": [], "train": None,
}  # fmt: skip


def with_others(whole: dict[str, Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(st.sampled_from(sorted(whole)), JSON, max_size=3).map(lambda parts: {**whole, **parts})


RULES = {"mmaction2.uniform_test_8": {"13": [0, 1, 3, 5, 6, 8, 10, 11], "40": None}, "tsm.dense_8": {"20": [1]}}
REFERENCES = st.one_of(JSON_TEXT, with_others(RULES).map(json.dumps))
NETWORKS = st.one_of(
    with_others(NETWORK).map(json.dumps),
    with_others(NETWORK["spec"]).map(lambda spec: json.dumps({**NETWORK, "spec": spec})),
)


def read_reference(text: str, folder: Path) -> None:
    (folder / "g.json").write_bytes(encoded(text))
    outcomes = verify.verify_file(folder / "g.json")
    assert outcomes and all(one.line() for one in outcomes)


# options


def read_options(case: list[str], _: Path) -> None:
    made = slurm.sbatch_parameters(case)
    assert made["slurm_additional_parameters"]["requeue"] is True


def read_contract(case: Any, _: Path) -> None:
    try:
        Contract.from_dict(case)
    except (KeyError, TypeError, ValueError, OverflowError):
        return


OPTIONS = st.lists(
    st.one_of(TEXTS, st.tuples(st.sampled_from(["time", "account", "mem", "nodes", "x"]), TEXTS).map("=".join)),
    max_size=3,
)
CONTRACTS = st.fixed_dictionaries({"order": st.one_of(JSON, st.just("RGB")), "scale": JSON, "mean": JSON, "std": JSON})

READERS: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any, Path], None]]] = {
    "checkpoint bytes": (st.tuples(mutated([PLAIN, LEGACY]), st.none()), read_checkpoint),
    "checkpoint pickle": (st.tuples(mutated([pickle_of(PLAIN)]).map(rezipped), st.none()), read_checkpoint),
    "checkpoint content": (
        st.tuples(st.tuples(CONTENTS, st.booleans()).map(lambda case: saved(*case)), st.one_of(st.none(), KEYS)),
        read_checkpoint,
    ),
    "safetensors bytes": (mutated([with_metadata({})]), read_safetensors),
    "safetensors header": (HEADERS, read_safetensors),
    "safetensors metadata": (METADATA, read_safetensors),
    "scores bytes": (mutated([npz(WHOLE)]), read_scores),
    "scores content": (SCORES, read_scores),
    "references": (REFERENCES, read_reference),
    "reference networks": (NETWORKS, read_reference),
    "slurm options": (OPTIONS, read_options),
    "contract": (CONTRACTS, read_contract),
}


# the command line


NAMES = st.one_of(
    TEXTS.filter(lambda text: "\0" not in text),
    st.sampled_from(
        "table6 dnr/table6 tsn tsm dnr tiny_resnet table6/tsn_r50 psn/table1 x.csv bad.json bad.npz bad.safetensors "
        "bad.pth folder kinetics400 / /dev/null".split()
    ),
)
FLAGS = (
    "--backbone --frames --classes --method --option --method-option --format --out --with --module --clips --crops "
    "--fusion --on --dataset --weights --labels --model --size --weights-key --partial --device --seed --csv --json "
    "--help --top --register"
).split()
VERBS = (
    "list,show,table,status,records,records ls,records show,records diff,records merge,records prune,scores,verify,"
    "import-weights,plan,claims,check,data,data list,data check,data add,predict,test,inspect kernels,questions,"
    "doctor --only disk,"
).split(",")
LINES = st.tuples(
    st.sampled_from(VERBS).map(str.split), st.lists(st.one_of(NAMES, st.sampled_from(FLAGS)), max_size=5)
).map(lambda case: [*case[0], *case[1]])


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder with files that are none, in which the commands are given."""
    for name in ("REPRO_CACHE", "REPRO_CONFIG", "REPRO_RESULTS"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.chdir(tmp_path)
    for name, content in (("x.csv", b"path,label\n\xff,1\n"), ("bad.json", b"[[["), ("bad.npz", b"PK\3\4"),
                          ("bad.safetensors", b"12345678{"), ("bad.pth", b"\x80\x02.")):  # fmt: skip
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    return tmp_path


def fuzz_reader(name: str, folder: Path, count: int) -> None:
    strategy, read = READERS[name]
    near = 0 if name in ("slurm options", "contract") else 4
    fuzz(strategy, lambda case: read(case, folder), count, near)


def fuzz_command_line(capsys: Any, count: int) -> None:
    def check(arguments: list[str]) -> None:
        try:
            code = main(arguments)
        except SystemExit as error:  # argparse
            code = error.code
        said = capsys.readouterr()
        assert code in (0, 1, 2), (arguments, code)
        assert "unexpected" not in said.err and "Traceback" not in said.err, (arguments, said.err[-2000:])

    fuzz(LINES, check, count, near=0)


@pytest.mark.parametrize("name", READERS)
def test_a_reader_answers_or_says_what_is_wrong(name, tmp_path):
    fuzz_reader(name, tmp_path, FEW)


def test_the_command_line_answers_or_says_what_is_wrong(desk, capsys):
    fuzz_command_line(capsys, FEW)


@pytest.mark.fuzz
@pytest.mark.parametrize("name", READERS)
def test_a_reader_on_100_000_cases(name, tmp_path):
    fuzz_reader(name, tmp_path, MANY)


@pytest.mark.fuzz
def test_the_command_line_on_many_cases(desk, capsys):
    fuzz_command_line(capsys, MANY // 10)
