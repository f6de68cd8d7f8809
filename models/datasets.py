"""The two data sets: scikit-learn's digits, and MNIST from its idx.gz files."""

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SPLIT_SEED = 0


@dataclass(frozen=True)
class Dataset:
    """Images float32 [samples, pixels] as stored; labels int64 [samples]."""

    train_images: NDArray[np.float32]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.float32]
    test_labels: NDArray[np.int64]


def digits() -> Dataset:
    """1,437 + 360 images of 8x8 pixels of value 0..16; the split is stratified."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    parts = train_test_split(
        bunch.data.astype(np.float32),
        bunch.target.astype(np.int64),
        test_size=360,
        stratify=bunch.target,
        random_state=SPLIT_SEED,
    )
    return Dataset(parts[0], parts[2], parts[1], parts[3])


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The array of an idx.gz file of bytes, in the shape its header gives."""
    raw = gzip.decompress(path.read_bytes())
    rank = raw[3]
    shape = np.frombuffer(raw, ">u4", rank, offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape)


def mnist_part(
    folder: Path, part: str
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Images [samples, 784] and labels [samples] of `part`, `train` or `t10k`."""
    pixels = read_idx(folder / f"{part}-images-idx3-ubyte.gz")
    labels = read_idx(folder / f"{part}-labels-idx1-ubyte.gz")
    return pixels.reshape(len(pixels), -1).astype(np.float32), labels.astype(np.int64)


def mnist(folder: Path) -> Dataset:
    """60,000 + 10,000 images of 28x28 pixels of value 0..255."""
    return Dataset(*mnist_part(folder, "train"), *mnist_part(folder, "t10k"))
