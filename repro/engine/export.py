"""A network as a file that other runtimes read: ONNX, TorchScript or torch.export, held against eager PyTorch.

What is written: evaluation, fp32, each batch normalization folded into the convolution before it, a free number of
clips. The file is read back by its own runtime and compared with the eager network at two batch sizes; one that differs
by more than `LIMIT` is not kept. A JSON beside it says what a caller must know and the file does not tell: how a video
becomes its input, what its outputs mean, what it was made from. Neither needs this package.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

from repro import __version__
from repro.core.errors import BadOption, NotConfigured
from repro.core.files import file_sha256, write_atomic
from repro.core.paths import expand
from repro.core.spec import Views, to_dict
from repro.cost.fastest_form import relative_error
from repro.cost.macs import quiet
from repro.cost.onednn_fusion import UNREADABLE, fold
from repro.data import sampling
from repro.models.build import input_shape
from repro.models.pretrained import Trained, require_views

#: name -> the package that runs such a file
FORMATS = {"onnx": "onnxruntime", "torchscript": "torch", "torch-export": "torch"}
#: largest difference from eager over the largest logit
LIMIT = 1e-4
#: clips: the network is traced at the first and compared at the others
_TRACED, _COMPARED = 2, (1, 3)
_OPSET = 17
_INPUT, _OUTPUT = "video", "logits"
#: lengths of videos for which the sidecar lists the frames
_LENGTHS = (1, 30, 300)
_SEED = 0

Runner = Callable[[Tensor], Tensor]
Writer = Callable[[nn.Module, Tensor], bytes]


@dataclass(frozen=True)
class Exported:
    """What was written, and how far it is from eager."""

    path: Path
    sidecar: Path
    runtime: str
    errors: dict[int, float]
    """Clips in a batch -> largest difference over the largest logit."""
    folded: int
    """Batch normalizations that are part of a convolution now."""
    kept: tuple[str, ...]
    """Those that stand: no convolution is right before them."""


def export(network: Trained, form: str, out: str | Path, views: Views | None = None) -> Exported:
    """Write `network` as `form` (one of `FORMATS`) to `out`, and the JSON beside it.

    The file takes float32 (clips, T, 3, H, W), TDN (clips, T, 5, 3, H, W), and gives logits (clips, K); H and W are the
    crop of `views`. Raises `BadOption` where it cannot be written or differs from eager by more than `LIMIT`,
    `NotConfigured` where its runtime is not installed; nothing is left behind then.
    """
    if form not in FORMATS:
        raise BadOption(f"unknown format {form!r}", allowed=", ".join(FORMATS))
    views = views or network.views
    require_views(network.model, views)
    runtime = _runtime(FORMATS[form])
    module = network.module.cpu().eval()
    generator = torch.Generator().manual_seed(_SEED)
    examples = {
        n: torch.randn(input_shape(network.model, views.crop, n), generator=generator) for n in (_TRACED, *_COMPARED)
    }
    with torch.no_grad(), quiet(), _portable():
        plain, folded, kept = _folded(module)
        expected = {n: module(examples[n]) for n in _COMPARED}
        content, errors = _content(network.label, form, plain, examples, expected)
    target = expand(out)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(target, content)
    made = Exported(target, target.with_name(f"{target.name}.json"), runtime, errors, folded, kept)
    write_atomic(made.sidecar, (json.dumps(_sidecar(network, views, form, made), indent=1) + "\n").encode())
    return made


def _content(
    label: str, form: str, module: nn.Module, examples: dict[int, Tensor], expected: dict[int, Tensor]
) -> tuple[bytes, dict[int, float]]:
    """The file's bytes by the first writer whose file holds, and its errors."""
    reasons = []
    for name, write in _WRITERS[form].items():
        try:
            content = write(module, examples[_TRACED])
            run = READERS[form](content)
            found = {n: run(examples[n]) for n in _COMPARED}
        except Exception as error:  # exporters and runtimes each have errors of their own
            reasons.append(f"{name}: {type(error).__name__}: {' '.join(str(error).split())[:300]}")
            continue
        errors = {n: _error(found[n], expected[n]) for n in _COMPARED}
        if max(errors.values()) <= LIMIT:
            return content, errors
        told = ", ".join(f"{error:.2g} at {n} clip(s)" for n, error in errors.items())
        reasons.append(f"{name}: its logits differ from eager's by {told}, more than {LIMIT:g} of the largest")
    others = ", ".join(name for name in FORMATS if name != form)
    raise BadOption(f"{label} cannot be exported as {form}; nothing was written. {'; '.join(reasons)}", allowed=others)


def _error(found: Tensor, expected: Tensor) -> float:
    whole = found.shape == expected.shape and bool(torch.isfinite(found).all())
    return relative_error(found, expected) if whole else float("inf")


def _folded(module: nn.Module) -> tuple[nn.Module, int, tuple[str, ...]]:
    """A copy with batch normalizations folded, how many, and the names of those that stand; the network itself where
    fx cannot read it.
    """
    before = _norms(module)
    try:
        graph = fold(module)
        graph.delete_all_unused_submodules()
    except UNREADABLE:
        return module, 0, tuple(before)
    kept = _norms(graph)
    return graph, len(before) - len(kept), tuple(kept)


def _norms(module: nn.Module) -> list[str]:
    return [name for name, part in module.named_modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]


def _onnx(module: nn.Module, example: Tensor) -> bytes:
    """By the exporter of traces: seconds, where that of programs takes minutes."""
    file: Any = io.BytesIO()
    axes = {_INPUT: {0: "clips"}, _OUTPUT: {0: "clips"}}
    torch.onnx.export(
        module, (example,), file, dynamo=False, opset_version=_OPSET, dynamic_axes=axes,
        input_names=[_INPUT], output_names=[_OUTPUT],
    )  # fmt: skip
    return file.getvalue()


def _onnx_of_program(module: nn.Module, example: Tensor) -> bytes:
    file: Any = io.BytesIO()
    made = torch.onnx.export(
        module, (example,), dynamo=True, input_names=[_INPUT], output_names=[_OUTPUT], dynamic_shapes=_any_batch(),
        verbose=False,
    )  # fmt: skip
    assert made is not None
    made.save(file)
    return file.getvalue()


def _torchscript(module: nn.Module, example: Tensor) -> bytes:
    file = io.BytesIO()
    torch.jit.save(torch.jit.freeze(torch.jit.trace(module, example, check_trace=False)), file)
    return file.getvalue()


def _program(module: nn.Module, example: Tensor) -> bytes:
    file = io.BytesIO()
    torch.export.save(torch.export.export(module, (example,), dynamic_shapes=_any_batch()), file)
    return file.getvalue()


def _any_batch() -> tuple[dict[int, Any], ...]:
    return ({0: torch.export.Dim("clips", min=1, max=4096)},)


def _read_onnx(content: bytes) -> Runner:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return lambda x: torch.from_numpy(session.run([_OUTPUT], {_INPUT: x.numpy()})[0])


def _read_torchscript(content: bytes) -> Runner:
    return torch.jit.load(io.BytesIO(content))  # type: ignore[no-any-return]


def _read_program(content: bytes) -> Runner:
    return torch.export.load(io.BytesIO(content)).module()  # type: ignore[no-any-return]


_WRITERS: dict[str, dict[str, Writer]] = {
    "onnx": {"exporter of traces": _onnx, "exporter of programs": _onnx_of_program},
    "torchscript": {"trace": _torchscript},
    "torch-export": {"torch.export": _program},
}
READERS: dict[str, Callable[[bytes], Runner]] = {
    "onnx": _read_onnx, "torchscript": _read_torchscript, "torch-export": _read_program,
}  # fmt: skip


def _runtime(package: str) -> str:
    """The package with its version."""
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError as error:
        what = f"the package {package!r}, which runs what is exported, is not installed"
        raise NotConfigured(what, fix='pip install -e ".[export]"') from error


@contextlib.contextmanager
def _portable() -> Iterator[None]:
    """Networks take operators that every runtime has, as for ONNX, in place of those of this package."""
    with mock.patch.object(torch.onnx, "is_in_onnx_export", lambda: True):
        yield


def _sidecar(network: Trained, views: Views, form: str, made: Exported) -> dict[str, Any]:
    """What a caller of the file must know, as plain data."""
    shape = list(input_shape(network.model, views.crop))[1:]
    return {
        "file": made.path.name,
        "sha256": file_sha256(made.path),
        "format": form,
        "made_by": f"repro {__version__}, torch {torch.__version__}",
        "network": {"label": network.label, **to_dict(network.model)},
        "weights_sha256": network.sha256,
        "input": {"name": _INPUT, "dtype": "float32", "shape": ["clips", *shape], "axes": _axes(len(shape))},
        "output": {
            "name": _OUTPUT,
            "dtype": "float32",
            "shape": ["clips", network.model.num_classes],
            "meaning": "logits; softmax over the last axis gives probabilities",
        },
        "preprocessing": _preprocessing(network, views),
        "protocol": {**to_dict(views), "frames_of_a_video": _frames(views.sampling)},
        "classes": [network.class_name(number) for number in range(network.model.num_classes)],
        "batch_norm": {"folded": made.folded, "kept": list(made.kept)},
        "check": {
            "against": "the eager network, random input",
            "runtime": made.runtime,
            "largest_difference_over_largest_logit": {str(n): error for n, error in made.errors.items()},
            "limit": LIMIT,
        },
    }


def _axes(inner: int) -> list[str]:
    frames = ["segments", "frames of a segment"] if inner == 5 else ["frames"]
    return ["clips", *frames, "channels", "height", "width"]


def _preprocessing(network: Trained, views: Views) -> dict[str, Any]:
    """From decoded frames to the input: what is done, in order."""
    usual = {"order": "RGB", "scale": 1.0, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    told = {**usual, **getattr(network.normalize, "keywords", {})}
    size = f"short side to {views.resize} pixels, bilinear" if views.resize else "none: the video's own size"
    return {
        "resize": size,
        "crop": f"{views.crop}x{views.crop}, {views.crops} a clip",
        "channels": told["order"],
        "formula": "(pixel / 255 * scale - mean) / std",
        **{name: told[name] for name in ("scale", "mean", "std")},
    }


def _frames(rule: str) -> dict[str, list[list[int]]] | str:
    """Numbers from 0 of the frames of each clip, for videos of some lengths; (clips, frames)."""
    if sampling.is_random(rule):
        return f"drawn at random by {rule}"
    return {str(n): sampling.indices(rule, n).tolist() for n in _LENGTHS}
