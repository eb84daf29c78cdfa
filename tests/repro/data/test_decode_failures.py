"""What was answered before an interruption is read again, also after a line that was cut off."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from repro.core import paths
from repro.data.decode_failures import Journal


@dataclass
class Counted:
    frames: int


def test_answers_survive_a_cut_line_and_belong_to_their_key():
    journal = Journal("indexing", "jester", "a")
    assert journal.answers(Counted) == {}
    with pytest.raises(KeyboardInterrupt), journal.writer() as write:
        write("x/é.mp4", {"frames": 3})
        write("y", {"reason": "empty file"})
        raise KeyboardInterrupt
    (file,) = (paths.cache() / "indexing" / "jester").iterdir()
    file.write_bytes(file.read_bytes()[:-5])
    with journal.writer() as write:
        write("z", {"frames": 4})
    assert journal.answers(Counted) == {"x/é.mp4": Counted(3), "z": Counted(4)}
    assert Journal("indexing", "jester", "b").answers(Counted) == {}
    journal.finish()
    assert journal.answers(Counted) == {}
