"""The cells of DNR that turn a pooled input and what came before into scale and shift, and what they hand on.

Tensors: N clips, C channels; pooled (N, C) or (N, G, C) for G groups of frames. A state is a tuple of (N, C) whose last
two are scale and shift; None stands for zeros. DNR equations 3 to 7, section 3.3 and 4.2, Table 1c and 1d.
  lstm  gates i, f, g, o = x(pooled) + h(scale before), x and h each Linear(C, C/r), ReLU, Linear(C/r, 4C);
        shift = sigmoid(f) shift before + sigmoid(i) tanh(g), scale = sigmoid(o) sigmoid(shift).
        5/2 C^2 + 17/2 C parameters at r = 4, and C^2 + 5/2 C for each further bottleneck unit of x and h.
  se    a, b = Linear(C/r, 2C) ReLU Linear(3C, C/r) of [pooled, scale before, shift before]; scale = sigmoid(a),
        shift = b. 5/4 C^2 + 9/4 C at r = 4.
  fc    the same with a single Linear(3C, 2C): 6 C^2 + 2 C.
  none  the LSTM where nothing was before: i, g, o = x(pooled), no h, no f. C^2 + 13/4 C at r = 4.

What the paper leaves open
1. Depth: "the number of bottleneck units d" (4.2), a unit being equation 7, W2 relu(W1 x). With `units` d, x and h are
   each d units one behind the other, of which the last has the width of the gates. The authors' class has a number of
   layers instead, each of which would read the same input.
2. `fc` and `se` are "shared attentive relay aggregating current features and previously estimated channel statistics"
   (4.2), no more. Both parts of the statistics enter, and the scale is a sigmoid, as a unit of attention has.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, relu

OWNER = "method 'dnr'"
RELAYS = ("lstm", "se", "fc", "none")
State = tuple[Tensor, ...]


def make_cell(relay: str, channels: int, reduction: int, units: int) -> RelayCell:
    """The cell of kind `relay` for layers of `channels` channels."""
    if relay == "lstm":
        return LstmCell(channels, reduction, units)
    if relay == "se":
        return ExciteCell(channels, reduction)
    return LinearCell(channels) if relay == "fc" else AloneCell(channels, reduction)


class RelayCell(nn.Module):
    """What all kinds have: an input's share, computed for all groups at once, and steps from state to state."""

    @property
    def dtype(self) -> torch.dtype:
        """Type of the cell's weights."""
        return next(self.parameters()).dtype

    def project(self, pooled: Tensor) -> Tensor:
        """The share of the input, for any leading shape: (..., C) -> (..., D)."""
        raise NotImplementedError

    def step(self, projected: Tensor, state: State | None) -> State:
        """One step, (N, D) and the state before -> the next state."""
        raise NotImplementedError


class LstmCell(RelayCell):
    """The paper's cell."""

    def __init__(self, channels: int, reduction: int, units: int) -> None:
        super().__init__()
        self.x = _bottleneck(channels, channels // reduction, 4 * channels, units)
        self.h = _bottleneck(channels, channels // reduction, 4 * channels, units)

    def project(self, pooled: Tensor) -> Tensor:
        """The input's share of the four gates."""
        return self.x(pooled)

    def step(self, projected: Tensor, state: State | None) -> State:
        """Equations 3 to 5."""
        if state is None:
            i, _, g, o = (projected + self.from_zero(projected)).chunk(4, dim=-1)
            return _scaled(i.sigmoid() * g.tanh(), o)
        i, f, g, o = (projected + self.h(state[0])).chunk(4, dim=-1)
        return _scaled(f.sigmoid() * state[1] + i.sigmoid() * g.tanh(), o)

    def from_zero(self, like: Tensor) -> Tensor:
        """h(0), one row. In training through the first layer as well, so that all parameters have a gradient."""
        if self.training:
            return self.h(like.new_zeros(1, like.shape[-1] // 4))
        first, _, *others = self.h
        row = first.bias.relu()[None]  # type: ignore[operator, union-attr]
        for layer in others:
            row = layer(row)
        return row


class AloneCell(RelayCell):
    """Dynamic normalization without relay: every step is a first one."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.x = _bottleneck(channels, channels // reduction, 3 * channels)

    def project(self, pooled: Tensor) -> Tensor:
        """Gates i, g and o."""
        return self.x(pooled)

    def step(self, projected: Tensor, state: State | None) -> State:
        """Equations 4 and 5 from zeros."""
        i, g, o = projected.chunk(3, dim=-1)
        return _scaled(i.sigmoid() * g.tanh(), o)


class LinearCell(RelayCell):
    """One fully connected layer over input, scale and shift."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.fc = nn.Linear(3 * channels, 2 * channels)

    def project(self, pooled: Tensor) -> Tensor:
        """The input's share, with the bias."""
        return linear(pooled, self.fc.weight[:, : self.channels], self.fc.bias)

    def step(self, projected: Tensor, state: State | None) -> State:
        """Sigmoid of the first half, the second half as it is."""
        if state is not None:
            projected = projected + linear(torch.cat(state, -1), self.fc.weight[:, self.channels :])
        return _attended(projected)


class ExciteCell(RelayCell):
    """A squeeze-and-excitation bottleneck over input, scale and shift."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        self.channels = channels
        self.squeeze = nn.Linear(3 * channels, channels // reduction)
        self.excite = nn.Linear(channels // reduction, 2 * channels)

    def project(self, pooled: Tensor) -> Tensor:
        """The input's share of the squeezed values, with the bias."""
        return linear(pooled, self.squeeze.weight[:, : self.channels], self.squeeze.bias)

    def step(self, projected: Tensor, state: State | None) -> State:
        """ReLU, expansion, sigmoid of the first half."""
        if state is not None:
            projected = projected + linear(torch.cat(state, -1), self.squeeze.weight[:, self.channels :])
        return _attended(self.excite(relu(projected)))


class Relay:
    """CL's state on its way from one block to the next, and the cell that those blocks share.

    Not a module, so that the cell has one name, in its stage. The first block ignores what is stored and the last one
    clears it: no state outlives a forward.
    """

    def __init__(self, cell: RelayCell) -> None:
        self.cell = cell
        self.state: State | None = None

    def step(self, pooled: Tensor, *, first: bool, last: bool) -> State:
        """One step for one block."""
        state = self.cell.step(self.cell.project(pooled), None if first else self.state)
        self.state = None if last else state
        return state


def _bottleneck(channels: int, width: int, out: int, units: int = 1) -> nn.Sequential:
    layers: list[nn.Module] = []
    for end in (*[channels] * (units - 1), out):
        layers += [nn.Linear(channels, width), nn.ReLU(inplace=True), nn.Linear(width, end)]
    return nn.Sequential(*layers)


def _scaled(cell: Tensor, output_gate: Tensor) -> State:
    return output_gate.sigmoid() * cell.sigmoid(), cell


def _attended(values: Tensor) -> State:
    scale, shift = values.chunk(2, dim=-1)
    return scale.sigmoid(), shift
