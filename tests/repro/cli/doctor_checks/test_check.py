"""One check's failure is its own: an exception, the death of the process, a hang, noise on the output."""

from __future__ import annotations

import json
import sys

import pytest

from repro.__main__ import main
from repro.cli.doctor_checks import diagnosis
from repro.cli.doctor_checks.check import ABSENT, FAIL, PASS, Check, Failed, NotHere, Outcome, run, run_apart
from repro.core.errors import DataError

SCRIPT = """
import os, sys, time
sys.path[:0] = {path!r}
from repro.cli.doctor_checks.check import Check, Failed, child

def dies():
    os.abort()

def leaves():
    print("last words", file=sys.stderr, flush=True)
    os._exit(3)

def noisy():
    print("a library talks")
    os.system("echo a program talks")
    return "fine"

def hangs():
    time.sleep(60)

def raises():
    raise ZeroDivisionError("oh")

def fails():
    raise Failed("wrong", "so")

calls = [dies, leaves, noisy, hangs, raises, fails]
child([Check(call.__name__, "", call) for call in calls], sys.argv[1:])
"""


@pytest.fixture
def command(tmp_path):
    (tmp_path / "child.py").write_text(SCRIPT.format(path=sys.path))
    return [sys.executable, str(tmp_path / "child.py")]


def test_no_check_hides_the_others(command):
    names = ["dies", "noisy", "leaves", "raises", "fails"]
    made = list(run_apart(names, command))
    assert [one.name for one in made] == names
    found = {one.name: one for one in made}
    assert found["noisy"].state == PASS and found["noisy"].what == "fine"
    assert "SIGABRT" in found["dies"].what and "--only dies" in found["dies"].mend
    assert "exit code 3: last words" in found["leaves"].what
    assert "ZeroDivisionError: oh" in found["raises"].what
    assert (found["fails"].what, found["fails"].mend) == ("wrong", "so")


def test_a_check_that_hangs_is_given_up_and_the_rest_is_done(command):
    hung, noisy = run_apart(["hangs", "noisy"], command, limit_s=4)
    assert hung.state == FAIL and "did not end within 4 s" in hung.what and "--only hangs" in hung.mend
    assert noisy.state == PASS


def raising(error):
    def call():
        raise error

    return call


@pytest.mark.parametrize(
    ("call", "state", "what", "mend"),
    [
        (lambda: "good", PASS, "good", ""),
        (raising(Failed("bad", "do")), FAIL, "bad", "do"),
        (raising(NotHere("no such thing")), ABSENT, "no such thing", ""),
        (raising(DataError("damaged", fix="rm x")), FAIL, "damaged", "rm x"),
        (raising(KeyError("k")), FAIL, "KeyError", "report"),
    ],
)
def test_what_a_check_raises_is_its_outcome(call, state, what, mend):
    found = run(Check("it", "", call))
    assert found.state == state and what in found.what and mend in found.mend


def test_all_checks_of_this_machine_and_the_exit_code(capsys, monkeypatch, tmp_path):
    assert main(["doctor", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["passed"] and [one["name"] for one in told["checks"]] == [check.name for check in diagnosis.CHECKS]
    assert all(one["state"] in (PASS, ABSENT) and one["what"] for one in told["checks"])
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("REPRO_RESULTS", str(tmp_path / "file"))
    assert main(["doctor", "--only", "records-folder", "resize"]) == 1
    out = capsys.readouterr().out
    assert "FAIL     records-folder" in out and "to mend it:" in out and "pass     resize" in out
    assert "2 checks, 1 failed" in out


def test_unknown_checks_are_refused_with_the_nearest(capsys):
    assert main(["doctor", "--only", "colour"]) == 2
    assert "colour-order" in capsys.readouterr().err


def test_every_failure_on_the_screen_comes_with_its_mend():
    assert diagnosis.line(Outcome("disk", FAIL, "full", "make room")).splitlines()[1].strip() == "to mend it: make room"
    assert len(diagnosis.line(Outcome("GPU", ABSENT, "none")).splitlines()) == 1
