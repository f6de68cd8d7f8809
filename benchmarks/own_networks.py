"""Which of our own networks compile as they are."""

from __future__ import annotations

from pathlib import Path

from passes.quantize_weights import QuantizeWeightsPass
from passes.real_weights import real_weights
from tools.onnx_import.frontend import import_onnx

MODELS = Path(__file__).resolve().parent.parent / "models"


def quantised_networks() -> list[Path]:
    """Those of `models/` without real weights, by name."""
    return [
        path
        for path in sorted(MODELS.glob("*.onnx"))
        if not real_weights(QuantizeWeightsPass(), import_onnx(path))
    ]
