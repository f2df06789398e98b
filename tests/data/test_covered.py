import pytest

from mien.data.covered import read_covered
from mien.errors import DatasetError


def test_sides_of_the_picture_become_the_person_s(tmp_path) -> None:
    table = tmp_path / "covered.csv"
    table.write_text("name,left_eye,right_eye,nose,mouth,what\nfer0000001.png,2,0,x,1,hand\n")
    face = read_covered(table)["fer0000001"]
    assert face.scores == {"right_eye": 2, "left_eye": 0, "mouth": 1}
    assert face.hidden == ("right_eye",)
    assert face.what == "hand"


@pytest.mark.parametrize("text", ["", "name,what\na.png,hand\n"])
def test_another_table_is_named(tmp_path, text: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DatasetError, match="no table of covered faces"):
        read_covered(tmp_path / "t.csv")
    with pytest.raises(DatasetError, match="cannot be read"):
        read_covered(tmp_path / "missing.csv")
