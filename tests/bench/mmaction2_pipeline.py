"""What public code does to make the views of one video, rebuilt as the yardstick of `loading_speed`.

After mmaction2's test pipeline (SampleFrames, DecordInit, DecordDecode, Resize, CenterCrop or ThreeCrop, FormatShape)
at `open-mmlab/mmaction2@4d6c934`: frames are asked of decord in the order in which they were drawn, repeats included;
each is resized by itself, repeats included; crops are stacked, then turned to channels first. decord runs in one
thread, as everything here. Resizing is OpenCV's, as there, where it is installed; else PyTorch's, which is as fast to
within a factor of three and rounds like it to one grey level.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from repro.core.spec import Views
from repro.data import sampling
from repro.data.decode_decord import load
from repro.data.resize import short_side_size
from repro.data.views import test_boxes

Resize = Callable[[np.ndarray, int, int], np.ndarray]


def test_views(path: str | Path, views: Views) -> np.ndarray:
    """All views uint8 (clips * crops, T, 3, crop, crop); view = clip * crops + crop. Not contiguous, as there."""
    decord = load()
    reader = decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=1)
    drawn = sampling.indices(views.sampling, len(reader))
    frames = list(reader.get_batch(drawn.reshape(-1).tolist()).asnumpy())
    del reader
    resize, _ = resizer()
    height, width = short_side_size(frames[0].shape[0], frames[0].shape[1], views.resize)
    frames = [resize(frame, height, width) for frame in frames]
    cut = []
    for (top, left, tall, wide), _ in test_boxes(height, width, views.crop, views.crops):
        cut += [frame[top : top + tall, left : left + wide] for frame in frames]
    stacked = np.stack(cut).reshape(views.crops, *drawn.shape, views.crop, views.crop, 3)
    return stacked.transpose(1, 0, 2, 5, 3, 4).reshape(-1, drawn.shape[1], 3, views.crop, views.crop)


test_views.__test__ = False  # type: ignore[attr-defined]


@cache
def resizer() -> tuple[Resize, str]:
    """One frame uint8 (H, W, 3) to a size, bilinear without smoothing, in one thread; and what does it."""
    try:
        import cv2
    except ImportError:
        import torch

        return resized_by_torch, f"torch {torch.__version__}"
    cv2.setNumThreads(1)
    return _by_opencv, f"opencv {cv2.__version__}"


def _by_opencv(frame: np.ndarray, height: int, width: int) -> np.ndarray:
    import cv2

    if frame.shape[:2] == (height, width):
        return frame
    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_LINEAR)


def resized_by_torch(frame: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear without antialiasing, (H, W, 3), where no OpenCV is installed."""
    import torch

    if frame.shape[:2] == (height, width):
        return frame
    x = torch.from_numpy(frame).permute(2, 0, 1)[None]
    made = torch.nn.functional.interpolate(x, size=(height, width), mode="bilinear", align_corners=False)
    return made[0].permute(1, 2, 0).numpy()
