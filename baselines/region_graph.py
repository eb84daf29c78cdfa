"""Videos as space-time region graphs (Wang and Gupta, ECCV 2018, arXiv 1806.01810): I3D with non-local blocks and
graph convolutions over regions. Quoted as "GCN + Non-local" in PSN's Table 4 and AdaFuse's Table 5.

No public code of the authors; a reading of the paper. Tensors: N clips, T' = T / 2 places in time of the last map,
B regions in each, M = T' B nodes; maps (N, C, T', H, W), nodes (N, M, 512).

  body       I3D on ResNet-50 with five non-local blocks, last stage unstrided: (N, 2048, T', H / 16, W / 16)
  regions    a 1x1x1 convolution to 512 channels, RoIAlign to 7x7 on each region, its maximum
  similarity A = softmax(phi(x) psi(x)^T), phi and psi linear
  space-time A = overlap (intersection over union) of regions with those of the next place in time, each row's sum one;
             the same backwards
  graph      three layers X <- X + relu(norm(A X W)), of the similarity graph, and of both space-time graphs added; sum
  head       mean over nodes, beside the mean of the reduced map: 1024 features

Known differences
1. The paper's regions are those of a region proposal network, ResNet-50 with a feature pyramid, trained on COCO. Here
   they are a fixed grid (7x7 windows and the whole frame, 50 as there) until `use_regions` gives others; `detected`
   takes those of a detector of torchvision's.
2. Where the normalization stands, the residual sums, and that each space-time graph has its own weights, is ours.
3. What is printed, 62.2 M and 303 G for 32 frames of 224x224, part by part (174 classes, GMACs of one view):
                                              parameters, M    GMACs
     body, without classifier                     34.58        220.9
     regions, both graphs, classifier              4.12          8.9
     proposals on 16 frames: ResNet-50, pyramid   26.85        110.9     torchvision's
     their RPN head                                0.59         39.7
     all                                          66.14        380.3
   So 62.2 M is near body and pyramid alone (61.4), and 303 G between those (331.8) and less: which parts, and which
   products of the attention, the authors count cannot be told.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torchvision import ops as _ops  # noqa: F401  # registers torch.ops.torchvision

from baselines.i3d import I3D
from baselines.nonlocal_block import NonLocalForm
from baselines.options import require_choice
from baselines.volume import read_options

WIDTH, LAYERS, GRID, ROI = 512, 3, 7, 7
_TINY = 1e-6
GRAPHS = ("similarity", "front", "back")


class RegionGraph(I3D):
    """`(N, T, 3, H, W) -> (N, K)`."""

    def __init__(self, backbone: str, **sizes: Any) -> None:
        super().__init__(backbone, stem_strides=(1, 1), last_stride=1, non_local=NonLocalForm("softmax"), **sizes)
        self.reduce = nn.Conv3d(self.num_features, WIDTH, 1)
        self.phi, self.psi = nn.Linear(WIDTH, WIDTH, bias=False), nn.Linear(WIDTH, WIDTH, bias=False)
        self.graphs = nn.ModuleDict(
            {name: nn.ModuleList(nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(LAYERS)) for name in GRAPHS}
        )
        self.norms = nn.ModuleDict(
            {name: nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(LAYERS)) for name in ("similarity", "time")}
        )
        self.fc = nn.Linear(2 * WIDTH, self.num_classes)
        self.num_features = 2 * WIDTH
        nn.init.normal_(self.fc.weight, 0.0, 0.01)
        nn.init.zeros_(self.fc.bias)
        self.regions: Tensor | None = None
        """(N, T', B, 4) corners x1, y1, x2, y2 as shares of the frame, in place of the grid."""

    def use_regions(self, regions: Tensor | None) -> None:
        """Regions of the next clips, (N, T', B, 4) in shares of the frame; None: the grid."""
        if regions is not None and (regions.dim() != 4 or regions.shape[-1] != 4):
            raise ValueError(f"regions of shape {tuple(regions.shape)} are not possible; allowed: (N, T / 2, B, 4)")
        self.regions = regions

    def features(self, x: Tensor) -> Tensor:
        """(N, 3, T, H, W) -> (N, 1024)."""
        maps = self.reduce(self.maps(x))
        count, places = maps.shape[0], maps.shape[2]
        boxes = grid(x).expand(count, places, -1, -1) if self.regions is None else self.regions.to(maps)
        if boxes.shape[:2] != (count, places):
            raise ValueError(f"regions of {tuple(boxes.shape[:2])} clips and places; allowed: ({count}, {places})")
        return torch.cat([self.reason(self.nodes(maps, boxes), boxes).mean(1), maps.mean((2, 3, 4))], 1)

    def nodes(self, maps: Tensor, boxes: Tensor) -> Tensor:
        """(N, 512, T', h, w) and regions (N, T', B, 4) -> (N, T' B, 512)."""
        frames = maps.transpose(1, 2).flatten(0, 1)
        height, width = frames.shape[-2:]
        left, top, right, bottom = boxes.flatten(0, 1).unbind(-1)
        corners = torch.stack([left * width, top * height, right * width, bottom * height], -1)
        number = torch.arange(corners.shape[0], device=boxes.device, dtype=boxes.dtype)[:, None, None]
        listed = torch.cat([number.expand(-1, corners.shape[1], -1), corners], -1).flatten(0, 1)
        # the operator itself: on a GPU torchvision's function compiles another one where algorithms are deterministic
        seen = torch.ops.torchvision.roi_align(frames, listed, 1.0, ROI, ROI, -1, True).amax((2, 3))
        return seen.unflatten(0, (maps.shape[0], -1))

    def reason(self, x: Tensor, boxes: Tensor) -> Tensor:
        """Nodes (N, M, 512) after both branches."""
        similar = torch.matmul(self.phi(x), self.psi(x).transpose(1, 2)).softmax(-1)
        front, back = neighbours(boxes)
        one, two = x, x
        for layer in range(LAYERS):
            one = one + self._step(("similarity",), (similar,), one, layer, "similarity")
            two = two + self._step(("front", "back"), (front, back), two, layer, "time")
        return one + two

    def _step(self, names: tuple[str, ...], graphs: tuple[Tensor, ...], x: Tensor, layer: int, norm: str) -> Tensor:
        parts = [torch.matmul(a, self.graphs[name][layer](x)) for name, a in zip(names, graphs, strict=True)]  # type: ignore[index]
        return self.norms[norm][layer](sum(parts[1:], start=parts[0])).relu()  # type: ignore[index]


def grid(like: Tensor) -> Tensor:
    """The windows of a 7x7 grid, each twice as wide as its step where that fits, and the whole frame: (1, 1, 50, 4)."""
    edges = torch.arange(GRID, dtype=like.dtype, device=like.device) / GRID
    low, high = (edges - 0.5 / GRID).clamp(min=0), (edges + 1.5 / GRID).clamp(max=1)
    top, left = torch.meshgrid(low, low, indexing="ij")
    bottom, right = torch.meshgrid(high, high, indexing="ij")
    windows = torch.stack([left, top, right, bottom], -1).flatten(0, 1)
    whole = torch.cat([windows.new_zeros(1, 2), windows.new_ones(1, 2)], -1)
    return torch.cat([windows, whole])[None, None]


def neighbours(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Overlap of each region with those of the next place in time, and of the one before, rows adding up to 1 (or 0 at
    the ends, or where nothing overlaps): two of (N, M, M) for regions (N, T', B, 4).
    """
    count, places, each = boxes.shape[:3]
    overlap = _overlap(boxes[:, :-1], boxes[:, 1:])  # (N, T' - 1, B, B)
    front = boxes.new_zeros(count, places, each, places, each)
    at = torch.arange(places - 1, device=boxes.device)
    front[:, at, :, at + 1] = overlap.transpose(0, 1)
    front = front.reshape(count, places * each, places * each)
    back = front.transpose(1, 2)
    return front / front.sum(-1, keepdim=True).clamp(min=_TINY), back / back.sum(-1, keepdim=True).clamp(min=_TINY)


def _overlap(one: Tensor, two: Tensor) -> Tensor:
    """Intersection over union of boxes (..., B, 4) with boxes (..., C, 4): (..., B, C)."""
    low = torch.maximum(one[..., :, None, :2], two[..., None, :, :2])
    high = torch.minimum(one[..., :, None, 2:], two[..., None, :, 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    areas = [(boxes[..., 2:] - boxes[..., :2]).prod(-1) for boxes in (one, two)]
    return shared / (areas[0][..., :, None] + areas[1][..., None, :] - shared).clamp(min=_TINY)


@torch.no_grad()
def detected(detector: nn.Module, frames: Tensor, count: int = GRID * GRID + 1) -> Tensor:
    """The `count` surest boxes of a detector of torchvision's on frames (N, T', 3, H, W) in 0..1, for `use_regions`;
    where it finds fewer, windows of the grid stand in.
    """
    height, width = frames.shape[-2:]
    spare = grid(frames)[0, 0]
    found = []
    for told in detector.eval()(list(frames.flatten(0, 1))):
        boxes = told["boxes"][:count] / frames.new_tensor([width, height, width, height])
        found.append(torch.cat([boxes, spare[: count - len(boxes)]]))
    return torch.stack(found).unflatten(0, frames.shape[:2])


def region_graph(backbone: str, *, num_classes: int, frames: int, dropout: float = 0.5, **options: Any) -> RegionGraph:
    """GCN + Non-local; it has no options."""
    require_choice("model 'region_graph'", "backbone", backbone, ("resnet50", "tiny_resnet"))
    read_options("region_graph", options, {})
    return RegionGraph(backbone, num_classes=num_classes, frames=frames, dropout=dropout)
