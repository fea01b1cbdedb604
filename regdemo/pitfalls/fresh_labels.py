"""Fresh labels: validation data that follow a different rule.

To compare training with and without dropout, the snippet makes data: random inputs, random weights, and the sign of
their product as the label. Its function `data` is called once for training and once for validation, and draws new
weights each time. The rule to learn is then not the rule that is tested: over many such draws the weights that labeled
the training set score 50% on the validation set on average.
"""

import torch

from regdemo.bounds import EXACT, mean_of_bounded
from regdemo.measure import Wrong, fixed_claim
from regdemo.report import Block, Claim, Table

BREAKS = "dropout"
CARDS = ("Q18.325", "Q18.90", "Q18.92")
SAY = (
    "Synthetic training and validation data need one rule and separate inputs: draw the weights once. Before asking "
    "whether dropout helps, check that the weights behind the training labels score well on the validation set."
)
WRONG_ANSWER = (
    "'Dropout made no difference, so it does not help here.' The labels of the validation set follow "
    "a different rule from those of the training set."
)

INPUTS, ROWS, TASKS = 20, 500, 400


def broken(inputs, rows):
    def data():
        x, w = torch.randn(rows, inputs), torch.randn(inputs)
        return x, (x @ w > 0).long(), w

    return data(), data()


def fixed(inputs, rows):
    w = torch.randn(inputs)

    def data():
        x = torch.randn(rows, inputs)
        return x, (x @ w > 0).long(), w

    return data(), data()


def measure() -> tuple[list[Claim], list[Block]]:
    def perfect(snippet) -> torch.Tensor:
        """Accuracy on the validation data of the weights that labeled the training data, over many tasks."""
        scores = []
        for _ in range(TASKS):
            (_, _, w), (x, labels, _) = snippet(INPUTS, ROWS)
            scores.append(((x @ w > 0).long() == labels).double().mean())
        return torch.stack(scores)

    wrong, right = perfect(broken), perfect(fixed)
    (seen, _, _), (held_out, _, _) = fixed(INPUTS, ROWS)
    recurring = (seen[:, None] == held_out).all(-1).any(0).sum().item()
    # Two random directions agree on a fraction 1 - angle/pi of inputs, symmetric about a half; its variance is
    # about 1/(pi^2 (d - 2)), and the rows add 1/(4 n): below 0.01.
    return [
        Claim(
            f"Mean validation accuracy of the weights that labeled the training set, over {TASKS} tasks",
            0.5,
            r"$1 - E[\text{angle}]/\pi = 0.5$",
            wrong.mean().item(),
            *mean_of_bounded(0.01, 0.5, TASKS),
        ),
        fixed_claim(
            "Validation accuracy of the weights that labeled the training set",
            1,
            "accuracy = 1",
            right.mean().item(),
            *EXACT,
        ),
        fixed_claim("Validation inputs that are training inputs too", 0, "none = 0", recurring, *EXACT),
    ], [
        Table(
            f"Validation accuracy of the weights that labeled the training set, {TASKS} tasks",
            ["code", "lowest", "mean", "highest"],
            [
                [name, scores.min().item(), scores.mean().item(), scores.max().item()]
                for name, scores in (("broken", wrong), ("fixed", right))
            ],
        )
    ]


WRONG = [
    Wrong("the same seed before both", f"{__name__}.fixed", lambda right, inputs, rows: right(inputs, rows)[:1] * 2),
    Wrong("weights scaled to length 1", f"{__name__}.fixed", lambda right, inputs, rows: _unit(inputs, rows)),
    Wrong("more rows", f"{__name__}.fixed", lambda right, inputs, rows: broken(inputs, 2 * rows)),
]


def _unit(inputs, rows):
    data = [(torch.randn(rows, inputs), torch.nn.functional.normalize(torch.randn(inputs), dim=0)) for _ in range(2)]
    return tuple((x, (x @ w > 0).long(), w) for x, w in data)
