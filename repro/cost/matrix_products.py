"""Which operators multiply matrices, and what those cost that torch has no formula for.

torch.utils.flop_counter knows `mm`, `bmm`, `addmm`, `baddbmm`, convolutions and the attention kernels of GPUs. The
formulas here add what else a network can multiply with; kernels that fuse whole layers on a CPU (oneDNN's recurrent
layers, flash attention, the encoder layer) are switched off while one counts, so that a network costs the same wherever
it is counted. Any other operator that multiplies matrices, and any of a third party, has to tell its formula:
`torch.utils.flop_counter.register_flop_formula`.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import flop_registry, register_flop_formula

from repro.core.errors import BadOption


class Uncountable(BadOption):
    """A network whose multiply-accumulates cannot be told."""


#: parts of names, between underscores, that products of matrices have
_PRODUCT = re.compile(
    r"(^|_)(mm|bmm|addmm|baddbmm|addbmm|spmm|smm|sspaddmm|hspmm|mv|addmv|dot|vdot|vecdot|inner|addr|ger|matmul|einsum|"
    r"tensordot|linear|conv(olution)?(\dd?)?|deform|attention|lstm|gru|rnn|(bi|tri)linear|linalg|solve|cholesky|lu|qr|"
    r"svd|eigh?|inverse|pinverse|det|logdet|slogdet|matrix|cdist|dist|encoder|mha|mlp)(_|$)"
)
#: of these names, those that multiply no matrices
_NONE = re.compile(
    r"upsample|interp|linalg_(check_errors|vector_norm|matrix_norm|cross|diagonal|norm)|^pairwise_distance|^_?weight_norm"
    r"|^(dist|matrix_H|linalg_vecdot|slice_inverse|linalg_vander|_use_cudnn_rnn_flatten_weight)$|_backward$|^lu_unpack"
)
#: operators of packages that are known to multiply none
_HARMLESS = frozenset(
    f"torchvision::{name}" for name in ("nms", "roi_align", "roi_pool", "ps_roi_align", "ps_roi_pool", "interpolate")
)
_OF_TORCH = ("aten", "prim", "prims", "profiler")


def hides_products(name: str) -> bool:
    """Whether an operator (`aten::mv`) without a formula multiplies matrices, or may, being of a third party."""
    package, _, short = name.partition("::")
    if package not in _OF_TORCH:
        return name not in _HARMLESS
    short = short.partition(".")[0]
    return package == "aten" and bool(_PRODUCT.search(short)) and not _NONE.search(short)


def require_counted(names: Any, counter: str) -> None:
    """Raise `Uncountable` where one of the operators that a counter left out multiplies matrices."""
    hidden = sorted(name for name in names if hides_products(name))
    if hidden:
        ours = all(name.partition("::")[0] in _OF_TORCH for name in hidden)
        raise Uncountable(
            f"{', '.join(hidden)} {'multiplies matrices' if ours else 'may multiply matrices'}, and {counter} has no "
            "number for it",
            fix="another form of the layer" if ours else "torch.utils.flop_counter.register_flop_formula in its file",
        )


@contextlib.contextmanager
def plain_kernels() -> Iterator[None]:
    """Inside, layers call the operators that they are made of, not kernels that fuse them."""
    fast, one_dnn = torch.backends.mha.get_fastpath_enabled(), torch._C._get_mkldnn_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    torch._C._set_mkldnn_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch._C._set_mkldnn_enabled(one_dnn)
        torch.backends.mha.set_fastpath_enabled(fast)


def attention_macs(query: Any, key: Any, value: Any) -> int:
    """Of `softmax(q k^T) v`: (..., L, E), (..., S, E), (..., S, V)."""
    *batch, length, width = query
    return math.prod(batch) * length * int(key[-2]) * (width + int(value[-1]))


def _matrix_vector(matrix: Any, vector: Any, *_: Any, **__: Any) -> int:
    return 2 * math.prod(matrix)


def _added_matrix_vector(added: Any, matrix: Any, vector: Any, *_: Any, **__: Any) -> int:
    return 2 * math.prod(matrix)


def _dot(one: Any, other: Any, *_: Any, **__: Any) -> int:
    return 2 * math.prod(one)


def _outer(added: Any, one: Any, other: Any, *_: Any, **__: Any) -> int:
    return 2 * math.prod(one) * math.prod(other)


def _batches_added(added: Any, one: Any, other: Any, *_: Any, **__: Any) -> int:
    return 2 * math.prod(one) * int(other[-1])


def _matrices(one: Any, other: Any, *_: Any, **__: Any) -> int:
    return 2 * math.prod(one) * int(other[-1])


def _distances(one: Any, other: Any, *_: Any, **__: Any) -> int:
    return 2 * math.prod(one) * int(other[-2])


def _conv_tbc(x: Any, weight: Any, bias: Any, pad: int = 0, *_: Any, **__: Any) -> int:
    return 2 * (x[0] + 2 * pad - weight[0] + 1) * x[1] * math.prod(weight)


def _trilinear(one: Any, two: Any, three: Any, expand1: Any, expand2: Any, expand3: Any, *_: Any, **__: Any) -> int:
    """Every product of an element of the first with one of the second and one of the third."""
    sizes = []
    for shape, expanded in ((one, expand1), (two, expand2), (three, expand3)):
        full = list(shape)
        for axis in sorted(expanded):
            full.insert(axis, 1)
        sizes.append(full)
    return 2 * math.prod(max(axis) for axis in zip(*sizes, strict=True))


def _flash(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return 2 * attention_macs(query, key, value)


def _deformable(x: Any, weight: Any, offset: Any, *_: Any, **__: Any) -> int:
    """A kernel at each place that has offsets: (N, 2 G kh kw, H, W)."""
    return 2 * x[0] * math.prod(offset[-2:]) * math.prod(weight)


_FORMULAS: dict[str, Callable[..., int]] = {
    "mv": _matrix_vector,
    "addmv": _added_matrix_vector,
    "addmv_": _added_matrix_vector,
    "dot": _dot,
    "vdot": _dot,
    "addr": _outer,
    "addr_": _outer,
    "addbmm": _batches_added,
    "addbmm_": _batches_added,
    "addmm_": _batches_added,
    "baddbmm_": _batches_added,
    "_int_mm": _matrices,
    "_euclidean_dist": _distances,
    "_cdist_forward": _distances,
    "conv_tbc": _conv_tbc,
    "_trilinear": _trilinear,
    "_scaled_dot_product_flash_attention_for_cpu": _flash,
}


def _register() -> None:
    """Tell torch's counter, once; a later torch may know some of them itself."""
    named = [(getattr(torch.ops.aten, name, None), formula) for name, formula in _FORMULAS.items()]
    with contextlib.suppress(ImportError, OSError, RuntimeError):
        import torchvision  # noqa: F401

        named.append((torch.ops.torchvision.deform_conv2d, _deformable))
    for packet, formula in named:
        if packet is not None and packet not in flop_registry:
            register_flop_formula(packet)(formula)


_register()
