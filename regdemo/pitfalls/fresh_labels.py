"""Fresh labels: validation data made with weights of its own.

To compare with and without dropout, the snippet makes data: random inputs, random weights, labels by the sign. It is
called once for training and once for validation, and draws new weights each time. Nothing that is learned on the one
can hold on the other: accuracy is a coin's, whatever the dropout, and the comparison compares nothing.
"""

import torch

from regdemo.bounds import EXACT, mean_of_bounded
from regdemo.measure import fixed_claim
from regdemo.report import Block, Claim, Table

BREAKS = "dropout"
CARDS = ("Q18.325", "Q18.90", "Q18.92")
SAY = (
    "Synthetic training and validation data must come from one rule: draw the weights once. First check that the "
    "right answer scores well on the validation set, before asking whether dropout helps."
)
WRONG_ANSWER = "'Dropout made no difference, so it does not help here.' No method could have made any."

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
        """Accuracy on the validation data of whoever knows the training data's own weights, over many tasks."""
        scores = []
        for _ in range(TASKS):
            (_, _, w), (x, labels, _) = snippet(INPUTS, ROWS)
            scores.append(((x @ w > 0).long() == labels).double().mean())
        return torch.stack(scores)

    wrong, right = perfect(broken), perfect(fixed)
    # Two random directions agree on a share 1 - angle/pi of inputs, which is symmetric about a half; its variance is
    # about 1/(pi^2 (d - 2)), and the rows add 1/(4 n): below 0.01.
    return [
        Claim(
            "Validation accuracy of the perfect model, over many such comparisons",
            0.5,
            "1 - E[angle]/pi = 0.5",
            wrong.mean().item(),
            *mean_of_bounded(0.01, 0.5, TASKS),
        ),
        fixed_claim("Of the perfect model", 1, "accuracy = 1", right.mean().item(), *EXACT),
    ], [
        Table(
            f"Accuracy of the true weights on validation data, {TASKS} tasks",
            ["code", "lowest", "mean", "highest"],
            [
                [name, scores.min().item(), scores.mean().item(), scores.max().item()]
                for name, scores in (("broken", wrong), ("fixed", right))
            ],
        )
    ]
