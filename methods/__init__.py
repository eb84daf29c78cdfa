"""Methods that are inserted into a network. Listing them imports no torch.

A method's target is called as `insert(model, options)`; it changes the model in place and returns it. `options` names
the dataclass that declares its options.
"""

from repro.registry import methods

#: network with a method -> its form for inference, a copy
_FREEZE = "methods.psn.insert:freeze"

methods.add(
    "dnr",
    "methods.dnr.insert:insert",
    "normalization whose scale and shift small LSTM cells relay (NeurIPS 2021)",
    options="methods.dnr.insert:Options",
)
methods.add(
    "adafuse",
    "methods.adafuse.insert:insert",
    "channels kept, reused from the last frame or skipped (ICLR 2021)",
    options="methods.adafuse.insert:Options",
)
methods.add(
    "psn",
    "methods.psn.insert:insert",
    "kernels of many shapes in space and time, fused after the stages (AAAI 2021)",
    options="methods.psn.insert:Options",
    freeze=_FREEZE,
)
for _name, _summary in {
    "rf_s": "one 1x3x3 and 3x1x1 after each stage: PSN's baseline",
    "rf_l": "two such pairs: PSN's baseline",
    "rf_l_inception": "PSN's kernels without fusion: PSN's baseline",
    "rf_l_inception_t": "temporal kernels of several lengths: PSN's baseline",
}.items():
    methods.add(_name, f"methods.psn.rf:{_name}", _summary, options="methods.psn.rf:Options", freeze=_FREEZE)
for _name, _summary in {
    "random_policy": "AdaFuse's fusion by lot: AdaFuse's baseline",
    "threshold": "the weakest channels skipped: AdaFuse's baseline",
    "cgnet": "convolutions completed where a gate opens (NeurIPS 2019)",
}.items():
    methods.add(_name, f"methods.adafuse.{_name}:insert", _summary, options=f"methods.adafuse.{_name}:Options")
