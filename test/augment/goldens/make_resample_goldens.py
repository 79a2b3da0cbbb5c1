"""Writes resample.json: affine maps of small pictures by scipy.ndimage.map_coordinates, bilinear, in float64.

The matrices are composed here from the definitions, independently of the library: a pixel of the result at (x, y) comes from
M1 M2 ... Mk (x, y), Mi the inverse of step i about the centre of the picture.
"""
import json
from pathlib import Path

import numpy as np
import scipy
from scipy.ndimage import map_coordinates

H, W = 7, 6
SEED = 5


def about(m):
    """3 x 3 map with linear part m that keeps the centre."""
    c = np.array([(W - 1) / 2, (H - 1) / 2])
    out = np.eye(3)
    out[:2, :2] = m
    out[:2, 2] = c - m @ c
    return out


def rotate(deg):
    # Counter-clockwise with y pointing down: (1, 0) goes to (cos, -sin).
    t = np.deg2rad(deg)
    return about(np.linalg.inv(np.array([[np.cos(t), np.sin(t)], [-np.sin(t), np.cos(t)]])))


def zoom(x, y):
    return about(np.diag([1 / x, 1 / y]))


def shear(x, y):
    tx, ty = np.tan(np.deg2rad([x, y]))
    return about(np.linalg.inv(np.array([[1, tx], [0, 1]]) @ np.array([[1, 0], [ty, 1]])))


def shift(x, y):
    out = np.eye(3)
    out[:2, 2] = [-x * W, -y * H]
    return out


STEPS = [rotate(25), zoom(1.3, 0.8), shift(0.15, -0.1), shear(12, -7)]
MODES = {"0.25": ("grid-constant", 0.25), "nearest": ("nearest", 0.0), "reflect": ("mirror", 0.0)}

picture = np.random.default_rng(SEED).random((H, W)).astype(np.float32)
matrix = np.linalg.multi_dot(STEPS)
ys, xs = np.mgrid[0:H, 0:W]
px, py, _ = np.tensordot(matrix, np.stack([xs, ys, np.ones_like(xs)]), axes=1)
results = {
    fill: map_coordinates(picture.astype(np.float64), [py, px], order=1, mode=mode, cval=cval).ravel().tolist()
    for fill, (mode, cval) in MODES.items()
}
Path(__file__).with_name("resample.json").write_text(
    json.dumps(
        {
            "madeBy": {"script": "test/augment/goldens/make_resample_goldens.py", "scipy": scipy.__version__, "seed": SEED},
            "shape": [H, W],
            "picture": picture.ravel().tolist(),
            "results": results,
        }
    )
    + "\n"
)
