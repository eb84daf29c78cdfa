"""Methods that are inserted into a network. Listing them imports no torch.

A method's target is called as `insert(model, options)`; it changes the model in place and returns it.
"""

from repro.registry import methods

methods.add("dnr", "methods.dnr:insert", "normalization whose scale and shift small LSTM cells relay (NeurIPS 2021)")
methods.add("adafuse", "methods.adafuse:insert", "channels kept, reused from the last frame or skipped (ICLR 2021)")
