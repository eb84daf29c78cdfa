"""Rules that turn the names of AdaFuse's policies into ours; `checkpoint_formats` uses them before BN-Inception's.

Ours: `layerL.B.policy.{fc0,bn,fc1}` in each gated block; shared layers `adafuse.shared.<inputs>_<outputs>.fcK`.
"""

from __future__ import annotations

from repro.checkpoint_formats_3d import INCEPTION_PLACES

ADAFUSE: tuple[tuple[str, str], ...] = (
    (r"^gate_fc([01])s\.(\d+_\d+)\.", r"adafuse.shared.\2.fc\1."),
    *((rf"^policy_net_{name}\.", f"{place}.policy_net.") for name, place in INCEPTION_PLACES.items()),
    (r"\.policy_net\.gate_", ".policy."),
    (r"\.downsample([01])\.", r".downsample.\1."),
)
