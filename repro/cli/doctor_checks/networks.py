"""Checks on networks: label maps, the import of weights, the counters of operations, the GPU."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from repro.cli.doctor_checks.check import Check, Failed, NotHere, torch_here
from repro.core.errors import ReproError
from repro.core.spec import Model, Static, frozen

_TINY = Model(name="tsn", backbone="tiny_resnet", num_classes=5, frames=4, options=frozen(blocks=1, pool=False))
_RESNET50 = Model(name="tsn", backbone="resnet50", num_classes=1000, frames=1)
#: of ResNet-50 on 224x224, 1000 classes: He et al. give 3.8e9 for v1; v1.5, which all use, has 4.089e9
_PARAMS, _GMACS = 25_557_032, 4.089184256
#: counter -> how much more than convolutions and matrix products it may count, as a share
_EXTRA = {"gmacs": 0.0, "fvcore": 0.02, "ptflops": 0.02, "ptflops_aten": 1e-4}
_MEND_CODE = "git status, git checkout .: the files are not what was committed"


def label_map() -> str:
    """The class lists that ship here are whole; the datasets that are configured have the same classes, in order."""
    from repro.data import label_maps
    from repro.data.dataset_config import place
    from repro.registry import datasets

    told, own = [], []
    for entry in datasets:
        names = label_maps.official(entry.name)
        if names is None:
            continue
        if len(names) != entry.fact("num_classes") or len(set(names)) != len(names):
            raise Failed(f"{entry.name}: {len(set(names))} names for {entry.fact('num_classes')} classes", _MEND_CODE)
        _require_mirrored(entry.name, names, entry.fact("flip_labels", ()))
        told.append(entry.name)
        file = place(entry.name)
        if file is not None:
            _require_same(entry.name, names, file)
            own.append(entry.name)
    agree = f"those of your {', '.join(own)} agree" if own else "none of these datasets is configured here"
    return f"the class lists of {', '.join(told)} are whole; {agree}"


def _require_mirrored(dataset: str, names: tuple[str, ...], pairs: tuple[tuple[int, int], ...]) -> None:
    """Labels that change places in a mirrored clip are names that differ in left and right."""
    from repro.data import label_maps

    wrong = [pair for pair in pairs if pair not in label_maps.flip_pairs(names)]
    if wrong:
        one, other = wrong[0]
        raise Failed(
            f"{dataset}: labels {one} and {other} change places in mirrored clips, but are {names[one]!r} and "
            f"{names[other]!r}: the label map is shuffled",
            _MEND_CODE,
        )


def _require_same(name: str, official: tuple[str, ...], file: Path) -> None:
    from repro.data import catalogue, label_maps
    from repro.data.index import read_classes

    own = tuple(catalogue.read(file).header["classes"]) if file.suffix == ".json" else read_classes(file)
    wrong = None if all(label.isdecimal() for label in own) else label_maps.difference(own, official)
    if wrong is not None:
        mend = f"python -m repro data add {name} again with its official annotation files, or put the official names " \
               "in order into labels.txt beside its CSV"  # fmt: skip
        raise Failed(f"{name}: the label map of your copy has {wrong}", mend)


def weights_import() -> str:
    """A checkpoint in a public naming is imported, its network computes the same; a damaged one is refused."""
    torch = torch_here()

    from repro.models import weights
    from repro.models.build import build, input_shape

    with tempfile.TemporaryDirectory(prefix="repro-doctor-") as folder, torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = build(_TINY).eval()
        x = torch.randn(input_shape(_TINY, 32, 2))
        public = {f"module.base_model.{name}".replace("base_model.fc.", "new_fc."): value
                  for name, value in net.state_dict().items()}  # fmt: skip
        file, out = Path(folder) / "public.pth", Path(folder) / "ours.safetensors"
        torch.save({"state_dict": public, "epoch": 1}, file)
        report = weights.import_weights(file, _TINY, out)
        other = build(_TINY).eval()
        weights.load_weights(other, out, _TINY)
        with torch.no_grad():
            difference = float((net(x) - other(x)).abs().max())
        if difference:
            raise Failed(f"imported weights give other scores, by up to {difference:.3g}", _MEND_CODE)
        public.pop("module.base_model.layer1.0.conv2.weight")
        torch.save({"state_dict": public}, file)
        try:
            weights.import_weights(file, _TINY, out)
        except ReproError:
            return f"a checkpoint named as {report.format} is imported, {len(report.matched)} tensors, scores equal; " \
                   "one with a tensor less is refused"  # fmt: skip
        raise Failed("a checkpoint that lacks a tensor is imported without a word", _MEND_CODE)


def counters() -> str:
    """All counters see ResNet-50 on 224x224 as everybody does."""
    torch_here()
    from repro.cost.macs import measure_static

    found = measure_static(_RESNET50, Static(sizes=(224,)))
    if found["params"] != _PARAMS:
        raise Failed(f"ResNet-50 has {found['params']:,} parameters, not {_PARAMS:,}", "python -m pip install -U timm")
    counts = found["sizes"]["224"]
    for name, extra in _EXTRA.items():
        package = {"gmacs": "torch"}.get(name, name.partition("_")[0])
        mend = f"python -m pip install --force-reinstall {package}"
        if counts[name] is None:
            raise Failed(f"{name} fails on ResNet-50: {found['failed'][name]}", mend)
        share = counts[name] / _GMACS - 1
        if not -1e-9 <= share <= extra + 1e-9:
            what = f"{name} counts {counts[name]:.4f} GMACs for ResNet-50 on 224x224, known are {_GMACS:.4f}"
            raise Failed(what, mend)
    return "ResNet-50 on 224x224, GMACs: " + ", ".join(f"{name} {counts[name]:.3f}" for name in _EXTRA)


def gpu() -> str:
    """A convolution on the GPU gives what it gives on the CPU."""
    torch = torch_here()

    if not torch.cuda.is_available():
        if shutil.which("nvidia-smi"):
            raise Failed(
                f"there is an NVIDIA driver, but torch {torch.__version__} (CUDA {torch.version.cuda}) cannot use it",
                "install the torch build for your CUDA: https://pytorch.org/get-started; or update the driver",
            )
        raise NotHere(f"torch {torch.__version__} sees no CUDA device; everything runs on the CPU")
    told = []
    for number in range(torch.cuda.device_count()):
        place = torch.device("cuda", number)
        generator = torch.Generator().manual_seed(0)
        x, w = torch.randn(2, 8, 16, 16, generator=generator), torch.randn(8, 8, 3, 3, generator=generator)
        there = torch.nn.functional.conv2d(x.to(place), w.to(place)).cpu()
        difference = float((there - torch.nn.functional.conv2d(x, w)).abs().max())
        if not difference < 0.1:  # TF32 may be on: 8 * 9 products with 10 bits each
            raise Failed(
                f"a convolution on cuda:{number} differs from the CPU by {difference:.3g}", "test the GPU's memory"
            )
        free, total = torch.cuda.mem_get_info(place)
        told.append(f"{torch.cuda.get_device_name(place)}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free")
    return "; ".join(told)


CHECKS = (
    Check("label-map", "class lists, and those of your datasets", label_map),
    Check("weights-import", "a public checkpoint, written and imported", weights_import),
    Check("counters", "parameters and GMACs of ResNet-50", counters),
    Check("GPU", "a convolution against the CPU", gpu),
)
