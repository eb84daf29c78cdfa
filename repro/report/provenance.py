"""Under what conditions a record's numbers were measured, in one line; equal lines mean comparable numbers."""

from __future__ import annotations

from repro.records.schema import Record


def conditions(record: Record) -> str:
    """For a speed: the view, form, device and threads. For an accuracy: data, backbone and views."""
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
        f"{found['precision']}, {found['form']} form, {record.processor} ({found['device']}), {threads}"
    )


def _accuracy(record: Record) -> str:
    measure, model = record.spec["measure"], record.spec["model"]
    test = measure["test"]
    views = test["clips"] * test["crops"]
    return (
        f"{measure['dataset']} ({measure['test_split']}), {model['backbone']}, {model['frames']} segments, "
        f"{views} view{'s' if views != 1 else ''} of {test['crop']} × {test['crop']} a video"
    )


def recipe(record: Record) -> str:
    """How the network of an accuracy was trained; it may differ between networks that are compared."""
    train = record.spec["measure"].get("train")
    if record.kind != "accuracy" or not train:
        return ""
    return (
        f"trained {train['epochs']:g} epochs of {train['batch']} clips a step, learning rate {train['lr']:g}, "
        f"{train['schedule']}, initial weights {record.spec['model']['pretrained']}"
    )
