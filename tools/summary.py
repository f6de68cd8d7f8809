"""What a run gave, in a few lines: ranges, classes, accuracy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from qdialect.data import Array
from tools.mistakes import UserError

Classes = npt.NDArray[np.int64]

# Frames of up to this many values are taken for scores of classes.
_MAX_CLASSES = 1000
_MAX_LISTED = 10


def describe_output(name: str, array: Array) -> list[str]:
    """Lines about one output: shape, dtype, range, and which classes it says.

    Args:
        name: of the output.
        array: frames along the leading axis.
    """
    frame = list(array.shape[1:])
    lines = [
        f"output '{name}': {len(array)} frames of {frame} {array.dtype}, "
        f"from {array.min():g} to {array.max():g}"
    ]
    classes = classes_of(array)
    if classes is not None:
        first = " ".join(map(str, classes[:_MAX_LISTED].tolist()))
        more = " .." if len(classes) > _MAX_LISTED else ""
        values, counts = np.unique(classes, return_counts=True)
        order = np.argsort(-counts, kind="stable")[:_MAX_LISTED]
        listed = ", ".join(f"{values[i]}: {counts[i]}" for i in sorted(order.tolist()))
        rest = f", {len(values) - len(order)} more" if len(values) > len(order) else ""
        lines += [f"  classes: {first}{more}", f"  how often: {listed}{rest}"]
    return lines


def classes_of(array: Array) -> Classes | None:
    """The class that an output says for each frame, or None where it says none.

    Frames of several numbers are scores, of which the first greatest wins; integers
    of one number, or of a top-k, are classes; one real number tells two classes by its
    sign.

    Args:
        array: frames along the leading axis.
    """
    flat = array.reshape(len(array), -1)
    width = flat.shape[1]
    if array.ndim > 2 and max(array.shape[1:]) != width:
        return None
    if width == 1:
        if array.dtype.kind == "f":
            return (flat[:, 0] > 0).astype(np.int64)
        return flat[:, 0].astype(np.int64)
    if 2 <= width <= _MAX_CLASSES:
        return flat.argmax(axis=1).astype(np.int64)
    return None


def accuracy_line(outputs: Sequence[Array], labels: Array, source: str) -> str:
    """How many frames the first output classifies as the labels say.

    Args:
        outputs: frames along the leading axis.
        labels: integers [N], or one-hot [N, classes].
        source: file of the labels, for messages.

    Raises:
        UserError: the labels do not fit the frames, or the output says no classes.
    """
    count = len(outputs[0])
    wanted = labels.reshape(len(labels), -1) if labels.ndim else labels.reshape(1, 1)
    if len(wanted) != count:
        raise UserError(
            f"{source}: error: expected {count} labels, one a frame, got {len(wanted)}"
        )
    found = classes_of(outputs[0])
    if found is None:
        raise UserError(f"{source}: error: the first output says no classes")
    scores = outputs[0].reshape(count, -1).shape[1]
    if not _says_classes(wanted, scores):
        among = f"from 0 to {scores - 1}" if scores > 1 else "as integers"
        raise UserError(
            f"{source}: error: expected a class a frame, {among}, or a one-hot row"
        )
    expected = wanted.argmax(axis=1) if wanted.shape[1] > 1 else wanted[:, 0]
    if set(np.unique(expected).tolist()) <= {0, 1} and (found < 0).any():
        found = (found > 0).astype(np.int64)  # -1 and +1 for 0 and 1
    right = int((found == expected).sum())
    return f"accuracy: {100 * right / count:.2f} % ({right} of {count})"


def _says_classes(wanted: Array, scores: int) -> bool:
    """Whether labels [N, 1] or [N, classes] can be those of so many scores a frame."""
    if wanted.dtype.kind not in "biuf" or (wanted != np.rint(wanted)).any():
        return False
    if wanted.shape[1] > 1:
        ones = (wanted == 1).sum(axis=1) == 1
        return wanted.shape[1] == scores and bool(
            (ones & ((wanted != 0).sum(axis=1) == 1)).all()
        )
    return scores == 1 or bool(((wanted >= 0) & (wanted < scores)).all())
