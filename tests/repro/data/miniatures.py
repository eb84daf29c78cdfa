"""Miniature copies of the seven datasets in their official formats: real encoders, official file names, few videos.

`build(name, folder)` makes one; `add_arguments(mini)` are those of `data add`. Every frame is a green disk on a brown
ground, whose place tells the label, so that colour order, order of frames and labels can be told from the pixels.
"""

from __future__ import annotations

import csv
import json
import zlib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from repro.data.label_maps import official

NAMES = ("kinetics400", "kinetics200", "minikinetics", "sthv1", "sthv2", "jester", "diving48")
CLASSES, TRAIN, VAL, FRAMES, SIZE = 4, 8, 4, 12, (48, 64)


@dataclass(frozen=True)
class Miniature:
    """A copy on disk: where its videos are, its annotation files, and the id and class name of each video."""

    name: str
    root: Path
    annotations: tuple[Path, ...]
    labels: Path | None
    videos: dict[str, list[tuple[str, str]]]

    def path(self, video: str) -> Path:
        """The file or folder of a video, by its id."""
        return next(path for path in sorted(self.root.rglob("*")) if path.stem == video or path.name == video)


def add_arguments(mini: Miniature) -> list[str]:
    """The command line of `data add` for a miniature."""
    arguments = ["data", "add", mini.name, "--root", str(mini.root), "--annotations", *map(str, mini.annotations)]
    return arguments + (["--labels", str(mini.labels)] if mini.labels else []) + ["--jobs", "2"]


def build(name: str, folder: Path) -> Miniature:
    """Write the miniature copy of a dataset below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    return BUILDERS[name](name, folder)


def picture(label: int, number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A frame RGB: a green disk on a brown ground, at a height that tells its class, moving with time."""
    height, width = size
    y, x = np.mgrid[0:height, 0:width]
    frame = np.empty((height, width, 3), np.uint8)
    frame[:] = (110 + 4 * label, 80, 50)
    centre = (height * (1 + label % CLASSES) // (CLASSES + 1), (5 + 4 * number) % width)
    frame[(y - centre[0]) ** 2 + (x - centre[1]) ** 2 < (height // 4) ** 2] = (90, 160, 70)
    return frame


def _marked(frame: np.ndarray, video: str, bgr: bool) -> np.ndarray:
    """With grey blocks below, which tell videos of one class apart."""
    told = zlib.crc32(video.encode())
    frame[-4:] = np.repeat([(told >> 2 * place & 3) * 80 for place in range(8)], frame.shape[1] // 8)[:, None]
    return frame[..., ::-1] if bgr else frame


def write_video(path: Path, label: int, *, codec: str = "libx264", frames: int = FRAMES, bgr: bool = False) -> Path:
    """An encoded video; the container follows the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"movflags": "faststart"} if path.suffix == ".mp4" else {}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=Fraction(12))
        stream.height, stream.width = SIZE
        stream.pix_fmt = "yuv420p"
        if codec.startswith("libvpx"):
            stream.options = {"deadline": "realtime", "cpu-used": "8"}
        for number in range(frames):
            image = _marked(picture(label, number), path.stem, bgr)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")))
        container.mux(stream.encode(None))
    return path


def write_frames(
    folder: Path, label: int, *, template: str = "{:05d}.jpg", first: int = 1, frames: int = FRAMES, bgr: bool = False
) -> Path:
    """A folder of JPEG pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(frames):
        image = _marked(picture(label, number), folder.name, bgr)
        Image.fromarray(np.ascontiguousarray(image)).save(folder / template.format(first + number), quality=92)
    return folder


def names_of(name: str) -> list[str]:
    """Some class names of a dataset, spread over its labels."""
    listed = official(name) or official("minikinetics") or ()
    return [listed[place * (len(listed) - 1) // (CLASSES - 1)] for place in range(CLASSES)]


def _videos(classes: list[str], make_id) -> dict[str, list[tuple[str, str]]]:
    numbers = {"train": range(TRAIN), "val": range(TRAIN, TRAIN + VAL)}
    return {
        split: [(make_id(number), classes[number % CLASSES]) for number in chosen] for split, chosen in numbers.items()
    }


def _kinetics(name: str, folder: Path) -> Miniature:
    """label,youtube_id,time_start,time_end,split; files ID_SSSSSS_EEEEEE.mp4 in class folders of each split."""
    classes = names_of(name)
    videos = _videos(classes, lambda number: f"abc-_{number:06d}_{number:06d}_{number + 10:06d}")
    files = []
    for split, chosen in videos.items():
        files.append(folder / f"kinetics_{split}.csv")
        with files[-1].open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["label", "youtube_id", "time_start", "time_end", "split", "is_cc"])
            for video, label in chosen:
                rows.writerow([label, video[:-14], int(video[-13:-7]), int(video[-6:]), split, 0])
                write_video(folder / "videos" / split / label / f"{video}.mp4", classes.index(label))
    labels = _part(folder, files, videos) if official(name) is None else None
    return Miniature(name, folder / "videos", tuple(files), labels, videos)


def _part(folder: Path, files: list[Path], videos: dict[str, list[tuple[str, str]]]) -> Path:
    """Mini-Kinetics-200: lists of ids beside the files of the whole, which list videos of other classes too."""
    for split, file in zip(videos, tuple(files), strict=True):
        with file.open("a") as whole:
            whole.write(f"ironing,other-{split[:3]}--,7,17,{split},0\nabseiling,a-{split[:3]}------,7,17,{split},0\n")
        files.append(folder / f"{split}_ytid_list.txt")
        files[-1].write_text("".join(f"{video[:-14]}\n" for video, _ in videos[split]))
    labels = folder / "classes.txt"
    labels.write_text("\n".join(official("minikinetics") or ()) + "\n")
    return labels


def _minikinetics(name: str, folder: Path) -> Miniature:
    """AdaFuse's `path frames label`, with spaces in the paths, and 00001.jpg in the folders."""
    classes, listed = names_of(name), official(name) or ()
    videos = _videos(classes, lambda number: f"vid-_{number:06d}_{number:06d}_{number + 10:06d}")
    files = []
    for split, chosen in videos.items():
        lines = [f"images/{split}/{label}/{video} {FRAMES} {listed.index(label)}" for video, label in chosen]
        for video, label in chosen:
            write_frames(folder / "images" / split / label / video, classes.index(label))
        files.append(folder / f"mini_{split}_videofolder.txt")
        files[-1].write_text("\n".join(lines) + "\n")
    return Miniature(name, folder, tuple(files), None, videos)


def _twentybn_frames(name: str, folder: Path) -> Miniature:
    """id;template with a labels file; folders of 00001.jpg."""
    prefix = {"sthv1": "something-something-v1", "jester": "jester-v1"}[name]
    classes = names_of(name)
    videos = _videos(classes, lambda number: str(1000 + 37 * number))
    files = [folder / f"{prefix}-labels.csv"]
    files[0].write_text("\n".join(official(name) or ()) + "\n")
    for split, word in (("train", "train"), ("val", "validation")):
        files.append(folder / f"{prefix}-{word}.csv")
        files[-1].write_text("".join(f"{video};{label}\n" for video, label in videos[split]))
        for video, label in videos[split]:
            write_frames(folder / f"20bn-{prefix}" / video, classes.index(label))
    return Miniature(name, folder / f"20bn-{prefix}", tuple(files), None, videos)


def _sthv2(name: str, folder: Path) -> Miniature:
    """JSON with bracketed templates, labels as strings of numbers; webm."""
    classes, listed = names_of(name), official(name) or ()
    videos = _videos(classes, lambda number: str(2000 + 11 * number))
    files = [folder / "something-something-v2-labels.json"]
    files[0].write_text(json.dumps({label: str(number) for number, label in enumerate(listed)}))
    for split, word in (("train", "train"), ("val", "validation")):
        items = [
            {"id": video, "label": "a thing", "template": label.replace("something", "[something]"), "placeholders": []}
            for video, label in videos[split]
        ]
        files.append(folder / f"something-something-v2-{word}.json")
        files[-1].write_text(json.dumps(items))
        for video, label in videos[split]:
            write_video(
                folder / "20bn-something-something-v2" / f"{video}.webm", classes.index(label), codec="libvpx-vp9"
            )
    return Miniature(name, folder / "20bn-something-something-v2", tuple(files), None, videos)


def _diving48(name: str, folder: Path) -> Miniature:
    """JSON with vid_name and label, a vocabulary of lists; the tested split is called test."""
    classes, listed = names_of(name), official(name) or ()
    videos = _videos(classes, lambda number: f"_8Vy3dlHg2w_{number:05d}")
    files = [folder / "Diving48_vocab.json"]
    files[0].write_text(json.dumps([label.split() for label in listed]))
    for split, word in (("train", "train"), ("val", "test")):
        items = [
            {"vid_name": video, "label": listed.index(label), "start_frame": 0, "end_frame": FRAMES}
            for video, label in videos[split]
        ]
        files.append(folder / f"Diving48_V2_{word}.json")
        files[-1].write_text(json.dumps(items))
        for video, label in videos[split]:
            write_video(folder / "rgb" / f"{video}.mp4", classes.index(label))
    return Miniature(name, folder / "rgb", tuple(files), None, videos)


def _ucf101(name: str, folder: Path) -> Miniature:
    """trainlist01.txt with numbers from 1, testlist01.txt without; files in class folders."""
    classes, listed = names_of(name), official(name) or ()
    numbers = {"train": range(TRAIN), "val": range(TRAIN, TRAIN + VAL)}
    videos: dict[str, list[tuple[str, str]]] = {split: [] for split in numbers}
    files = []
    for split, chosen in numbers.items():
        lines = []
        for number in chosen:
            label = classes[number % CLASSES]
            video = f"v_{label}_g{number:02d}_c01"
            write_video(folder / "videos" / label / f"{video}.avi", classes.index(label), codec="mpeg4")
            lines.append(f"{label}/{video}.avi" + (f" {listed.index(label) + 1}" if split == "train" else ""))
            videos[split].append((video, label))
        files.append(folder / f"{'train' if split == 'train' else 'test'}list01.txt")
        files[-1].write_text("\n".join(lines) + "\n")
    return Miniature(name, folder / "videos", tuple(files), None, videos)


def _hmdb51(name: str, folder: Path) -> Miniature:
    """A file of each class, `name.avi 1` for train, 2 for test, 0 for neither."""
    classes = names_of(name)
    lines: dict[str, list[str]] = {label: ["left_out.avi 0"] for label in classes}
    videos: dict[str, list[tuple[str, str]]] = {"train": [], "val": []}
    for number in range(TRAIN + VAL):
        label, split = classes[number % CLASSES], "train" if number < TRAIN else "val"
        video = f"clip_{number}_{label}_u_nm_np1_fr_med_0"
        write_video(folder / "videos" / label / f"{video}.avi", classes.index(label), codec="mpeg4")
        lines[label].append(f"{video}.avi {1 if split == 'train' else 2}")
        videos[split].append((video, label))
    files = [folder / f"{label}_test_split1.txt" for label in classes]
    for file, label in zip(files, classes, strict=True):
        file.write_text(" \n".join(lines[label]) + " \n")
    return Miniature(name, folder / "videos", tuple(files), None, videos)


BUILDERS = {
    "ucf101": _ucf101,
    "hmdb51": _hmdb51,
    "kinetics400": _kinetics,
    "kinetics200": _kinetics,
    "minikinetics": _minikinetics,
    "sthv1": _twentybn_frames,
    "jester": _twentybn_frames,
    "sthv2": _sthv2,
    "diving48": _diving48,
}
