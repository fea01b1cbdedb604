"""Never zero: a rate that anneals by epoch and ends at p/E.

The rate p (1 - epoch/epochs) is set at the start of each epoch, counted from 0. So the last epoch runs at p/E, a third
of p in the three epochs of a fine-tuning, and the training never sees the network that will be used. A schedule by
step, to 0 at the last one, does.
"""

from regdemo.bounds import EXACT, rounding
from regdemo.measure import fixed_claim
from regdemo.report import Block, Claim, Curves, Series

BREAKS = "annealed_dropout"
CARDS = ("Q18.205", "Q18.204")
SAY = (
    "Anneal by step, not by epoch, and see that the schedule reaches 0 while there is training left: the point is to "
    "end on the network without noise. Fencepost errors leave p/E to the last."
)
WRONG_ANSWER = "'1 - epoch/epochs runs from 1 to 0.' From 1 to 1/E: the epoch that would be 0 is never run."

P, EPOCHS, STEPS = 0.1, 3, 100


def broken(step, p, epochs, steps_per_epoch):
    epoch = step // steps_per_epoch
    return p * (1 - epoch / epochs)


def fixed(step, p, epochs, steps_per_epoch):
    last = epochs * steps_per_epoch - 1
    return p * (1 - step / last)


def measure() -> tuple[list[Claim], list[Block]]:
    steps = range(EPOCHS * STEPS)
    wrong, right = ([snippet(step, P, EPOCHS, STEPS) for step in steps] for snippet in (broken, fixed))
    exact = rounding(1)
    return [
        Claim("The rate of the last step", P / EPOCHS, "p/E", wrong[-1], *exact),
        Claim("Steps at a rate of 0", 0, "none = 0", wrong.count(0), *EXACT),
        Claim(
            "The mean rate, where a line from p to 0 has p/2",
            P * (EPOCHS + 1) / (2 * EPOCHS),
            "p (E+1)/(2E)",
            sum(wrong) / len(wrong),
            *exact,
        ),
        fixed_claim("The rate of the last step", 0, "0", right[-1], *EXACT),
        fixed_claim("The mean rate", P / 2, "p/2", sum(right) / len(right), *exact),
    ], [
        Curves(
            f"p = {P} over {EPOCHS} epochs of {STEPS} steps",
            "step",
            "rate",
            [
                Series(name, [float(step) for step in steps], rates)
                for name, rates in (("broken", wrong), ("fixed", right))
            ],
        )
    ]
