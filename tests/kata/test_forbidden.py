"""What a kata forbids is refused whichever way it is called, and nothing else is."""

import pytest

from regdemo.kata.judge import Judge
from regdemo.kata.verdict import State

JUDGE = '''
FORBIDDEN = [
    "torch.dropout", "torch.native_dropout", "torch.nn.functional.cross_entropy(label_smoothing)",
    "torch.nn.functional.scaled_dot_product_attention", "torch.nn.utils.clip_grad_norm_", "torch.autograd.grad",
]

def test_it_answers():
    """It answers."""
    x = torch.randn(4, 3, requires_grad=True)
    close(f(x), (x.detach().log_softmax(-1) * -1).mean())
    gradient(f(x), x, torch.autograd.grad((x.log_softmax(-1) * -1).mean(), x)[0])
'''
WAYS = {
    "torch.dropout": "torch.dropout(x, 0.5, True)",
    "torch.dropout on a tensor without a gradient": "torch.dropout(x.detach(), 0.5, True)",
    "F.dropout": "F.dropout(x)",
    "F.dropout in inference mode": "[F.dropout(x.detach()) for _ in [torch.inference_mode().__enter__()]]",
    "nn.Dropout": "nn.Dropout(0.5)(x)",
    "torch.ops": "torch.ops.aten.dropout(x, 0.5, True)",
    "an overload of torch.ops": "torch.ops.aten.dropout.default(x, 0.5, True)",
    "torch._C": "torch._C._VariableFunctions.dropout(x, 0.5, True)",
    "native_dropout": "torch.ops.aten.native_dropout(x, 0.5, True)",
    "vmap": "torch.vmap(lambda row: F.dropout(row, 0.5), randomness='different')(x.detach())",
    "a function without torch functions": "torch._C.DisableTorchFunction().__enter__() or F.dropout(x)",
    "smoothing by F": "F.cross_entropy(x, torch.zeros(4, dtype=torch.long), label_smoothing=0.1)",
    "smoothing by a module": "nn.CrossEntropyLoss(label_smoothing=0.1)(x, torch.zeros(4, dtype=torch.long))",
    "smoothing by torch.ops": "torch.ops.aten.cross_entropy_loss(x, x.softmax(-1), None, 1, -100, 0.1)",
    "attention in a module": "F.scaled_dot_product_attention(x[None], x[None], x[None])",
    "a Python function": "nn.utils.clip_grad_norm_([x], 1.0)",
    "the same by its module": "__import__('torch.nn.utils.clip_grad', fromlist=['x']).clip_grad_norm_([x], 1.0)",
}


@pytest.fixture(scope="module")
def judge():
    with Judge(seconds=20, weaker=True) as judge:
        yield judge


def check(judge, expression):
    source = (
        f"import torch\nimport torch.nn.functional as F\nfrom torch import nn\n\ndef f(x):\n    return {expression}\n"
    )
    return judge.run("f", JUDGE, "def f(x): pass", source)


@pytest.mark.parametrize("expression", WAYS.values(), ids=WAYS)
def test_what_is_forbidden_is_refused(judge, expression):
    verdict = check(judge, expression)
    assert (verdict.state, verdict.line) == (State.FAILED, 6)
    assert "is what this kata asks you to write: do it without" in verdict.detail


@pytest.mark.parametrize(
    "expression",
    [
        "F.cross_entropy(x, torch.full_like(x, 1 / 3))",
        "-(x.log_softmax(-1)).mean()",
        "nn.CrossEntropyLoss()(x, x * 0 + 1 / 3)",
    ],
)
def test_what_is_not_forbidden_gives_torchs_values_and_gradients(judge, expression):
    verdict = check(judge, expression)
    assert verdict.passed, verdict.detail
