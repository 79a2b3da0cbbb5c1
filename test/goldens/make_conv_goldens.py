"""Writes conv.json from PyTorch on the CPU: convolution layers, sizes of outputs, models with a Flatten between image and dense layers.

Run from the repository root:  python3 test/goldens/make_conv_goldens.py
Inputs are made by the formula below on both sides, so only results are stored, nine significant digits, which identifies a
float32. Images are channels last in the file (Neurite's order); PyTorch gets them channels first.
"""

import base64
import json
import math
import os
import random

import safetensors.torch
import torch
import torch.nn.functional as F

SEED = 20
HERE = os.path.dirname(os.path.abspath(__file__))
torch.set_num_threads(1)


def formula(shape, salt, scale):
    """float32(((i * 7919 + salt * 104729 + 13) % 1009 / 1009 - 0.5) * scale): the same bits in every language."""
    i = torch.arange(math.prod(shape), dtype=torch.int64)
    return (((i * 7919 + salt * 104729 + 13) % 1009).double() / 1009 - 0.5).mul(scale).float().reshape(shape)


def enc(t):
    t = t.detach().contiguous()
    return {"shape": list(t.shape), "dtype": "float32", "data": [float(f"{v:.9g}") for v in t.reshape(-1).tolist()]}


def first(x):
    return x.movedim(-1, 1)


def last(x):
    return x.movedim(1, -1)


# Class, channels in and out, kernel, options in Neurite's words, images [batch, ..., channels].
LAYERS = [
    ("Conv1d", 3, 4, 3, {"padding": 1}, [2, 7, 3]),
    ("Conv1d", 4, 6, 3, {"stride": 2, "padding": 2, "dilation": 2, "groups": 2}, [2, 9, 4]),
    ("Conv1d", 2, 3, 4, {"padding": "same", "paddingMode": "reflect", "bias": False}, [1, 8, 2]),
    ("Conv2d", 3, 5, 3, {}, [2, 6, 5, 3]),
    ("Conv2d", 1, 4, 3, {"padding": 1}, [2, 5, 5, 1]),
    ("Conv2d", 3, 4, 7, {"stride": 2, "padding": 3, "bias": False}, [1, 8, 8, 3]),
    ("Conv2d", 5, 6, 1, {"stride": 2}, [2, 5, 4, 5]),
    ("Conv2d", 2, 3, [3, 2], {"stride": [2, 1], "padding": [1, 0], "dilation": [1, 2]}, [1, 6, 7, 2]),
    ("Conv2d", 4, 6, 3, {"groups": 2, "padding": "valid"}, [1, 5, 6, 4]),
    ("Conv2d", 4, 4, 3, {"groups": 4, "stride": 2, "padding": 1}, [2, 6, 5, 4]),
    ("Conv2d", 2, 4, [4, 3], {"padding": "same", "dilation": [1, 2]}, [1, 6, 6, 2]),
    ("Conv2d", 2, 3, 3, {"padding": 2, "paddingMode": "reflect"}, [1, 4, 5, 2]),
    ("Conv2d", 2, 3, 3, {"padding": [1, 2], "paddingMode": "replicate", "stride": 2}, [1, 4, 5, 2]),
    ("Conv2d", 2, 3, 3, {"padding": 1, "paddingMode": "circular"}, [1, 4, 5, 2]),
    ("Conv2d", 2, 3, 3, {"padding": "full", "dilation": 2}, [1, 3, 4, 2]),
    ("Conv3d", 2, 3, 2, {"stride": [1, 2, 1], "padding": [1, 0, 1]}, [1, 3, 4, 3, 2]),
    ("Conv3d", 2, 4, [1, 2, 3], {"groups": 2, "dilation": [1, 2, 1], "padding": "same"}, [1, 2, 4, 3, 2]),
    ("ConvTranspose1d", 3, 4, 4, {"stride": 2, "padding": 1}, [2, 5, 3]),
    ("ConvTranspose1d", 4, 2, 3, {"stride": 3, "outputPadding": 2, "groups": 2, "bias": False}, [1, 4, 4]),
    ("ConvTranspose2d", 3, 4, 2, {"stride": 2}, [1, 3, 4, 3]),
    ("ConvTranspose2d", 3, 2, 3, {"padding": 1, "dilation": 2}, [1, 4, 5, 3]),
    ("ConvTranspose2d", 4, 6, [3, 2], {"stride": [2, 3], "padding": [1, 0], "outputPadding": [1, 2], "groups": 2}, [1, 3, 3, 4]),
    ("ConvTranspose2d", 3, 3, 3, {"groups": 3, "stride": 2, "padding": 1, "outputPadding": 1}, [2, 3, 3, 3]),
    ("ConvTranspose3d", 2, 3, 2, {"stride": [2, 1, 2], "padding": [0, 1, 0], "outputPadding": [1, 0, 0]}, [1, 2, 3, 2, 2]),
]
WORDS = {"paddingMode": "padding_mode", "outputPadding": "output_padding"}


def make_layers():
    cases = []
    for number, (name, n_in, n_out, kernel, options, shape) in enumerate(LAYERS):
        kw = {WORDS.get(k, k): tuple(v) if isinstance(v, list) else v for k, v in options.items()}
        axes = len(shape) - 2
        if kw.get("padding") == "full":
            per = lambda v: [v] * axes if isinstance(v, int) else v
            kw["padding"] = tuple(d * (k - 1) for k, d in zip(per(kernel), per(kw.get("dilation", 1))))
        layer = getattr(torch.nn, name)(n_in, n_out, tuple(kernel) if isinstance(kernel, list) else kernel, **kw)
        with torch.no_grad():
            for i, p in enumerate(layer.parameters()):
                p.copy_(formula(p.shape, 10 * number + i + 1, 0.8))
        x = formula(shape, 10 * number, 2).requires_grad_()
        y = last(layer(first(x)))
        (y * formula(y.shape, 10 * number + 3, 2)).sum().backward()
        cases.append({
            "layer": name, "args": [n_in, n_out, kernel, options], "salt": 10 * number, "shape": shape, "output": enc(y),
            "gradients": [enc(g) for g in [x.grad] + [p.grad for p in layer.parameters()]],
        })
    return cases


def make_sizes():
    """[transposed, input, kernel, stride, padding, dilation, outputPadding, output or null where PyTorch refuses]"""
    rng = random.Random(SEED)
    conv = [F.conv1d, F.conv2d, F.conv3d]
    transposed = [F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d]
    rows = []
    for _ in range(500):
        axes = rng.choice([1, 2, 2, 2, 3])
        pick = lambda low, high: [rng.randint(low, high) for _ in range(axes)]
        turned = rng.random() < 0.4
        size, kernel, stride = pick(1, 40 if axes < 3 else 12), pick(1, 7), pick(1, 4)
        dilation = pick(1, 3) if rng.random() < 0.5 else [1] * axes
        padding = "same" if not turned and rng.random() < 0.15 else pick(0, 4)
        if padding == "same":
            stride = [1] * axes
        extra = pick(0, 3) if turned else [0] * axes
        x = torch.zeros([1, 1, *size])
        w = torch.zeros([1, 1, *kernel])
        try:
            if turned:
                y = transposed[axes - 1](x, w, None, stride, padding, extra, 1, dilation)
            else:
                y = conv[axes - 1](x, w, None, stride, padding, dilation)
            out = list(y.shape[2:])
        except RuntimeError:
            out = None
        if out is not None and min(out) < 1:
            out = None
        rows.append([int(turned), size, kernel, stride, padding, dilation, extra, out])
    return rows


class Encoder(torch.nn.Module):
    """Image to vector, with everything that may stand between Flatten and Linear."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(2, 3, 3, stride=2, padding=1)
        self.norm = torch.nn.BatchNorm1d(3 * 4 * 2)
        self.slopes = torch.nn.PReLU(3 * 4 * 2)
        self.dense = torch.nn.Linear(3 * 4 * 2, 5)
        self.head = torch.nn.Linear(5, 4)

    def forward(self, x):
        h = torch.flatten(torch.relu(self.conv(x)), 1)
        return self.head(torch.tanh(self.dense(self.slopes(self.norm(h)))))


class Decoder(torch.nn.Module):
    """Vector to image: the dense layer's outputs are seen as channels first."""

    def __init__(self):
        super().__init__()
        self.dense = torch.nn.Linear(4, 3 * 2 * 5)
        self.up = torch.nn.ConvTranspose2d(3, 2, 2, stride=2)

    def forward(self, z):
        return self.up(torch.relu(self.dense(z)).reshape(-1, 3, 2, 5))


class Sequence(torch.nn.Module):
    """One axis: the length comes last in PyTorch."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv1d(2, 3, 2)
        self.dense = torch.nn.Linear(3 * 5, 2)

    def forward(self, x):
        return self.dense(torch.flatten(self.conv(x), 1))


def make_models():
    out = {}
    for name, model, shape in [("encoder", Encoder(), [3, 7, 4, 2]), ("decoder", Decoder(), [3, 4]), ("sequence", Sequence(), [2, 6, 2])]:
        with torch.no_grad():
            for i, (key, p) in enumerate(model.state_dict().items()):
                if p.is_floating_point():
                    p.copy_(formula(p.shape, i, 1.0))
                if key.endswith("running_var"):
                    p.abs_().add_(0.5)
        x = formula(shape, 99, 2)
        with torch.no_grad():
            y = model.eval()(first(x) if len(shape) > 2 else x)
        file = base64.b64encode(safetensors.torch.save(model.state_dict(), metadata={"format": "pt"})).decode()
        out[name] = {"file": file, "shape": shape, "output": enc(last(y) if y.dim() > 2 else y)}
    return out


if __name__ == "__main__":
    body = {
        "madeBy": {"script": "test/goldens/make_conv_goldens.py", "torch": torch.__version__, "seed": SEED},
        "layers": make_layers(), "sizes": make_sizes(), "models": make_models(),
    }
    path = os.path.join(HERE, "conv.json")
    with open(path, "w") as f:
        f.write(json.dumps(body, separators=(",", ":")) + "\n")
    size = os.path.getsize(path)
    assert size < 150_000, size
    print(size, sum(r[-1] is None for r in body["sizes"]), "refused")
