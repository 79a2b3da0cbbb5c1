"""Writes torch-model.json: a small PyTorch model's state_dict as safetensors (base64), an input and the model's output.

Run: python3 test/nn/goldens/make_torch_model.py
Check a file that exportTorch wrote: python3 test/nn/goldens/make_torch_model.py FILE
"""
import base64
import json
import pathlib
import sys

import safetensors.torch
import torch

torch.manual_seed(0)
body = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.PReLU(4), torch.nn.LayerNorm(4))
head = torch.nn.Linear(4, 2, bias=False)
model = torch.nn.ModuleDict({"body": body, "head": head})
for _ in range(3):
    body(torch.randn(8, 3))
with torch.no_grad():
    for p in list(body[1].parameters()) + list(body[2].parameters()) + list(body[3].parameters()):
        p.add_(0.1 * torch.randn_like(p))

if len(sys.argv) > 1:
    state = safetensors.torch.load_file(sys.argv[1])
    print(model.load_state_dict(state))
    sys.exit()

model.eval()
x = torch.randn(5, 3)
with torch.no_grad():
    y = head(body(x))
half = {k: v.to(torch.bfloat16) if v.is_floating_point() else v for k, v in model.state_dict().items()}
out = {
    "source": f"PyTorch {torch.__version__}, safetensors {safetensors.__version__}, {pathlib.Path(__file__).name}, seed 0",
    "file": base64.b64encode(safetensors.torch.save(model.state_dict(), metadata={"format": "pt"})).decode(),
    "bfloat16": base64.b64encode(safetensors.torch.save(half)).decode(),
    "x": x.tolist(),
    "y": y.tolist(),
}
pathlib.Path(__file__).with_name("torch-model.json").write_text(json.dumps(out, indent=1) + "\n")
