"""Exports models of PyTorch to ONNX, with what they answer: torch_onnx.py FOLDER [NAME...]. NAME.onnx comes with
NAME.json, a list of pairs of an input and an output sequence. Without names, as many as it takes for every three ways of
exporting to occur together; some, NAME by NAME, are the files in tests/nn/io/files/onnx."""
import itertools
import json
import operator
import pathlib
import sys
import warnings

import torch
from torch import nn

warnings.simplefilter('ignore')
STEPS, BATCH = 4, 3


class Model(nn.Module):
    """A recurrent module and what follows it, from an initial state that is not given, zero, or learned."""

    def __init__(self, recurrent, head, state='none', skip=0, gain=1.0):
        super().__init__()
        self.recurrent, self.head, self.state, self.skip, self.gain = recurrent, head, state, skip, gain
        directions = 2 if recurrent.bidirectional else 1
        self.first = nn.Parameter(torch.randn(recurrent.num_layers * directions, 1, recurrent.hidden_size))

    def forward(self, x):
        y = self.recurrent(x, *self.initial(x))[0]
        y = self.head(y)
        if self.skip:
            y = y + x[..., :self.skip]
        return y if self.gain == 1 else y * self.gain

    def initial(self, x):
        if self.state == 'none':
            return ()
        batch = x.shape[0 if self.recurrent.batch_first else 1]
        if self.state == 'zeros':
            h = torch.zeros(self.first.shape[0], batch, self.first.shape[2])
        elif self.state == 'learned':
            h = self.first.expand(-1, batch, -1).contiguous()
        else:
            h = self.first.repeat(1, batch, 1)
        return ((h, h),) if isinstance(self.recurrent, nn.LSTM) else (h,)


class Rows(nn.Module):
    """A head on (steps * batch, features)."""

    def __init__(self, head):
        super().__init__()
        self.head = head

    def forward(self, x):
        return self.head(x.reshape(-1, x.shape[2])).reshape(x.shape[0], x.shape[1], -1)


def export(folder, name, model, opset=14, dynamic=True, fold=True, batch_first=False, unbatched=False, dtype=None):
    model = model.eval().to(dtype or torch.float32)
    sizes = (BATCH, STEPS, 2) if batch_first else (STEPS, 2) if unbatched else (STEPS, BATCH, 2)
    x = torch.randn(*sizes, dtype=dtype)
    axes = {k: str(k) for k in range(x.dim() - 1)}
    torch.onnx.export(model, x, str(folder / (name + '.onnx')), opset_version=opset, do_constant_folding=fold,
                      input_names=['x'], output_names=['y'], dynamic_axes={'x': axes, 'y': axes} if dynamic else None)
    with torch.no_grad():
        y = model(x)
    if unbatched:
        pairs = [(x, y)]
    else:
        pairs = list(zip(x, y)) if batch_first else list(zip(x.transpose(0, 1), y.transpose(0, 1)))
    (folder / (name + '.json')).write_text(json.dumps([[a.tolist(), b.tolist()] for a, b in pairs]))


WAYS = ((9, 11, 12, 13, 14, 15, 16, 17), (nn.LSTM, nn.GRU, nn.RNN), (False, True), (False, True),
        ('none', 'zeros', 'learned', 'repeated'), (False, True), (False, True))


def chosen():
    """A twelfth of all ways to export (as places in WAYS), in which every three occur together."""
    weights = (1, 4, 6, 1, 2, 3, 7)
    every = set(itertools.product(*(range(len(way)) for way in WAYS)))
    some = {places for places in every if sum(map(operator.mul, places, weights)) % 12 == 0}
    for three in itertools.combinations(range(len(WAYS)), 3):
        pick = operator.itemgetter(*three)
        assert {pick(places) for places in some} == {pick(places) for places in every}
    return some


def models():
    """Names, whether they are written unasked, and functions that export to a folder, each seeded by its place."""
    some = chosen()
    for places in itertools.product(*(range(len(way)) for way in WAYS)):
        opset, kind, batch_first, bidirectional, state, dynamic, fold = (way[k] for way, k in zip(WAYS, places))
        name = '_'.join([kind.__name__.lower(), str(opset), 'batch_first' if batch_first else 'time_first',
                         'both' if bidirectional else 'forward', state, 'dynamic' if dynamic else 'fixed',
                         'folded' if fold else 'unfolded'])

        def write(folder, n, opset=opset, kind=kind, batch_first=batch_first, bidirectional=bidirectional, state=state,
                  dynamic=dynamic, fold=fold, name=name):
            recurrent = kind(2, 3, num_layers=1 + n % 2, batch_first=batch_first, bidirectional=bidirectional,
                             bias=n % 3 != 0, **({'nonlinearity': 'relu'} if kind is nn.RNN and n % 5 == 0 else {}))
            head = nn.Linear(6 if bidirectional else 3, 2)
            export(folder, name, Model(recurrent, head, state), opset, dynamic, fold, batch_first)

        yield name, places in some, write

    def special(name, make, **options):
        return name, True, lambda folder, n: export(folder, name, make(), **options)

    for opset in (9, 11, 13, 14, 17):
        def named(name):
            return f'{name}_{opset}'
        yield special(named('rows'), lambda: Model(nn.LSTM(2, 3), Rows(nn.Linear(3, 2))), opset=opset)
        yield special(named('skip'), lambda: Model(nn.LSTM(2, 3), nn.Linear(3, 1), skip=1), opset=opset)
        yield special(named('gain'), lambda: Model(nn.LSTM(2, 3), nn.Linear(3, 1), gain=0.5), opset=opset)
        yield special(named('double'), lambda: Model(nn.GRU(2, 3), nn.Linear(3, 2)), opset=opset, dtype=torch.float64)
        yield special(named('unbatched'), lambda: Model(nn.LSTM(2, 3), nn.Linear(3, 1)), opset=opset, unbatched=True)
        yield special(named('dropout'), lambda: Model(nn.LSTM(2, 3, 2, dropout=0.5), nn.Sequential(
            nn.Dropout(0.5), nn.Linear(3, 1))), opset=opset)
        for activation in (nn.Tanh, nn.ReLU, nn.Sigmoid, nn.ELU, lambda: nn.Softmax(-1)):
            what = getattr(activation, '__name__', 'softmax').replace('<lambda>', 'softmax').lower()
            yield special(named(what), lambda activation=activation: Model(nn.GRU(2, 3, batch_first=True), nn.Sequential(
                nn.Linear(3, 4), activation(), nn.Linear(4, 3), activation())), opset=opset, batch_first=True)


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    wanted = sys.argv[2:]
    written = 0
    for n, (name, unasked, write) in enumerate(models()):
        if name not in wanted if wanted else not unasked:
            continue
        torch.manual_seed(n)
        write(folder, n)
        written += 1
    print(f'PyTorch {torch.__version__}: wrote {written} ONNX models')


if __name__ == '__main__':
    main()
