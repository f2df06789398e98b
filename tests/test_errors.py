import inspect

from mien import errors
from mien.errors import (
    DatasetError,
    ImageError,
    InputError,
    InterruptedWork,
    MienError,
    MissingExtraError,
    ModelError,
    NoFaceError,
    TableError,
    UsageError,
)


def test_exit_codes_are_the_documented_ones() -> None:
    codes = {
        MienError: 1, UsageError: 2, InputError: 3, ImageError: 3, DatasetError: 3, TableError: 3, NoFaceError: 4,
        MissingExtraError: 5, ModelError: 6, InterruptedWork: 130,
    }  # fmt: skip
    assert {kind: kind.exit_code for kind in codes} == codes
    for kind, code in codes.items():
        lines = [line.split() for line in errors.__doc__.splitlines() if kind.__name__ in line.split()]
        assert any(str(code) in words for words in lines), kind


def test_every_error_is_in_the_drawn_tree() -> None:
    kinds = [k for _, k in inspect.getmembers(errors, inspect.isclass) if issubclass(k, Exception)]
    assert all(issubclass(kind, MienError) for kind in kinds)
    assert all(kind.__name__ in errors.__doc__ for kind in kinds)


def test_missing_extra_says_how_to_install() -> None:
    error = MissingExtraError("torch", "train", "mien train")
    assert "mien train needs torch" in str(error)
    assert "pip install" in str(error)
    assert "mien[train]" in str(error)
