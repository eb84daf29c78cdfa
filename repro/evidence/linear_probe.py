"""A linear classifier on frozen features, scored on groups of clips that it has not seen.

Clips of one group (a source video, a person, a scene) are never on both sides: with them there, a probe recognises the
group. Folds are the same for all features of the same clips, so that differences are of the features. Values are
standardised by the training side of each fold; the classifier is scikit-learn's logistic regression (C = 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from repro.core.errors import BadOption, DataError, NotConfigured
from repro.evidence.stats import Interval, wilson_interval


@dataclass(frozen=True)
class Probed:
    """What a probe scores over all folds together."""

    predicted: np.ndarray
    """(N,) the class that each clip was given by the fold that had not seen it."""
    labels: np.ndarray
    folds: int

    @property
    def accuracy(self) -> float:
        """In percent of all clips."""
        return 100 * float((self.predicted == self.labels).mean())

    @property
    def interval(self) -> Interval:
        """95 %, of independent clips; clips of a group are less than that, so it is the narrowest that can be."""
        return wilson_interval(int((self.predicted == self.labels).sum()), len(self.labels))


def folds_of(labels: np.ndarray, groups: Sequence[str], folds: int) -> np.ndarray:
    """(N,) the fold of each clip: groups stay whole, classes are spread; the largest groups are dealt first.

    Without groups each clip is its own. Raises `DataError` where a fold would leave a class without training clips.
    """
    named = [group or f"\0{number}" for number, group in enumerate(groups)]
    members: dict[str, list[int]] = {}
    for number, name in enumerate(named):
        members.setdefault(name, []).append(number)
    names = sorted(members, key=lambda name: (-len(members[name]), name))
    if folds < 2 or folds > len(names):
        raise BadOption(f"{folds} folds of {len(names)} groups", allowed=f"2 to {len(names)}")
    classes = int(labels.max()) + 1
    counts = np.zeros((folds, classes))
    place: dict[str, int] = {}
    for name in names:
        own = np.bincount(labels[members[name]], minlength=classes)
        sizes = [(float((counts[fold] * own).sum()) + float(counts[fold].sum()), fold) for fold in range(folds)]
        place[name] = min(sizes)[1]
        counts[place[name]] += own
    found = np.array([place[name] for name in named])
    for fold in range(folds):
        lost = sorted(set(labels.tolist()) - set(labels[found != fold].tolist()))
        if lost:
            raise DataError(
                f"class {lost[0]} stands in the groups of one fold alone, so nothing is left to learn it from",
                allowed="classes that occur in at least two groups",
            )
    return found


def probe(values: np.ndarray, labels: np.ndarray, fold: np.ndarray) -> Probed:
    """Train on all folds but one, score that one, for each."""
    try:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    except ImportError as error:
        raise NotConfigured("a linear probe takes scikit-learn", fix='pip install -e ".[probe]"') from error
    if (labels < 0).any():
        raise DataError("the clips have no classes", fix="a CSV with path,label,group, or a folder a class")
    predicted = np.empty(len(labels), np.int64)
    for number in np.unique(fold):
        held = fold == number
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
        predicted[held] = model.fit(values[~held], labels[~held]).predict(values[held])
    return Probed(predicted, labels, len(np.unique(fold)))
