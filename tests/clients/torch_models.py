"""Every state dict and safetensors file of a folder in PyTorch, against what it must answer."""
import json
import pathlib
import struct
import sys

import numpy
import torch


def read_safetensors(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    state = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        numbers = numpy.frombuffer(data[8 + length + begin : 8 + length + end], {"F32": "<f4", "F64": "<f8"}[entry["dtype"]])
        state[name] = torch.tensor(numbers.reshape(entry["shape"]).copy())
    return state


def build(state):
    """The modules that the names tell of, in order."""
    modules = []
    for prefix in dict.fromkeys(name.rsplit(".", 1)[0] for name in state):
        own = {name[len(prefix) + 1 :]: value for name, value in state.items() if name.startswith(prefix + ".")}
        if "weight" in own:
            module = torch.nn.Linear(*reversed(own["weight"].shape))
        else:
            rows, features = own["weight_ih_l0"].shape
            kind = {"l": torch.nn.LSTM, "g": torch.nn.GRU, "r": torch.nn.RNN}[prefix[0]]
            hidden = rows // {"l": 4, "g": 3, "r": 1}[prefix[0]]
            options = {"proj_size": own["weight_hr_l0"].shape[0]} if "weight_hr_l0" in own else {}
            layers = sum(name.startswith("weight_ih") and not name.endswith("reverse") for name in own)
            module = kind(features, hidden, layers, bidirectional="weight_ih_l0_reverse" in own, **options)
        module.load_state_dict(own)  # strict: every name and shape
        modules.append(module)
    return modules


folder = pathlib.Path(sys.argv[1])
compared = 0
for path in sorted([*folder.glob("*.state_dict"), *folder.glob("*.safetensors")]):
    if path.suffix == ".safetensors":
        state = read_safetensors(path)
    else:
        state = {name: torch.tensor(value) for name, value in json.loads(path.read_text()).items()
                 if name != "modules"}  # what names do not tell: of an RNN
    expected = json.loads(path.with_suffix(".expected.json").read_text())
    x = torch.tensor(expected["input"]).unsqueeze(1)
    with torch.no_grad():
        for module in build(state):
            x = module(x)
            x = x[0] if isinstance(x, tuple) else x
    largest = (x.squeeze(1) - torch.tensor(expected["output"])).abs().max().item()
    print(f"torch {torch.__version__}: {path.name} differs by at most {largest:.1e}")
    assert largest < 1e-6, path
    compared += 1
assert compared >= 10, compared
