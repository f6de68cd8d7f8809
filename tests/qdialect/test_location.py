"""Names of source nodes in short."""

import pytest

from qdialect.location import shortened


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("Conv_0", "Conv_0"),
        ("a/Relu;b/Conv2D", "a/Relu;b/Conv2D"),
        ("x" * 40, "x" * 40),
        ("x" * 41, "x" * 40),
        # The last of fused nodes.
        (
            f"{'model/activation/Relu;' * 9}model/conv2d_2/Conv2D",
            "model/conv2d_2/Conv2D",
        ),
        # Whole words.
        (f"{'scope/' * 9}conv", f"{'scope/' * 6}conv"),
        (f"scope_{'y' * 40}", "y" * 40),
        (f"scope_{'y' * 41}", "y" * 40),
        (f"{'scope/' * 9};", ""),
    ],
)
def test_shortened(name: str, short: str) -> None:
    assert shortened(name) == short
