"""The report's colours of segments can be told apart, with and without all cones."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from support import Matrix

import segql

SCRIPT = Path(segql.__file__).parent / "report" / "page.js"
#: Machado, Oliveira & Fernandes (2009), severity 1, on linear RGB.
SEEN_WITH = {
    "all cones": np.eye(3),
    "no red cones": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
         [-0.003882, -0.048116, 1.051998]]
    ),
    "no green cones": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
         [-0.011820, 0.042940, 0.968881]]
    ),
    "no blue cones": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
         [0.004733, 0.691367, 0.303900]]
    ),
}  # fmt: skip
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = np.array([0.9505, 1.0, 1.089])


def linear(colour: str) -> Matrix:
    """Linear RGB of a colour as #rrggbb."""
    values = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb: Matrix) -> Matrix:
    """CIELAB (D65) of linear RGB."""
    x = TO_XYZ @ np.clip(rgb, 0, 1) / WHITE
    f = np.where(x > 0.008856, np.cbrt(x), 7.787 * x + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def theme(name: str) -> tuple[list[str], dict[str, str]]:
    """Colours of the segments, and the named ones."""
    text = SCRIPT.read_text("utf-8").split(f"{name}: {{", 1)[1].split("sequential:", 1)[0]
    listed = re.findall(r"#[0-9a-f]{6}", text[: text.index("]")])
    return listed, dict(re.findall(r"(\w+): \"(#[0-9a-f]{6})\"", text))


@pytest.mark.parametrize("name", ["light", "dark"])
@pytest.mark.parametrize("cones", SEEN_WITH)
def test_segments_are_told_apart(name: str, cones: str) -> None:
    listed, named = theme(name)
    seen = [lab(SEEN_WITH[cones] @ linear(colour)) for colour in (named["rest"], *listed)]

    assert len(listed) == 10
    for count, least in ((7, 23), (11, 18)):
        nearest = min(float(np.linalg.norm(a - b)) for a, b in combinations(seen[:count], 2))
        assert nearest >= least


@pytest.mark.parametrize("name", ["light", "dark"])
def test_segments_stand_out_from_the_ground(name: str) -> None:
    listed, named = theme(name)
    ground = float(TO_XYZ[1] @ linear(named["ground"]))
    for colour in listed:
        bright, dark = sorted([float(TO_XYZ[1] @ linear(colour)), ground], reverse=True)
        assert (bright + 0.05) / (dark + 0.05) >= 3
