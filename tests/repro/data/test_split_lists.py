import pytest

from repro.core.errors import DataError
from repro.data.split_lists import read


def _write(folder, **files):
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.txt").write_text(text)
    return folder


def test_ucf101_as_it_is_shipped(tmp_path):
    lists = _write(
        tmp_path / "ucfTrainTestlist",
        trainlist01="Archery/v_Archery_g08_c01.avi 2\nArchery/v_Archery_g08_c02.avi 2\nBiking/v_Biking_g09_c01.avi 5\n",
        testlist01="Archery/v_Archery_g01_c01.avi\n",
        trainlist02="Archery/v_Archery_g01_c01.avi 2\n",
        classInd="2 Archery\n5 Biking\n",
    )
    (tmp_path / "Archery").mkdir()
    (tmp_path / "Archery" / "v_Archery_g08_c01.avi").touch()
    videos, classes = read(lists, tmp_path)
    assert classes == ("Archery", "Biking") and [video.label for video in videos] == [0, 0, 0, 1]
    assert [video.group for video in videos] == ["Archery_g01", "Archery_g08", "Archery_g08", "Biking_g09"]
    assert videos[1].path == tmp_path / "Archery" / "v_Archery_g08_c01.avi"


def test_hmdb51_as_it_is_shipped(tmp_path):
    lists = _write(
        tmp_path / "splits",
        brush_hair_test_split1="April_09_brush_hair_u_nm_np1_ba_goo_0.avi 1\nB_brush_hair_h_cm_np1_le_goo_1.avi 0\n",
        cartwheel_test_split1="(Rad)Schlag_die_Bank!_cartwheel_f_cm_np1_le_med_0.avi 2 \n",
        cartwheel_test_split2="other_cartwheel_f_cm_np1_le_med_0.avi 2\n",
    )
    (tmp_path / "cartwheel").mkdir()
    (tmp_path / "cartwheel" / "(Rad)Schlag_die_Bank!_cartwheel_f_cm_np1_le_med_0.avi").touch()
    videos, classes = read(lists, tmp_path)
    assert classes == ("brush_hair", "cartwheel")
    assert [(video.label, video.group) for video in videos] == [(0, "April_09"), (1, "(Rad)Schlag_die_Bank!")]


def test_other_folders_and_absent_videos_are_told(tmp_path):
    with pytest.raises(DataError, match="no split files of UCF101 or HMDB51"):
        read(_write(tmp_path / "empty", readme="nothing"), tmp_path)
    lists = _write(tmp_path / "l", trainlist01="Archery/v_Archery_g08_c01.avi 2\n")
    with pytest.raises(DataError, match=r"has none of 1 videos, first Archery/.*--root"):
        read(lists, tmp_path)
    with pytest.raises(DataError, match=r"allowed: Class/v_Class_g01_c01\.avi"):
        read(_write(tmp_path / "m", trainlist01="v_Archery_g08_c01.avi 2\n"), tmp_path)
