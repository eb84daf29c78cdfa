"""Under what conditions a record's numbers were measured, in one line; equal lines mean comparable numbers."""

from __future__ import annotations

from repro.record import Record


def conditions(record: Record) -> str:
    """For a speed: the view, form, device and threads. For an accuracy: data, backbone, recipe and views."""
    if record.kind == "speed":
        return _speed(record)
    if record.kind == "accuracy":
        return _accuracy(record)
    return ""


def _speed(record: Record) -> str:
    found, model = record.results, record.spec["model"]
    threads = f"{found['threads']} thread" + ("s" if found["threads"] != 1 else "")
    return (
        f"one view is {model['frames']} segments of {found['size']} × {found['size']}; batch {found['batch']}, "
        f"{found['precision']}, {found['form']} form, {found['device_name']} ({found['device']}), {threads}"
    )


def _accuracy(record: Record) -> str:
    measure, model = record.spec["measure"], record.spec["model"]
    test, train = measure["test"], measure["train"]
    views = test["clips"] * test["crops"]
    recipe = (
        f"trained {train['epochs']:g} epochs, initial weights {model['pretrained']}" if train else "not trained here"
    )
    return (
        f"{measure['dataset']} ({measure['test_split']}), {model['backbone']}, {model['frames']} frames, {recipe}, "
        f"{views} view{'s' if views != 1 else ''} of {test['crop']} × {test['crop']} a video, {measure['decoder']}"
    )
