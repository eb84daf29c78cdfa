from __future__ import annotations

import pytest

from repro.core.errors import DataError, UnknownName
from repro.data import id_lists


@pytest.fixture(autouse=True)
def _config(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_CONFIG", str(tmp_path / "config"))


def test_a_registered_copy_is_found_again(tmp_path):
    (tmp_path / "list.txt").write_text("a.mp4 3\nb.mp4 7\n\n")
    assert id_lists.register("mine", tmp_path / "list.txt") == 2
    assert id_lists.registered() == ["mine"]
    assert id_lists.ids_of("copy:mine") == ["a.mp4", "b.mp4"]
    (tmp_path / "list.txt").unlink()
    assert id_lists.ids_of("copy:mine") == ["a.mp4", "b.mp4"], "the user's own file is not needed any more"


def test_names_with_spaces_stay_whole(tmp_path):
    names = ["push.mp4", "push up 2.mp4", "run 1.mp4", "run.mp4"]
    (tmp_path / "list.txt").write_bytes(b'\xef\xbb\xbfpush up 2.mp4\r\n\r\n"run 1.mp4"\r\n')
    for found in (
        id_lists.ids_of(str(tmp_path / "list.txt")),
        id_lists.ids_of(str(tmp_path / "list.txt"), "val", names),
    ):
        assert id_lists.match(found, names) == {"push up 2.mp4": 1, "run 1.mp4": 2}
    id_lists.register("mine", tmp_path / "list.txt")
    assert id_lists.ids_of("copy:mine") == ["push up 2.mp4", "run 1.mp4"]
    (tmp_path / "list.txt").write_text("push 2\nrun 1\n")
    assert id_lists.read_list(tmp_path / "list.txt", ["push 2", "run 1", "else"]) == ["push 2", "run 1"]
    assert id_lists.read_list(tmp_path / "list.txt", ["push", "run", "else"]) == ["push", "run"]
    assert id_lists.read_list(tmp_path / "list.txt", ["push.mp4", "push 2.mp4", "run 1.mp4"]) == ["push 2", "run 1"]
    with pytest.raises(DataError, match="both are scored"):
        id_lists.read_list(tmp_path / "list.txt", ["push 2", "run 1", "push", "run"])


def test_a_dot_in_a_name_is_no_suffix():
    assert id_lists.match(["v1.2 clip"], ["v1.mp4"]) == {}
    assert id_lists.match(["v1.2 clip"], ["a/v1.2 clip.webm", "v1.mp4"]) == {"v1.2 clip": 0}


def test_unicode_forms_of_an_id_are_one():
    assert id_lists.match(["caf\u00e9.mp4"], ["cafe\u0301.mp4"]) == {"caf\u00e9.mp4": 0}


def test_an_unknown_copy_says_how_to_register_it(tmp_path):
    with pytest.raises(UnknownName, match=r"scores --register K400-19761 LIST\.txt"):
        id_lists.ids_of("copy:K400-19761")
    with pytest.raises(UnknownName, match="known by its size alone, Wang's copy, of Non-local networks"):
        id_lists.ids_of("copy:K400-19761")
    with pytest.raises(UnknownName, match="no list is registered"):
        id_lists.ids_of("copy:mine")


def test_a_list_of_another_size_than_the_name_promises(tmp_path):
    (tmp_path / "list.txt").write_text("a\nb\n")
    with pytest.raises(DataError, match="holds 2 ids, copy 'K400-19761' has 19761"):
        id_lists.register("K400-19761", tmp_path / "list.txt")
    assert id_lists.registered() == []
    with pytest.raises(DataError, match="letters, digits"):
        id_lists.register("../x", tmp_path / "list.txt")


@pytest.mark.parametrize(
    ("content", "why"), [(b"", "holds no id"), (b"a\nb\na\n", "'a' 2 times"), (b"\xff\xfe\x00", "not UTF-8")]
)
def test_bad_lists(tmp_path, content, why):
    (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(DataError, match=why):
        id_lists.read_list(tmp_path / "list.txt")
    with pytest.raises(DataError, match="cannot be read"):
        id_lists.read_list(tmp_path / "none.txt")


@pytest.mark.parametrize(
    "text, ids",
    [
        (
            "images/val/air drumming/7LSJ2Ryv1a8_000000_000010 60 0\n",
            ["images/val/air drumming/7LSJ2Ryv1a8_000000_000010"],
        ),
        ("label,youtube_id,time_start,time_end,split\nyoga,7LSJ2Ryv1a8,0,10,val\n", ["7LSJ2Ryv1a8_000000_000010"]),
        ("7LSJ2Ryv1a8\n-LSJ2Ryv1a9\n", ["7LSJ2Ryv1a8", "-LSJ2Ryv1a9"]),
        ("12\n7\n", ["12", "7"]),
    ],
)
def test_annotation_files_and_public_lists_are_lists_of_ids_too(tmp_path, text, ids):
    (tmp_path / "list_val.txt").write_text(text)
    assert id_lists.read_list(tmp_path / "list_val.txt") == ids


def test_a_csv_names_the_videos_of_its_split(tmp_path):
    (tmp_path / "x.csv").write_text("path,label,split\na.mp4,0,train\nb.mp4,1,val\n")
    assert id_lists.ids_of(str(tmp_path / "x.csv")) == ["b.mp4"]


def test_ids_meet_by_their_most_exact_common_name():
    videos = ["val/jf7RDuUTrsQ_000325_000335.mp4", "val/abseiling/--_S9IDQPLg_000135_000145.mp4", "c/d.webm"]
    wanted = ["jf7RDuUTrsQ", "--_S9IDQPLg_000135_000145", "d.webm", "zzzzzzzzzzz"]
    assert id_lists.match(wanted, videos) == {wanted[0]: 0, wanted[1]: 1, wanted[2]: 2}


def test_ids_that_fit_twice_are_errors():
    with pytest.raises(DataError, match=r"may be 'a/x\.mp4' or 'b/x\.mp4'"):
        id_lists.match(["x"], ["a/x.mp4", "b/x.mp4"])
    with pytest.raises(DataError, match="both mean"):
        id_lists.match(["x", "x.mp4"], ["a/x.mp4"])
