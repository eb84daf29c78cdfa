import pytest

from repro.core import roofline
from repro.core.roofline import CPU_MARGIN, PEAKS, check_throughput, cpu_peak, own_finding, peak_of

CARD = "NVIDIA GeForce RTX 2080 Ti"


def test_the_supplements_tsn_speed_exceeds_the_card() -> None:
    at_256 = check_throughput(42.713 * 30, 10.9, CARD)
    assert at_256.verdict == "impossible"
    assert at_256.limit_per_s == pytest.approx(5.2, abs=0.1)
    assert check_throughput(32.704 * 30, 10.9, CARD).verdict == "impossible"
    assert "at most" in at_256.text and "2080 Ti" in at_256.text


def test_with_ten_views_it_does_not() -> None:
    assert check_throughput(32.704 * 10, 10.9, CARD).verdict == "possible"


@pytest.mark.parametrize(("gmacs", "speed"), [(32.760, 2.8), (42.783, 2.8), (35.642, 2.1), (46.553, 2.1)])
def test_tanet_and_tdn_with_thirty_views_are_possible(gmacs: float, speed: float) -> None:
    assert check_throughput(gmacs * 30, speed, CARD).verdict == "possible"


def test_an_unknown_device_is_no_accusation() -> None:
    finding = check_throughput(1000, 1e9, "abacus")
    assert finding.verdict == "unknown"
    assert finding.peak_tmacs is None


def test_close_to_the_peak_is_doubtful() -> None:
    assert check_throughput(1000, 0.9, "x", peak=1.0).verdict == "doubtful"
    assert check_throughput(1000, 1.1, "x", peak=1.0).verdict == "impossible"


def test_names_are_found_inside_longer_ones() -> None:
    assert peak_of("NVIDIA A100-SXM4-80GB", "bf16") == 156.0
    assert peak_of("NVIDIA A100-SXM4-80GB", "int3") is None
    assert all(peak > 0 for table in PEAKS.values() for peak in table.values())


def test_the_peak_of_this_cpu_is_measured() -> None:
    peak = cpu_peak(1)
    assert 1e-4 < peak < 10 * CPU_MARGIN
    finding = own_finding(32.7, 1e6, device="cpu", device_name="this", precision="fp32", threads=1)
    assert finding.verdict == "impossible"


def test_a_peak_taken_at_a_busy_moment_is_taken_again(monkeypatch) -> None:
    rates = iter([0.01, 0.02, 1.0])
    monkeypatch.setattr(roofline, "_best_peaks", {})
    monkeypatch.setattr(roofline, "_calibrated", lambda threads, precision: next(rates))
    found = own_finding(100.0, 2.0, device="cpu", device_name="this", precision="fp32", threads=1)
    assert (found.verdict, found.peak_tmacs) == ("possible", 1.0)
    assert cpu_peak(1) == 1.0


def test_a_good_peak_is_taken_once(monkeypatch) -> None:
    rates = iter([1.0])
    monkeypatch.setattr(roofline, "_best_peaks", {})
    monkeypatch.setattr(roofline, "_calibrated", lambda threads, precision: next(rates))
    assert own_finding(100.0, 2.0, device="cpu", device_name="t", precision="fp32", threads=1).verdict == "possible"
