"""Text and CSV files as people's programs leave them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.core.csv_text import lines_of, number_at_end, records_of, text_of
from repro.core.errors import DataError, RecordError

PLAIN = [(1, ["a", "b"]), (2, ["1", "2"])]


@pytest.mark.parametrize("data", ["a,b\n1,2\n", "a,b\r\n1,2\r\n", "a,b\r1,2", "\ufeffa,b\n1,2\n", '"a","b"\n1,"2"\n'])
def test_marks_and_line_ends_make_no_difference(tmp_path: Path, data: str) -> None:
    (tmp_path / "x.csv").write_bytes(data.encode())
    text = text_of(tmp_path / "x.csv", DataError, allowed="a CSV")
    assert records_of(text, "x.csv", DataError) == PLAIN


@pytest.mark.parametrize("blank", ["\n", "\n\n\n", "  \n", ",\n", " , \n", "\r\n"])
def test_blank_lines_are_left_out_and_lines_keep_their_numbers(blank: str) -> None:
    rest = records_of(f"a,b\n{blank}1,2\n{blank}", "x.csv", DataError)
    assert [fields for _, fields in rest] == [["a", "b"], ["1", "2"]]
    assert rest[1][0] == 2 + max(1, blank.count("\n"))


def test_a_name_may_hold_line_ends_and_odd_separators() -> None:
    assert records_of('path,label\n"two\nlines",x\x0b\u2028y\n', "x.csv", DataError)[1][1] == [
        "two\nlines",
        "x\x0b\u2028y",
    ]
    assert lines_of("a\u2028b\x0cc\r\nd\re\n") == ["a\u2028b\x0cc", "d", "e", ""]


@pytest.mark.parametrize("kind", [DataError, RecordError])
def test_what_is_no_text_file_is_told(tmp_path: Path, kind: type[DataError]) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "latin").write_bytes(b"\xe9")
    for name, told in (("none", "No such file"), (".", "not a regular file"), ("pipe", "not a regular file")):
        with pytest.raises(kind, match=told):
            text_of(tmp_path / name, kind, allowed="x")
    for path, told in ((tmp_path / "latin", "not UTF-8: byte 0xe9"), (Path("~nouser-here/x"), "cannot be read")):
        with pytest.raises(kind, match=told):
            text_of(path, kind, allowed="x")


@pytest.mark.parametrize(
    ("line", "signs", "found"),
    [
        ("a b.mp4 3", " ", ("a b.mp4", 3)),
        ("a.mp4     007  ", " ", ("a.mp4", 7)),
        ("a 1\t3", "\t", ("a 1", 3)),
        ("a 1 3", "\t", None),
        ("a.mp4 , 3", ",", ("a.mp4", 3)),
        ("a.mp4,3", ";", None),
        ("a.mp4", " ,", None),
        (" 3", " ", None),
        ("a 12345678901", " ", None),
        ("a ²", " ", None),
    ],
)
def test_a_number_at_the_end(line: str, signs: str, found: tuple[str, int] | None) -> None:
    assert number_at_end(line, signs) == found


@given(st.text(max_size=40), st.integers(0, 10**9 - 1), st.sampled_from([" ", "\t", ",", ";", "   ", " ; "]))
def test_what_is_written_before_a_number_is_found_again(name: str, number: int, gap: str) -> None:
    bare = "".join(name.split())
    if bare and bare[-1] not in ",;":
        assert number_at_end(f"{bare}{gap}{number}", " \t,;") == (bare, number)
