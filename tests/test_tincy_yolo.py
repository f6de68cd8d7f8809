"""Tincy YOLO, W1A3 between two layers of 8 bits: every target equals the interpreter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tincy_yolo import random_images, tincy_yolo

from tools.qbuild import main as qbuild


def built(
    folder: Path, extent: int, divisor: int, frames: int, *options: str
) -> dict[str, Any]:
    """The report of a network of that size, compared on `frames` images."""
    model, images, out = folder / "tincy.onnx", folder / "x.npy", folder / "out"
    model.write_bytes(tincy_yolo(extent=extent, divisor=divisor).SerializeToString())
    np.save(images, random_images(frames, extent))
    arguments = [str(model), "-o", str(out), "--input", str(images)]
    assert qbuild([*arguments, "--frames", str(frames), *options]) == 0
    return json.loads((out / "report.json").read_text())


def bits_of_layers(report: dict[str, Any]) -> list[tuple[int, int]]:
    """Bits of the weights and of the inputs of each convolution."""
    return [
        (layer["weight_bits"], layer["input_bits"])
        for layer in report["layers"]
        # On a map of one pixel a convolution is a product with a matrix.
        if layer["kind"] in {"conv", "matmul"}
    ]


def engines(report: dict[str, Any]) -> set[str]:
    """The engines whose frames all equal the interpreter's."""
    agreements = report["agreements"]
    assert all(item["frames"] == item["frames_equal"] > 0 for item in agreements)
    return {item["engine"] for item in agreements}


MIXED = [(8, 8), *[(1, 3)] * 7, (8, 3)]


def test_small_one_in_every_target(tmp_path: Path) -> None:
    report = built(tmp_path, 32, 8, 2)
    assert bits_of_layers(report) == MIXED
    assert engines(report) == {
        "integer level",
        "C",
        "SystemVerilog",
        "SystemVerilog, random stalls",
    }


@pytest.mark.slow
def test_full_size_in_c_and_systemverilog(tmp_path: Path) -> None:
    report = built(tmp_path, 416, 1, 3, "--no-rtl-sim")
    assert bits_of_layers(report) == MIXED
    assert engines(report) == {"integer level", "C"}
    assert (tmp_path / "out" / "sv" / "filelist.f").exists()
