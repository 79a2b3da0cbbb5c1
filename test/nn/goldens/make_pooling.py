"""Writes pooling.json beside it: pooling, resizing and padding from PyTorch on the CPU, values and gradients.

Run from the repository root:  python3 test/nn/goldens/make_pooling.py
Channels are last in the file, as in Neurite; PyTorch's are second. Sizes are random: what is checked is every formula for them.
"""

import json
import os
import random
import sys

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "goldens"))
from make_goldens import SEED  # noqa: E402

torch.manual_seed(SEED)
random.seed(SEED)


def enc(t):
    return {"shape": list(t.shape), "dtype": "float32", "data": [round(v, 7) for v in t.detach().flatten().tolist()]}


def case(name, args, module, shape):
    # Multiples of 1/8 are short to write and exact; ties are wanted.
    x = (torch.randint(-16, 17, shape) / 8).requires_grad_()
    y = module(x.movedim(-1, 1))
    y = y.movedim(1, -1)
    g = torch.randint(-16, 17, y.shape) / 8
    (y * g).sum().backward()
    if name.startswith("Global"):
        y, g = y.flatten(1), g.flatten(1)
    return {"layer": name, "args": args, "x": enc(x), "output": enc(y), "cotangent": enc(g), "dx": enc(x.grad)}


def windows():
    """Layers by their windows; dims, options as of both sides."""
    out = []
    for i in range(30):
        dims = [2, 1, 2, 3, 2][i % 5]
        kind = "Max" if i % 2 == 0 else "Avg"
        kernel = [random.randint(1, 3) for _ in range(dims)]
        options, torch_options = {}, {}
        dilation = [1] * dims
        if kind == "Max" and random.random() < 0.5:
            dilation = [random.randint(1, 2) for _ in range(dims)]
            options["dilation"] = torch_options["dilation"] = dilation
        if random.random() < 0.7:
            options["stride"] = torch_options["stride"] = [random.randint(1, 3) for _ in range(dims)]
        if random.random() < 0.6:
            options["padding"] = torch_options["padding"] = [random.randint(0, k // 2) for k in kernel]
        if random.random() < 0.5:
            options["ceilMode"] = torch_options["ceil_mode"] = True
        if kind == "Avg" and random.random() < 0.5:
            options["countIncludePad"] = torch_options["count_include_pad"] = False
        if kind == "Avg" and dims > 1 and random.random() < 0.3:
            options["divisorOverride"] = torch_options["divisor_override"] = random.randint(1, 5)
        spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilation)]
        size = [random.randint(s, s + 4) for s in spans]
        name = f"{kind}Pool{dims}d"
        if dims == 1 and kind == "Avg":
            torch_options = {k: v[0] if isinstance(v, list) else v for k, v in torch_options.items()}
        module = getattr(torch.nn, name)(kernel[0] if dims == 1 and kind == "Avg" else kernel, **torch_options)
        out.append(case(name, [kernel, options], module, (random.randint(1, 2), *size, random.randint(1, 3))))
    return out


def make():
    cases = windows()
    for kind in ["Avg", "Max"]:
        for size, target in [((7,), [3]), ((5, 8), [3, 5]), ((6, 4), [3, 2]), ((3, 4, 5), [2, 3, 1])]:
            name = f"Adaptive{kind}Pool{len(size)}d"
            target = target[0] if len(target) == 1 else target
            cases.append(case(name, [target], getattr(torch.nn, name)(target), (2, *size, 2)))
        module = getattr(torch.nn, f"Adaptive{kind}Pool2d")(1)
        cases.append(case(f"Global{kind}Pool2d", [], module, (2, 3, 5, 3)))
    for options, size in [
        ({"scaleFactor": 2}, (3, 2)), ({"size": [4, 7]}, (3, 5)), ({"scaleFactor": 1.6}, (4, 5)), ({"scaleFactor": 0.5}, (5, 4)),
        ({"scaleFactor": 2, "mode": "bilinear"}, (3, 4)), ({"size": [5, 3], "mode": "bilinear", "alignCorners": True}, (3, 5)),
        ({"scaleFactor": [1.5, 0.7], "mode": "bilinear"}, (5, 6)), ({"size": [1, 6], "mode": "bilinear", "alignCorners": True}, (3, 4)),
        ({"scaleFactor": 3, "mode": "linear"}, (4,)), ({"scaleFactor": 2, "mode": "trilinear"}, (2, 3, 2)),
    ]:
        names = {"scaleFactor": "scale_factor", "alignCorners": "align_corners"}
        given = {names.get(k, k): tuple(v) if isinstance(v, list) else v for k, v in options.items()}
        cases.append(case("Upsample", [options], torch.nn.Upsample(**given), (2, *size, 2)))
    cases.append(case("PixelShuffle", [2], torch.nn.PixelShuffle(2), (2, 2, 3, 8)))
    cases.append(case("PixelUnshuffle", [3], torch.nn.PixelUnshuffle(3), (1, 3, 6, 2)))
    for name, padding in [("ZeroPad2d", 1), ("ZeroPad2d", [1, 2, 0, 3]), ("ReflectionPad2d", [2, 1, 1, 0]), ("ReplicationPad2d", [0, 3, 2, 1])]:
        given = tuple(padding) if isinstance(padding, list) else padding
        cases.append(case(name, [padding], getattr(torch.nn, name)(given), (1, 3, 4, 2)))

    # Sizes alone, of many more windows: [size, kernel, stride, padding, dilation, ceil, result].
    sizes = []
    while len(sizes) < 500:
        size, kernel, stride, dilation = random.randint(1, 40), random.randint(1, 7), random.randint(1, 6), random.randint(1, 4)
        padding, ceil = random.randint(0, kernel // 2), random.random() < 0.5
        try:
            y = torch.nn.functional.max_pool1d(torch.zeros(1, 1, size), kernel, stride, padding, dilation, ceil)
            sizes.append([size, kernel, stride, padding, dilation, int(ceil), y.shape[2]])
        except RuntimeError:
            sizes.append([size, kernel, stride, padding, dilation, int(ceil), -1])
    path = os.path.join(HERE, "pooling.json")
    header = {"script": "test/nn/goldens/make_pooling.py", "torch": torch.__version__, "seed": SEED}
    with open(path, "w") as f:
        f.write(json.dumps({"madeBy": header, "cases": cases, "sizes": sizes}, separators=(",", ":")) + "\n")
    print(f"pooling.json {os.path.getsize(path)} bytes, {sum(s[6] < 0 for s in sizes)} windows that do not fit")


make()
