"""Writes files.json: NPY, NPZ and safetensors files of NumPy and the safetensors package, in base64, and what they hold.

Run: python3 test/io/goldens/make_file_goldens.py
"""
import base64
import io
import json
import pathlib
import sys
import warnings

import numpy as np
import safetensors
import safetensors.numpy


def b64(data):
    return base64.b64encode(data).decode()


def plain(values):
    return [str(v) if isinstance(v, float) and not np.isfinite(v) else v for v in values]


def npy(name, array, version=None):
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.lib.format.write_array(out, array, version=version, allow_pickle=True)
    values = [] if array.dtype == object else plain(array.ravel(order="C").tolist())
    return {"name": name, "shape": list(array.shape), "values": values, "file": b64(out.getvalue())}


def npz(save, arrays):
    out = io.BytesIO()
    save(out, **arrays)
    return b64(out.getvalue())


grid = np.arange(24).reshape(2, 3, 4)
arrays = []
for dtype in ["?", "|u1", "|i1", "<i2", ">i2", "<u2", ">u2", "<i4", ">i4", "<u4", ">u4", "<i8", ">i8", "<u8", ">u8", "<f2", ">f2", "<f4", ">f4", "<f8", ">f8"]:
    values = grid % 2 if dtype == "?" else grid - 7 if np.dtype(dtype).kind in "if" else grid
    arrays.append(npy(dtype, values.astype(dtype)))
    arrays.append(npy(dtype + " fortran", np.asfortranarray(values.astype(dtype))))
arrays.append(npy("scalar", np.array(2.5)))
arrays.append(npy("empty", np.zeros((3, 0, 2), dtype="f4")))
arrays.append(npy("one axis", np.array([1.5, -0.0, np.nan, np.inf, 5e-324])))
arrays.append(npy("halves", np.array([6e-8, -6e-5, 65504, np.inf, np.nan, -0.0, 1 / 3], dtype="f2")))
arrays.append(npy("extremes", np.array([-(2**31), 2**31 - 1], dtype="i8")))
for version in [(1, 0), (2, 0), (3, 0)]:
    arrays.append(npy(f"version {version[0]}", np.arange(3, dtype="f4"), version))
refused = [
    {**npy("object", np.array([1, "x"], dtype=object)), "message": "object"},
    {**npy("record", np.zeros(2, dtype=[("a", "<f4"), ("b", "<i4")])), "message": "records"},
    {**npy("complex", np.zeros(2, dtype="c8")), "message": "'<c8'"},
    {**npy("text", np.array(["ab"])), "message": "'<U2'"},
    {**npy("date", np.array(["2020-01-01"], dtype="M8[D]")), "message": "'<M8\\[D\\]'"},
    {**npy("above int32", np.array([1, 2**31])), "message": "the integer 2147483648 does not fit"},
    {**npy("below int32", np.array([-(2**31) - 1])), "message": "the integer -2147483649 does not fit"},
    {**npy("above int32, unsigned", np.array([2**32 - 1], dtype="<u4")), "message": "4294967295 does not fit"},
    {**npy("above int64", np.array([2**64 - 1], dtype=">u8")), "message": "18446744073709551615 does not fit"},
]
for r in refused:
    r["values"] = []

xy = {"x": np.linspace(0, 1, 500, dtype="f4").reshape(100, 5), "labels/y": np.arange(100) % 3}
tensors = {
    "a": np.arange(6, dtype="f4").reshape(2, 3),
    "b.bias": np.array([np.pi, 5e-324]),
    "step": np.array(7, dtype="i4"),
    "empty": np.zeros((2, 0), dtype="f4"),
    "mask": np.array([True, False, True]),
    "bytes": np.array([0, 1, 255], dtype="u1"),
    'naïve "quoted"': np.array([9], dtype="u1"),
}
out = {
    "source": f"numpy {np.__version__}, safetensors {safetensors.__version__}, Python {sys.version.split()[0]}, {pathlib.Path(__file__).name}",
    "npy": arrays,
    "refused": refused,
    "npz": {"stored": npz(np.savez, xy), "deflated": npz(np.savez_compressed, xy)},
    "safetensors": b64(safetensors.numpy.save(tensors, metadata={"format": "pt"})),
}
pathlib.Path(__file__).with_name("files.json").write_text(json.dumps(out, ensure_ascii=False, indent=1) + "\n")
