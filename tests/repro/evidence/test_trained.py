"""The plateau and the mark of a training."""

import pytest

from repro.evidence.trained import last_tenths, untrained


def curve(*rates):
    return [{"epoch": number, "top1": rate} for number, rate in enumerate(rates, 1)]


def test_the_last_tenth_of_sixteen_epochs_is_two():
    assert last_tenths(curve(*range(16))) == (14.5, 12.5)


@pytest.mark.parametrize(
    ("rates", "mark", "says"),
    [
        ([10.0] * 10 + [80.0, 80.0, 80.0, 80.5], None, None),
        ([10.0] * 10 + [80.0, 80.0, 82.0, 82.0], None, "still moves, 80.0 to 82.0 %"),
        ([12.5] * 20, 60.0, "12.5 % in training, the mark is 60.0"),
        ([12.5] * 20, None, None),
        ([12.5], None, "too few epochs"),
    ],
)
def test_plateau_and_mark(rates, mark, says):
    found = untrained([curve(*rates)], mark)
    assert (says is None and found is None) or says in found


def test_the_plateau_is_of_the_mean_over_seeds():
    up, down = curve(*[50.0] * 8, 55.0, 57.0), curve(*[50.0] * 8, 57.0, 55.0)
    assert untrained([up, down]) is None
    assert untrained([up]) is not None


def test_no_training_is_not_trained():
    assert untrained([]) == "not trained: no training"
