from __future__ import annotations

import numpy as np
import pytest

from repro.core.errors import BadOption
from repro.cost.drawn_decisions import GROUP, draw

SHARES = (0.37, 0.258, 0.372)
CHANNELS = {"layer1.0": 64, "layer4.2": 2048}


@pytest.mark.parametrize("how", ["each", "groups", "lasting"])
def test_shares_are_those_asked_for(how):
    codes = draw(SHARES, CHANNELS, 8, how)
    assert {block: found.shape for block, found in codes.items()} == {"layer1.0": (8, 64), "layer4.2": (8, 2048)}
    found = [(codes["layer4.2"] == code).mean() for code in range(3)]
    assert found == pytest.approx(SHARES, abs=0.05)


def test_groups_and_lasting_skips():
    groups = draw(SHARES, CHANNELS, 8, "groups")["layer4.2"].reshape(8, -1, GROUP)
    assert (groups == groups[..., :1]).all() and len(np.unique(groups[:, :, 0], axis=0)) > 1
    skipped = draw(SHARES, CHANNELS, 8, "lasting")["layer4.2"] == 0
    assert (skipped == skipped[:1]).all() and not skipped.all()
    each = draw(SHARES, CHANNELS, 8, "each")
    assert all((each[block] == again).all() for block, again in draw(SHARES, CHANNELS, 8, "each").items())
    assert (draw((0, 0, 1), CHANNELS, 8, "lasting")["layer1.0"] == 2).all()


@pytest.mark.parametrize("shares", [(), (0.5, 0.5), (0.5, 0.5, 0.5), (-0.1, 0.6, 0.5)])
def test_impossible_shares(shares):
    with pytest.raises(BadOption, match="whose sum is 1"):
        draw(shares, CHANNELS, 8, "each")
