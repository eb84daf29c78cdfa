"""The edge: what reaches a user when nothing below has a sentence for it, and on whatever stream."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import repro.__main__ as edge
from repro.core import error_log, paths
from repro.core.errors import NotConfigured, ReproError
from repro.core.plain_text import use_on

CHECKOUT = Path(__file__).parents[2]


def run(*arguments: str, prefix: tuple[str, ...] = (), keep: bool = True, **environment: str):
    base = os.environ if keep else {"PATH": os.environ["PATH"], "PYTHONPATH": str(CHECKOUT)}
    return subprocess.run(
        [*prefix, sys.executable, "-m", "repro", *arguments],
        cwd=CHECKOUT,
        capture_output=True,
        env={**base, **environment},
        timeout=300,
    )


@pytest.fixture
def failing(monkeypatch, tmp_path):
    """Let the next command end in an error of our choice."""
    monkeypatch.setenv("REPRO_CACHE", str(tmp_path / "cache"))

    def fail(error: BaseException) -> None:
        def raises(_: object) -> int:
            raise error

        monkeypatch.setattr(edge, "_run", raises)

    return fail


@pytest.mark.parametrize(
    "error",
    [KeyError("x"), AssertionError(), RecursionError("deep"), MemoryError(), ZeroDivisionError("by\nzero\x1b[31m"),
     OSError("no file named"), ModuleNotFoundError("no baselines.x", name="baselines.x"), UnicodeError("\udc80")],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_what_nothing_foresaw_is_one_sentence_and_a_file_with_the_traceback(failing, capsys, tmp_path, error):
    failing(error)
    assert edge.main(["list"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"repro: unexpected {type(error).__name__}") and said.count("\n") == 1
    assert "Traceback" not in said and "\x1b" not in said
    (log,) = (tmp_path / "cache" / "logs").iterdir()
    assert str(log) in said
    text = log.read_text()
    assert "Traceback (most recent call last)" in text and type(error).__name__ in text and "arguments:" in text


def test_without_a_cache_the_account_lies_in_the_temporary_folder(failing, capsys, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("REPRO_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    failing(KeyError("x"))
    assert edge.main([]) == 2
    (log,) = tmp_path.glob("error-*.log")
    assert str(log) in capsys.readouterr().err


def test_where_nothing_can_be_written_the_sentence_is_all(failing, capsys, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("REPRO_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "file"))
    failing(KeyError("x"))
    assert edge.main([]) == 2
    assert "no file could be written" in capsys.readouterr().err


def test_accounts_do_not_pile_up(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_CACHE", str(tmp_path))
    monkeypatch.setattr(error_log, "_KEPT", 3)
    for number in range(6):
        assert error_log.write(KeyError(number), ["x"])
    assert len(list((tmp_path / "logs").iterdir())) <= 4


@pytest.mark.parametrize("number", [28, 27, 122])
@pytest.mark.parametrize("kind", ["system", "safetensors"])
def test_a_disk_that_takes_no_more_is_told_whoever_says_it(failing, capsys, number, kind):
    from safetensors import SafetensorError

    wrapped = SafetensorError(f"Error while serializing: I/O error: File too large (os error {number})")
    failing(OSError(number, os.strerror(number)) if kind == "system" else wrapped)
    assert edge.main([]) == 2
    said = capsys.readouterr().err
    assert "a disk is full, or a file larger than allowed" in said and said.count("\n") == 1


def test_errors_of_the_family_and_stops_stay_as_they_are(failing, capsys):
    for error, code, said in (
        (ReproError("what", fix="that"), 2, "repro: what; try: that\n"),
        (KeyboardInterrupt(), 130, "repro: interrupted"),
        (edge.stop_signal.Stopped(), 75, "repro: stopped on request"),
        (PermissionError(13, "Permission denied", "/x"), 2, "repro: '/x': Permission denied"),
        (ModuleNotFoundError("no av", name="av.codec"), 2, "repro: the package 'av' is not installed"),
    ):
        failing(error)
        assert edge.main([]) == code
        assert capsys.readouterr().err.startswith(said)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
@pytest.mark.parametrize(
    "verb", [("table", "table6"), ("table", "adafuse/table5", "--format", "markdown"), ("claims",), ("show", "table6")]
)
def test_every_stream_can_hold_the_output(encoding, verb, tmp_path):
    done = run(*verb, PYTHONIOENCODING=encoding, REPRO_CACHE=str(tmp_path))
    assert done.returncode in (0, 1) and b"Traceback" not in done.stderr and b"unexpected" not in done.stderr
    done.stdout.decode(encoding)
    assert len(done.stdout) > 500


def test_signs_are_written_as_what_they_look_like(tmp_path):
    for encoding, expected in (
        ("ascii", "-1 +-2 != x ... Muller \\u4e2d \\udc80 sqrt"),
        ("latin-1", "-1 ±2 != × ... Müller \\u4e2d \\udc80 sqrt"),
        ("utf-8", "−1 ±2 ≠ × … Müller 中 \\udc80 √"),
    ):
        with (tmp_path / "out").open("w", encoding=encoding) as stream:
            use_on((stream,))
            stream.write("−1 ±2 ≠ × … Müller 中 \udc80 √")
        assert (tmp_path / "out").read_text(encoding=encoding) == expected


def test_a_locale_without_utf_8(tmp_path):
    done = run("table", "table6", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", REPRO_CACHE=str(tmp_path))
    assert done.returncode == 0 and b"Traceback" not in done.stderr
    done.stdout.decode("ascii")


@pytest.mark.parametrize("verb", [("list",), ("table", "table6")])
def test_a_reader_that_goes_away_is_no_failure(verb, tmp_path):
    command = f"{sys.executable} -m repro {' '.join(verb)} | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=CHECKOUT, capture_output=True, text=True,
        env={**os.environ, "REPRO_CACHE": str(tmp_path)},
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "0" and done.stderr == ""


def test_a_full_stream_is_told(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m repro list > /dev/full"], cwd=CHECKOUT, capture_output=True, text=True
    )
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "full" in done.stderr


def homeless() -> tuple[str, ...]:
    prefix = ("unshare", "--user", "--map-user=12345", "--map-group=12345")
    try:
        possible = subprocess.run([*prefix, "true"], capture_output=True).returncode == 0
    except OSError:
        possible = False
    if not possible:
        pytest.skip("no other user can be taken here")
    return prefix


@pytest.mark.parametrize("verb", [("list",), ("show", "table6"), ("data", "list"), ("records", "ls")])
@pytest.mark.parametrize("told", [True, False], ids=["folders told", "nothing told"])
def test_without_home_and_user_name(verb, told, tmp_path):
    places = {name: str(tmp_path / name) for name in ("REPRO_CACHE", "REPRO_CONFIG")} if told else {}
    done = run(*verb, prefix=homeless(), keep=False, TMPDIR=str(tmp_path), **places)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_home_that_another_has_put_there_is_refused(tmp_path, monkeypatch):
    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("REPRO_CACHE", "REPRO_CONFIG", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", nobody)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = tmp_path / f"repro-{os.getuid()}"
    assert paths.cache() == folder / "cache" and paths.config() == folder / "config"
    (tmp_path / "theirs").mkdir()
    folder.symlink_to(tmp_path / "theirs")
    with pytest.raises(NotConfigured, match=r"another's.*REPRO_CACHE"):
        paths.cache()
    monkeypatch.setenv("REPRO_CACHE", str(tmp_path / "mine"))
    assert paths.cache() == tmp_path / "mine"


@pytest.mark.parametrize("variable", ["REPRO_RESULTS", "REPRO_CACHE", "REPRO_CONFIG", "REPRO_WEIGHTS"])
@pytest.mark.parametrize("inner", ["", "own"])
@pytest.mark.parametrize("make", [Path.touch, os.mkfifo, lambda path: path.symlink_to(path)])
def test_a_place_of_ours_that_is_no_folder_is_told(make, inner, variable, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(variable, str(tmp_path / "x"))
    if inner and variable != "REPRO_RESULTS":
        pytest.skip("of the results alone")
    if inner:
        (tmp_path / "x").mkdir()
    make(tmp_path / "x" / inner)
    of = {"REPRO_RESULTS": "records ls", "REPRO_CONFIG": "data list", "REPRO_CACHE": "data check x.csv"}
    code = edge.main(of.get(variable, "weights list").split())
    said = capsys.readouterr().err
    assert code == 2 and ("is no folder" in said or variable == "REPRO_CACHE"), said
    assert "unexpected" not in said


@pytest.mark.parametrize(
    "arguments",
    [
        ["verify", "~nouser/x.json"],
        ["import-weights", "~nouser/x.pth", "--model", "tsn", "--out", "w.safetensors"],
        ["list", "--module", "~nouser/mine.py"],
        ["data", "check", "~nouser/x.csv"],
        ["scores", "~nouser/x.npz"],
        ["test", "tsn", "--weights", "~nouser/w.safetensors", "--dataset", "~nouser/x.csv"],
    ],
)
def test_a_user_that_does_not_exist_is_told(arguments, capsys):
    try:
        code = edge.main(arguments)
    except SystemExit as error:  # argparse
        code = error.code
    said = capsys.readouterr().err
    assert code == 2 and not re.search("Traceback|unexpected", said)
    assert "nouser" in said or "~" in said
