"""The networks that the tables quote from other publications: what each is here, at which input its cost is printed.

They stand in `networks.toml`, one entry a network, whichever tables quote it; another package's tables may have such a
file beside them. `repro.papers.quoted` makes rows of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from repro.core.errors import BadOption, UnknownName
from repro.core.spec import Model, frozen, replace
from repro.papers import published
from repro.papers.text import Text, read


@dataclass(frozen=True, kw_only=True)
class Network:
    """A quoted network at the input of its printed cost."""

    model: Model
    """With 400 classes; a row has those of its dataset."""
    size: int = 224
    """Side of the crop in pixels of the printed cost."""
    sizes: tuple[int, ...] = (224, 256)
    """Further crops that the network can run at; none where its input is fixed."""
    trained_frames: int = 0
    """Frames of its training, where the printed cost is of others."""
    heavy: bool = False
    """Of more than 100 GMACs: timed twice, not three times."""
    note: str = ""
    """What a reader of the row must know of the reading."""
    not_run: str = ""
    """Why nothing of it can be run: it is no network here."""


_BASE = Model(name="tsn", backbone="resnet50")


def find(name: str) -> Network:
    """The network of this name, as a CSV's column `network` has it; an unknown one raises with the nearest."""
    known = _told()
    if name not in known:
        raise UnknownName("quoted network", name, known, fix="an entry in networks.toml")
    return _network(known[name], name)


def _told() -> dict[str, Text]:
    """Name -> the file that has it; what others' files say of a network of this suite does not count."""
    files = [folder / "networks.toml" for folder in reversed(published.folders())]
    texts = [read(file, "NETWORKS") for file in files if file.is_file()]
    return {name: text for text in texts for name in text.data}


def _network(text: Text, name: str) -> Network:
    facts = text.data[name]
    if "not_run" not in facts and "model" not in facts:
        raise text.fault(f"network {name!r}", name, allowed="a model, or not_run")
    try:
        model = _changed(_BASE, facts.get("model", {}))
        told = {**facts, "model": model, "sizes": tuple(facts.get("sizes", (224, 256)))}
        return Network(**told)
    except (BadOption, TypeError) as error:
        raise text.fault(str(error), name) from error


def _changed(model: Model, facts: Mapping[str, Any]) -> Model:
    changes = {**facts, "options": frozen(facts["options"])} if "options" in facts else facts
    return replace(model, **changes)
