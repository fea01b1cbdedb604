"""Never zero: a rate that anneals by epoch and ends at p/E.

The rate $p (1 - e/E)$ is set at the start of epoch $e$ of $E$, counted from 0. So the whole last epoch runs at $p/E$: a
third of $p$ in a fine-tuning of three epochs. If the rate is set to $p (1 - t/T)$ before each step $t$ of $T$, it is
$p/T$ in the last step, and would be 0 at step $T$, which is not run.
"""

from regdemo.bounds import EXACT, rounding
from regdemo.measure import Wrong, fixed_claim
from regdemo.report import Block, Claim, Curves, Series

BREAKS = "annealed_dropout"
CARDS = ("Q18.205", "Q18.204")
SAY = (
    "Anneal by the step, not by the epoch: $p (1 - t/T)$, set before step $t$ of $T$, counted from 0. The last "
    "step still has $p/T$; annealed by the epoch, the rate is $p/E$ throughout the last of $E$ epochs."
)
WRONG_ANSWER = (
    "'1 - epoch/epochs runs from 1 to 0.' It runs from 1 to 1/E: the epoch that would have rate 0 is not run. By the "
    "step, $1 - t/T$ runs from 1 to $1/T$."
)

P, EPOCHS, STEPS = 0.1, 3, 100


def broken(step, p, epochs, steps_per_epoch):
    epoch = step // steps_per_epoch
    return p * (1 - epoch / epochs)


def fixed(step, p, epochs, steps_per_epoch):
    return p * (1 - step / (epochs * steps_per_epoch))


def measure() -> tuple[list[Claim], list[Block]]:
    steps = range(EPOCHS * STEPS)
    wrong, right = ([snippet(step, P, EPOCHS, STEPS) for step in steps] for snippet in (broken, fixed))
    exact = rounding(1)
    return [
        Claim("The rate of the last step", P / EPOCHS, "$p/E$", wrong[-1], *exact),
        Claim("Steps at a rate of 0", 0, "none = 0", wrong.count(0), *EXACT),
        Claim(
            "The mean rate, where a line from p to 0 has p/2",
            P * (EPOCHS + 1) / (2 * EPOCHS),
            "$p (E+1)/(2E)$",
            sum(wrong) / len(wrong),
            *exact,
        ),
        fixed_claim("The rate of the last step", P / (EPOCHS * STEPS), "$p/T$", right[-1], *exact),
        fixed_claim(
            "The mean rate", P * (1 + 1 / (EPOCHS * STEPS)) / 2, "$p (T+1)/(2T)$", sum(right) / len(right), *exact
        ),
        fixed_claim("The rate of step T, after the last", 0, "0", fixed(EPOCHS * STEPS, P, EPOCHS, STEPS), *EXACT),
    ], [
        Curves(
            f"The drop rate, annealed from {P} over {EPOCHS} epochs of {STEPS} steps",
            "step",
            "rate",
            [
                Series(name, [float(step) for step in steps], rates)
                for name, rates in (("broken", wrong), ("fixed", right))
            ],
        )
    ]


WRONG = [
    Wrong("epochs counted from 1", f"{__name__}.fixed", lambda right, step, p, e, s: p * (1 - (step // s + 1) / e)),
    Wrong("steps counted within the epoch", f"{__name__}.fixed", lambda right, step, p, e, s: p * (1 - step % s / s)),
    Wrong("a square root", f"{__name__}.fixed", lambda right, step, p, e, s: p * (1 - step / (e * s)) ** 0.5),
]
