"""Writes image-models.json beside it: residual, LeNet and MobileNet networks in PyTorch on the CPU.

Run from the repository root:  python3 test/nn/goldens/make_image_models.py
Weights and images are a formula of their place (see `fill`), which the test computes as well; the file holds what comes out in
training: outputs, some gradients, the running statistics of the first batch norm; then outputs of evaluation.
"""

import json
import os
import sys

import torch
from torch import nn
from torch.nn import functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "goldens"))
from make_goldens import enc  # noqa: E402


def values(shape, salt):
    n = torch.Size(shape).numel()
    i = torch.arange(n, dtype=torch.int64)
    return (((i * 7919 + salt * 104729) % 1009).double() / 1009 - 0.5).reshape(shape)


def fill(module):
    with torch.no_grad():
        for k, (name, p) in enumerate(sorted(module.named_parameters())):
            v = values(p.shape, k)
            if p.dim() > 1:
                v = v * 4 / p[0].numel() ** 0.5
            elif name.endswith("weight"):
                v = v + 1
            p.copy_(v)


class BasicBlock(nn.Module):
    def __init__(self, c, o, stride, projection):
        super().__init__()
        self.conv1 = nn.Conv2d(c, o, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(o)
        self.conv2 = nn.Conv2d(o, o, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(o)
        self.grow, self.stride, self.downsample = o - c, stride, None
        if projection and (stride != 1 or c != o):
            self.downsample = nn.Sequential(nn.Conv2d(c, o, 1, stride, bias=False), nn.BatchNorm2d(o))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.downsample is not None:
            return F.relu(y + self.downsample(x))
        low = self.grow // 2
        return F.relu(y + F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, low, self.grow - low)))


class ResNet(nn.Module):
    def __init__(self, depth, c, classes, channels, projection):
        super().__init__()
        self.conv1 = nn.Conv2d(c, channels[0], 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels[0])
        last = channels[0]
        for s, o in enumerate(channels):
            blocks = []
            for b in range((depth - 2) // 6):
                blocks.append(BasicBlock(last, o, 2 if s > 0 and b == 0 else 1, projection))
                last = o
            setattr(self, f"layer{s + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(last, classes)

    def forward(self, x):
        h = F.relu(self.bn1(self.conv1(x)))
        h = self.layer3(self.layer2(self.layer1(h)))
        return self.fc(h.mean((2, 3)))


class Flatten(nn.Module):
    def forward(self, x):
        return x.permute(0, 2, 3, 1).flatten(1)


class LeNet5(nn.Module):
    def __init__(self, tanh):
        super().__init__()
        act, pool = (nn.Tanh, nn.AvgPool2d) if tanh else (nn.ReLU, nn.MaxPool2d)
        self.features = nn.Sequential(nn.Conv2d(1, 6, 5, padding=0 if tanh else 2), act(), pool(2), nn.Conv2d(6, 16, 5), act(), pool(2))
        self.classifier = nn.Sequential(Flatten(), nn.Linear(400, 120), act(), nn.Linear(120, 84), act(), nn.Linear(84, 10))

    def forward(self, x):
        return self.classifier(self.features(x))


def step(conv, linear=False):
    return [conv, nn.BatchNorm2d(conv.out_channels)] + ([] if linear else [nn.ReLU6()])


class DepthwiseSeparable(nn.Module):
    def __init__(self, c, o, stride):
        super().__init__()
        self.conv = nn.Sequential(*step(nn.Conv2d(c, c, 3, stride, 1, groups=c, bias=False)), *step(nn.Conv2d(c, o, 1, bias=False)))

    def forward(self, x):
        return self.conv(x)


class Residual(nn.Module):
    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, x):
        return x + self.body(x)


class InvertedResidual(nn.Module):
    def __init__(self, c, o, stride, expand):
        super().__init__()
        h = c * expand
        body = nn.Sequential(*(step(nn.Conv2d(c, h, 1, bias=False)) if expand > 1 else []),
                             *step(nn.Conv2d(h, h, 3, stride, 1, groups=h, bias=False)), *step(nn.Conv2d(h, o, 1, bias=False), True))
        self.block = Residual(body) if stride == 1 and c == o else body

    def forward(self, x):
        return self.block(x)


def case(name, args, module, shape, gradients):
    fill(module)
    x = values(shape, 99).float().mul(4).requires_grad_()
    y = module(x.movedim(-1, 1))
    out = y.movedim(1, -1) if y.dim() == 4 else y
    (out * values(out.shape, 77).float()).sum().backward()
    named = dict(module.named_parameters())
    running = {n.replace("running_mean", "runningMean").replace("running_var", "runningVar"): enc(b.clone())
               for n, b in list(module.named_buffers())[:2]}
    result = {"layer": name, "args": args, "shape": list(shape), "count": sum(p.numel() for p in module.parameters()),
              "output": enc(out), "dx": enc(x.grad), "gradients": {n: enc(named[n].grad) for n in gradients}, "running": running}
    module.eval()
    y = module(x.movedim(-1, 1))
    result["evaluated"] = enc(y.movedim(1, -1) if y.dim() == 4 else y)
    return result


def make():
    counts = {f"{d} {s}": sum(p.numel() for p in ResNet(d, 3, 10, [16, 32, 64], s == "projection").parameters())
              for d in (20, 32, 56) for s in ("identity", "projection")}
    first = ["conv1.weight", "bn1.weight", "bn1.bias"]
    cases = [
        case("ResNet", [{"depth": 8, "inChannels": 1, "classes": 3, "width": 0.25}], ResNet(8, 1, 3, [4, 8, 16], False), (2, 9, 8, 1), first),
        case("ResNet", [{"depth": 8, "inChannels": 2, "classes": 3, "width": 0.25, "shortcut": "projection"}],
             ResNet(8, 2, 3, [4, 8, 16], True), (2, 8, 8, 2), [*first, "layer2.0.downsample.0.weight", "layer3.0.bn2.bias"]),
        case("LeNet5", [], LeNet5(False), (2, 28, 28, 1), ["features.0.bias", "features.3.bias"]),
        case("LeNet5", [{"imageSize": 32, "activation": "tanh"}], LeNet5(True), (1, 32, 32, 1), ["features.0.weight"]),
        case("DepthwiseSeparable", [3, 5, {"stride": 2}], DepthwiseSeparable(3, 5, 2), (2, 6, 5, 3), ["conv.0.weight", "conv.3.weight"]),
        case("InvertedResidual", [3, 3, {"expand": 4}], InvertedResidual(3, 3, 1, 4), (2, 4, 5, 3), ["block.body.3.weight", "block.body.7.bias"]),
        case("InvertedResidual", [3, 4, {"expand": 1, "stride": 2}], InvertedResidual(3, 4, 2, 1), (2, 4, 5, 3), ["block.0.weight"]),
    ]
    path = os.path.join(HERE, "image-models.json")
    header = {"script": "test/nn/goldens/make_image_models.py", "torch": torch.__version__}
    with open(path, "w") as f:
        f.write(json.dumps({"madeBy": header, "counts": counts, "cases": cases}, separators=(",", ":")) + "\n")
    print(f"image-models.json {os.path.getsize(path)} bytes, {counts}")


make()
