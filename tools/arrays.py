"""NumPy files from the user, checked; NumPy files for him, whole."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np

from qdialect.data import Array
from tools.mistakes import UserError
from tools.output import write_file

_MAGIC = b"\x93NUMPY"


def read_array(path: Path) -> Array:
    """The array of a `.npy` file.

    Returns:
        Integers or finite floating-point numbers of any shape; booleans as 0 and 1.

    Raises:
        UserError: the file cannot be read, is not `.npy`, or holds something else.
    """
    try:
        with path.open("rb") as stream:
            start = stream.read(len(_MAGIC))
            stream.seek(0)
            if start != _MAGIC:
                raise UserError(f"{path}: error: {_not_npy(start)}")
            array: Array = np.load(stream, allow_pickle=False)
    except OSError as error:
        raise UserError(f"{path}: error: {error.strerror or error}") from error
    except MemoryError as error:
        raise UserError(f"{path}: error: the array does not fit into memory") from error
    except (ValueError, EOFError, SyntaxError) as error:
        if "allow_pickle" in str(error):
            raise UserError(
                f"{path}: error: holds Python objects (a pickle), which are not "
                "loaded; save an array of numbers"
            ) from error
        raise UserError(f"{path}: error: the file is damaged or truncated") from error
    if array.dtype.kind == "b":
        return array.astype(np.uint8)
    if array.dtype.kind not in "iuf":
        raise UserError(f"{path}: error: expected numbers, got dtype {array.dtype}")
    _refuse_non_finite(array, path)
    return array


def _not_npy(start: bytes) -> str:
    if start.startswith(b"PK"):
        return "an .npz archive; save one array with numpy.save"
    return "not a .npy file; save the array with numpy.save"


def _refuse_non_finite(array: Array, path: Path) -> None:
    if array.dtype.kind != "f" or bool(np.isfinite(array).all()):
        return
    place = np.argwhere(~np.isfinite(array))[0].tolist()
    raise UserError(
        f"{path}: error: holds {array[tuple(place)]} at {place}; expected finite "
        "numbers"
    )


def write_array(path: Path, array: Array) -> None:
    """Write a `.npy` file, or leave what was there.

    Raises:
        UserError: it cannot be written.
    """
    buffer = BytesIO()
    np.save(buffer, array, allow_pickle=False)
    write_file(path, buffer.getvalue())
