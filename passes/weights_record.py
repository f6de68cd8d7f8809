"""What passes made of the real weights of a network, as an attribute of its module.

The module keeps it through every later pass: at the integer level nothing tells that a
weight was another number once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from xdsl.dialects.builtin import (
    I64,
    ArrayAttr,
    DictionaryAttr,
    Float64Type,
    FloatAttr,
    IntegerAttr,
    ModuleOp,
    StringAttr,
    f64,
    i64,
)
from xdsl.ir import Attribute
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import VerifyException
from xdsl.utils.hints import isa

from qdialect.data import Array

_ATTRIBUTE = "qnn.weight_schemes"


@dataclass(frozen=True)
class WeightsRecord:
    """The weights of one layer behind a pass, and how far they are from those before.

    Attributes:
        layer: name of the node of the source model.
        by: the pass and its options, as `qopt -p` takes them.
        scheme: what the weights are now, such as an element type.
        count: of the weights.
        stored_bits: that they take together, with their scales or tables.
        rms_error: root of the mean squared change, relative to that of the weights.
        max_error: the greatest change of one weight, relative to the same.
    """

    layer: str
    by: str
    scheme: str
    count: int
    stored_bits: int
    rms_error: float
    max_error: float

    def __str__(self) -> str:
        """One line for people."""
        return (
            f"weights of '{self.layer}' as {self.scheme}: {self.count:,} weights in "
            f"{(self.stored_bits + 7) // 8:,} bytes, "
            f"{self.stored_bits / max(1, self.count):.2f} bits each; error "
            f"{100 * self.rms_error:.3g} % rms, {100 * self.max_error:.3g} % at most, "
            "of their rms"
        )


def relative_errors(before: Array, after: Array) -> tuple[float, float]:
    """Root mean square and greatest magnitude of a change, over the rms of `before`.

    Both are 0 where nothing changed, whatever the rms.
    """
    old, change = before.astype(np.float64), (after - before.astype(np.float64))
    if not change.any():
        return 0.0, 0.0
    rms = float(np.sqrt(np.mean(np.square(old))))
    if rms == 0:
        return float("inf"), float("inf")
    found = float(np.sqrt(np.mean(np.square(change)))), float(np.abs(change).max())
    # Six digits say enough, and read back as they were printed.
    return float(f"{found[0] / rms:.6g}"), float(f"{found[1] / rms:.6g}")


def add_record(module: ModuleOp, record: WeightsRecord) -> None:
    """Append a record to those of a module."""
    entries = (*_entries(module), _to_attribute(record))
    module.attributes[_ATTRIBUTE] = ArrayAttr(entries)


def records(module: ModuleOp) -> list[WeightsRecord]:
    """The records of a module, in the order in which they were made.

    Raises:
        VerifyException: the attribute is not one that `add_record` made.
    """
    return [_from_attribute(entry) for entry in _entries(module)]


def lines_about(pass_: ModulePass, module: ModuleOp) -> list[str]:
    """A line for each layer whose weights a pass replaced, or one that says of none."""
    found = [str(record) for record in records(module) if record.by == str(pass_)]
    return found or [f"no layer has weights that {pass_.name} replaces"]


def _entries(module: ModuleOp) -> tuple[Attribute, ...]:
    found = module.attributes.get(_ATTRIBUTE, ArrayAttr[Attribute](()))
    if not isa(found, ArrayAttr[Attribute]):
        raise _malformed(found)
    return found.data


def _to_attribute(record: WeightsRecord) -> Attribute:
    return DictionaryAttr(
        {
            "layer": StringAttr(record.layer),
            "by": StringAttr(record.by),
            "scheme": StringAttr(record.scheme),
            "count": IntegerAttr(record.count, i64),
            "stored_bits": IntegerAttr(record.stored_bits, i64),
            "rms_error": FloatAttr(record.rms_error, f64),
            "max_error": FloatAttr(record.max_error, f64),
        }
    )


def _from_attribute(entry: Attribute) -> WeightsRecord:
    if not isinstance(entry, DictionaryAttr):
        raise _malformed(entry)
    return WeightsRecord(
        layer=_text(entry, "layer"),
        by=_text(entry, "by"),
        scheme=_text(entry, "scheme"),
        count=_number(entry, "count"),
        stored_bits=_number(entry, "stored_bits"),
        rms_error=_real(entry, "rms_error"),
        max_error=_real(entry, "max_error"),
    )


def _text(entry: DictionaryAttr, key: str) -> str:
    found = entry.data.get(key)
    if not isinstance(found, StringAttr):
        raise _malformed(entry)
    return found.data


def _number(entry: DictionaryAttr, key: str) -> int:
    found = entry.data.get(key)
    if not isa(found, IntegerAttr[I64]):
        raise _malformed(entry)
    return found.value.data


def _real(entry: DictionaryAttr, key: str) -> float:
    found = entry.data.get(key)
    if not isa(found, FloatAttr[Float64Type]):
        raise _malformed(entry)
    return found.value.data


def _malformed(found: Attribute) -> VerifyException:
    return VerifyException(
        f"{_ATTRIBUTE}: expected what passes on real weights write, got {found}"
    )
