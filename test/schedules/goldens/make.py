#!/usr/bin/env python3
"""Makes the golden learning-rate curves with PyTorch.

    pip install torch==2.13.0
    python3 test/schedules/goldens/make.py
"""
import json
import pathlib
import warnings

import torch
from torch.optim import lr_scheduler as S

HERE = pathlib.Path(__file__).resolve().parent
warnings.simplefilter("ignore")


def curve(make, n, lr=0.1):
    """Rate of each of n updates."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=lr)
    scheduler = make(optimizer)
    values = []
    for _ in range(n):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if len(values) < n:
            scheduler.step()
    return values


def plateau(results, lr=0.1, **options):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=lr)
    scheduler = S.ReduceLROnPlateau(optimizer, **options)
    values = []
    for r in results:
        scheduler.step(r)
        values.append(optimizer.param_groups[0]["lr"])
    return values


curves = [
    {"name": "constant", "lr": 0.1, "options": None, "values": curve(lambda o: S.LambdaLR(o, lambda t: 1), 5)},
    {"name": "exponential", "lr": 0.1, "options": {"gamma": 0.9}, "values": curve(lambda o: S.ExponentialLR(o, 0.9), 50)},
    {"name": "step", "lr": 0.1, "options": {"every": 5, "factor": 0.5}, "values": curve(lambda o: S.StepLR(o, 5, 0.5), 40)},
    {"name": "step", "lr": 0.1, "options": {"every": 3}, "values": curve(lambda o: S.StepLR(o, 3), 12)},
    {"name": "multiStep", "lr": 0.1, "options": {"milestones": [3, 7, 7, 20], "factor": 0.3},
     "values": curve(lambda o: S.MultiStepLR(o, [3, 7, 7, 20], 0.3), 30)},
    {"name": "multiStep", "lr": 0.1, "options": {"milestones": [4]}, "values": curve(lambda o: S.MultiStepLR(o, [4]), 8)},
    {"name": "polynomial", "lr": 0.1, "options": {"steps": 20, "power": 2.5},
     "values": curve(lambda o: S.PolynomialLR(o, 20, 2.5), 25)},
    {"name": "polynomial", "lr": 0.1, "options": {"steps": 5}, "values": curve(lambda o: S.PolynomialLR(o, 5), 8)},
    {"name": "cosine", "lr": 0.1, "options": {"steps": 30, "end": 0.01},
     "values": curve(lambda o: S.CosineAnnealingLR(o, 30, 0.01), 31)},
    {"name": "cosine", "lr": 0.1, "options": {"steps": 7}, "values": curve(lambda o: S.CosineAnnealingLR(o, 7), 8)},
    {"name": "warmRestarts", "lr": 0.1, "options": {"first": 5, "multiplier": 2, "end": 0.001},
     "values": curve(lambda o: S.CosineAnnealingWarmRestarts(o, 5, 2, 0.001), 60)},
    {"name": "warmRestarts", "lr": 0.1, "options": {"first": 6}, "values": curve(lambda o: S.CosineAnnealingWarmRestarts(o, 6), 20)},
    {"name": "linearWarmup", "lr": 0.1, "options": {"steps": 10}, "values": curve(lambda o: S.LinearLR(o, total_iters=10), 15)},
    {"name": "linearWarmup", "lr": 0.1, "options": {"steps": 4, "startFactor": 0.01},
     "values": curve(lambda o: S.LinearLR(o, 0.01, total_iters=4), 8)},
    {"name": "warmupThenCosine", "lr": 0.1, "options": None,
     "values": curve(lambda o: S.SequentialLR(o, [S.LinearLR(o, 0.1, total_iters=5), S.CosineAnnealingLR(o, 20)], [5]), 26)},
    *[{"name": "oneCycle", "lr": 0.1, "options": ours, "values": curve(lambda o: S.OneCycleLR(o, 0.1, 40, **theirs), 40)}
      for ours, theirs in [
          ({"steps": 40}, {}),
          ({"steps": 40, "anneal": "linear", "riseShare": 0.4}, {"anneal_strategy": "linear", "pct_start": 0.4}),
          ({"steps": 40, "threePhase": True, "divFactor": 10, "finalDivFactor": 100},
           {"three_phase": True, "div_factor": 10, "final_div_factor": 100}),
      ]],
]
falling = [1.0, 0.9, 0.95, 0.9, 0.9, 0.8999, 0.91, 0.5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.4, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6]
names = {"minLr": "min_lr", "thresholdMode": "threshold_mode", "relative": "rel", "absolute": "abs"}
plateaus = []
for options in [{"patience": 2}, {"patience": 1, "factor": 0.5, "cooldown": 2}, {"patience": 0, "minLr": 0.01, "factor": 0.3},
                {"patience": 1, "threshold": 0.1, "thresholdMode": "absolute"}, {"patience": 1, "mode": "max", "threshold": 0.05},
                {"patience": 1, "mode": "max", "threshold": 0.05, "thresholdMode": "absolute"}, {"patience": 0, "eps": 0.05}, {}]:
    theirs = {names.get(k, k): names.get(v, v) if isinstance(v, str) else v for k, v in options.items()}
    plateaus.append({"options": options, "values": plateau(falling, **theirs)})
body = {"made with": f"torch {torch.__version__}", "curves": curves, "results": falling, "plateaus": plateaus}
(HERE / "schedules.json").write_text(json.dumps(body, indent=1) + "\n")
