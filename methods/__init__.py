"""Methods that are inserted into a network. Listing them imports no torch.

A method's target is called as `insert(model, options)`; it changes the model in place and returns it.
"""

from repro.registry import methods

#: network with a method -> its form for inference, a copy
_FREEZE = "methods.psn.insert:freeze"

methods.add(
    "dnr", "methods.dnr.insert:insert", "normalization whose scale and shift small LSTM cells relay (NeurIPS 2021)"
)
methods.add(
    "adafuse", "methods.adafuse.insert:insert", "channels kept, reused from the last frame or skipped (ICLR 2021)"
)
methods.add(
    "psn",
    "methods.psn.insert:insert",
    "kernels of many shapes in space and time, fused after the stages (AAAI 2021)",
    freeze=_FREEZE,
)
methods.add("rf_s", "methods.psn.rf:rf_s", "one 1x3x3 and 3x1x1 after each stage: PSN's baseline", freeze=_FREEZE)
methods.add("rf_l", "methods.psn.rf:rf_l", "two such pairs: PSN's baseline", freeze=_FREEZE)
methods.add(
    "rf_l_inception", "methods.psn.rf:rf_l_inception", "PSN's kernels without fusion: PSN's baseline", freeze=_FREEZE
)
methods.add(
    "rf_l_inception_t",
    "methods.psn.rf:rf_l_inception_t",
    "temporal kernels of several lengths: PSN's baseline",
    freeze=_FREEZE,
)
methods.add("random_policy", "methods.adafuse.random_policy:insert", "AdaFuse's fusion by lot: AdaFuse's baseline")
methods.add("threshold", "methods.adafuse.threshold:insert", "the weakest channels skipped: AdaFuse's baseline")
methods.add("cgnet", "methods.adafuse.cgnet:insert", "convolutions completed where a gate opens (NeurIPS 2019)")
