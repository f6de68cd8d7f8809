"""Storage of one trained network by scheme: bits a weight, bytes of C, accuracy.

Each row is a list of `qopt` passes on the network as trained, with real weights; none is
trained again. Bits are those of the weights of all products, with tables, codebooks and
the lengths of code words; scales and thresholds come on top, and are in the bytes of the
constants of the C library. Sizes are given as the scheme holds its weights, and behind
`compress-weights`. A second table follows Deep Compression stage by stage.

Reads the network and the test set (`inputs` and `labels`) given as arguments, or ours.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from lowering.c.source import COptions, build_library
from lowering.interpreter.engine import Interpreter
from passes.bitpack import BitpackPass
from passes.compress_weights import CompressWeightsPass
from passes.constant_weights import constant_weights
from passes.prune_weights import PruneWeightsPass
from qdialect.data import Array
from qdialect.storage import StoredWeights, stored_weights
from tools.onnx_import.frontend import import_onnx
from tools.passes_run import run_passes
from tools.pipelines import PIPELINES
from tools.registry import build_registry
from tools.specs import passes_of

MODELS = Path(__file__).resolve().parent.parent / "models"
MODEL, DATA = MODELS / "digits_mlp_float_a4.onnx", MODELS / "digits_test.npz"

FLOAT_BITS = 32
# Bits of a gap between two weights that are kept, as in the paper's matrices.
GAP_BITS = 5

PRUNE_70, PRUNE_50, PRUNE_10 = (
    f"prune-weights{{density={share}}}" for share in (0.7, 0.5, 0.1)
)
SCHEMES = {
    "binary": "binarise-weights",
    "ternary": "ternarise-weights",
    "five levels": "ternarise-weights{levels=5}",
    "int4": "quantize-weights{bits=4}",
    "int8": "quantize-weights{bits=8}",
    "posit8, es auto": "posit-weights{n=8 es=auto}",
    "shared 16": "share-weights{clusters=16}",
    "70 % kept, int8": f"{PRUNE_70},quantize-weights{{bits=8}}",
    "70 % kept, shared 16": f"{PRUNE_70},share-weights{{clusters=16}}",
    "70 % kept, shared 8": f"{PRUNE_70},share-weights{{clusters=8}}",
    "50 % kept, shared 16": f"{PRUNE_50},share-weights{{clusters=16}}",
    "10 % kept, shared 16": f"{PRUNE_10},share-weights{{clusters=16}}",
}
STAGES = (PRUNE_70, "share-weights{clusters=16}")


@dataclass(frozen=True)
class Network:
    """A network as trained, and what to measure it on.

    Attributes:
        path: its file.
        inputs: test inputs.
        labels: their classes.
    """

    path: Path
    inputs: Array
    labels: Array

    def after(self, passes: str) -> ModuleOp:
        """The network behind `qopt` passes."""
        registry = build_registry()
        module = import_onnx(self.path)
        chosen = passes_of(passes, registry.passes)
        run_passes(registry.context(), module, chosen, str(self.path))
        return module

    def accuracy(self, module: ModuleOp) -> float:
        """Share of the labels that the greatest output names, in percent."""
        outputs = Interpreter(module).run([self.inputs])[0]
        found = outputs.reshape(len(self.labels), -1).argmax(axis=1)
        return 100 * float((found == self.labels).mean())


def integer_level(module: ModuleOp) -> ModuleOp:
    """The network with an integer core; equal to it, bit for bit."""
    lowered = module.clone()
    run_passes(Context(), lowered, PIPELINES["bnn-integer"].passes, "")
    return lowered


def compressed(module: ModuleOp) -> ModuleOp:
    """The same with coded weights."""
    coded = module.clone()
    CompressWeightsPass().apply(Context(), coded)
    return coded


def constant_bytes(module: ModuleOp, *, compresses: bool) -> int:
    """Bytes of the constants of the C library."""
    packed = module.clone()
    BitpackPass().apply(Context(), packed)
    if compresses:
        CompressWeightsPass().apply(Context(), packed)
    return build_library(packed, COptions()).interface.flash_bytes


def bits_a_weight(found: list[StoredWeights]) -> float:
    """Bits of all weights as they are held, over their number."""
    return sum(w.stored_bits for w in found) / sum(w.count for w in found)


def entropy(found: list[StoredWeights]) -> float:
    """Entropy of the values of each layer, averaged over weights."""
    total = sum(w.entropy_bits * w.count for w in found)
    return total / sum(w.count for w in found)


def print_schemes(network: Network) -> None:
    """A row a scheme."""
    before = network.accuracy(import_onnx(network.path))
    columns = ("bits", "coded", "entropy", "factor", "C bytes", "coded", "accuracy")
    print(f"{'scheme':24s}" + "".join(f" {column:>8s}" for column in columns))
    print(f"{'float32':24s} {FLOAT_BITS:8.2f} {'':44s}{before:7.2f} %")
    for name, passes in SCHEMES.items():
        module = network.after(passes)
        integer = integer_level(module)
        held, coded = stored_weights(integer), stored_weights(compressed(integer))
        factor = FLOAT_BITS / bits_a_weight(coded)
        plain_bytes = constant_bytes(integer, compresses=False)
        coded_bytes = constant_bytes(integer, compresses=True)
        print(
            f"{name:24s} {bits_a_weight(held):8.2f} {bits_a_weight(coded):8.2f} "
            f"{entropy(coded):8.2f} {factor:7.1f}x {plain_bytes:8,} {coded_bytes:8,} "
            f"{network.accuracy(integer):6.2f} %"
        )


def sparse_bits(module: ModuleOp) -> float:
    """Bits a weight of real weights that are not 0, each with a gap before it."""
    bits = count = 0
    for weights in constant_weights(PruneWeightsPass(), module):
        places = np.flatnonzero(weights.real.array)
        gaps = np.diff(places, prepend=-1) - 1
        # A gap that is too long takes entries of 0 (fillers).
        entries = int((gaps // (1 << GAP_BITS) + 1).sum())
        bits += entries * (GAP_BITS + FLOAT_BITS)
        count += weights.real.array.size
    return bits / count


def print_stages(network: Network) -> None:
    """Deep Compression: a row a stage, each behind those before it."""
    module = import_onnx(network.path)
    rows = [("float32", float(FLOAT_BITS), network.accuracy(module))]
    module = network.after(STAGES[0])
    rows.append(("pruned", sparse_bits(module), network.accuracy(module)))
    module = integer_level(network.after(",".join(STAGES)))
    accuracy = network.accuracy(module)
    for name, coding in (
        ("shared", "raw"),
        ("relative index", "relative"),
        ("Huffman", "relative-huffman"),
        ("smallest", "smallest"),
    ):
        coded = module.clone()
        CompressWeightsPass(coding).apply(Context(), coded)
        rows.append((name, bits_a_weight(stored_weights(coded)), accuracy))
    print(f"\n{'stage':24s} {'bits':>6s} {'factor':>7s} {'accuracy':>9s}")
    for name, bits, found in rows:
        print(f"{name:24s} {bits:6.2f} {FLOAT_BITS / bits:6.1f}x {found:7.2f} %")


def main() -> None:
    """Print both tables."""
    paths = [Path(argument) for argument in sys.argv[1:]] or [MODEL, DATA]
    if len(paths) != 2:
        sys.exit("usage: storage.py [MODEL.onnx TEST.npz]")
    model, data = paths
    test = np.load(data)
    network = Network(model, test["inputs"], test["labels"])
    print(f"{model.name}, {len(network.labels)} test inputs\n")
    print_schemes(network)
    print_stages(network)


if __name__ == "__main__":
    main()
