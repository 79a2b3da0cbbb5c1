#!/usr/bin/env python3
"""Checks Neurite's safetensors files against the Python package, both ways.

Needs `pip install safetensors numpy` and a built `dist`. Not part of the tests: run it when src/io changes.

    python3 tools/check-safetensors.py
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

ROOT = pathlib.Path(__file__).resolve().parent.parent
IO = (ROOT / "dist" / "io" / "index.js").as_uri()

WRITE = """
import { writeSafetensors } from IO;
const f32 = Float32Array.of(1.5, -0, Infinity, -Infinity, 1e-45, 3.4028235e38);
await writeSafetensors(process.argv[1], {
  '0.weight': { dtype: 'float32', shape: [2, 3], data: f32 },
  double: { dtype: 'float64', shape: [2], data: Float64Array.of(Math.PI, 5e-324) },
  labels: { dtype: 'int32', shape: [2, 1], data: Int32Array.of(-1, 2147483647) },
  bytes: { dtype: 'uint8', shape: [3], data: Uint8Array.of(0, 1, 255) },
  mask: { dtype: 'bool', shape: [2], data: Uint8Array.of(1, 0) },
  scalar: { dtype: 'float32', shape: [], data: Float32Array.of(7) },
  empty: { dtype: 'float32', shape: [2, 0], data: new Float32Array(0) },
  'nai\\u0308ve "q" \\u{1F9E0}': { dtype: 'uint8', shape: [1], data: Uint8Array.of(9) },
}, { format: 'neurite', version: '1', note: 'v\\u00e4rde "x"' });
"""

COPY = """
import { readSafetensors, writeSafetensors } from IO;
const { tensors, metadata } = await readSafetensors(process.argv[1]);
await writeSafetensors(process.argv[2], tensors, metadata);
console.log(JSON.stringify([...tensors].map(([name, t]) => [name, t.dtype, t.shape])));
"""

EXPECTED = {
    "0.weight": np.array([[1.5, -0.0, np.inf], [-np.inf, 1e-45, 3.4028235e38]], np.float32),
    "double": np.array([np.pi, 5e-324]),
    "labels": np.array([[-1], [2147483647]], np.int32),
    "bytes": np.array([0, 1, 255], np.uint8),
    "mask": np.array([True, False]),
    "scalar": np.array(7, np.float32),
    "empty": np.zeros((2, 0), np.float32),
    'nai\u0308ve "q" \U0001f9e0': np.array([9], np.uint8),
}


def node(script: str, *args: pathlib.Path) -> str:
    source = script.replace("IO;", json.dumps(IO) + ";", 1)
    command = ["node", "--input-type=module", "-e", source, *map(str, args)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def same(a: dict, b: dict) -> None:
    assert a.keys() == b.keys(), (a.keys(), b.keys())
    for name in a:
        assert a[name].dtype == b[name].dtype and a[name].shape == b[name].shape, name
        assert a[name].tobytes() == b[name].tobytes(), name


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        ours, theirs, back = (folder / f"{n}.safetensors" for n in ("ours", "theirs", "back"))
        node(WRITE, ours)
        same(load_file(ours), EXPECTED)
        with safe_open(ours, framework="numpy") as f:
            assert f.metadata() == {"format": "neurite", "version": "1", "note": 'värde "x"'}, f.metadata()
        print(f"Python reads Neurite's file: {len(EXPECTED)} tensors, equal bit for bit")

        rng = np.random.default_rng(1)
        dtypes = {np.float32: "f", np.float64: "d", np.int32: "i", np.uint8: "u", np.bool_: "b"}
        made = dict(EXPECTED)
        for i in range(200):
            dtype = list(dtypes)[i % len(dtypes)]
            shape = tuple(int(n) for n in rng.integers(0, 6, rng.integers(0, 5)))
            made[f"t.{i}"] = np.asarray(rng.integers(0, 2 if dtype is np.bool_ else 200, shape)).astype(dtype)
        save_file(made, theirs, {"format": "pt"})
        node(COPY, theirs, back)
        same(load_file(back), made)
        equal = theirs.read_bytes() == back.read_bytes()
        print(f"Neurite reads Python's file and writes it back: {len(made)} tensors, equal; same bytes: {equal}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
