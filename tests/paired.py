"""Arms trained in step without an experiment around them, for tests that look at the networks themselves."""

from dataclasses import dataclass

from regdemo.lab.training import TrainingRun, group_size, in_step


@dataclass(frozen=True)
class Evaluation:
    """The scores of every arm after an epoch, in the order of the arms."""

    epoch: int
    scores: list


class PairedTraining:
    """Every arm's runs, each of at most a group of members."""

    def __init__(self, task, recipes, members, *, seed, epochs, clock=None):
        size = group_size(task)
        groups = [members[i : i + size] for i in range(0, len(members), size)]
        self.arms = [[TrainingRun(task, recipe, g, seed=seed, epochs=epochs) for g in groups] for recipe in recipes]
        measures = {k: v for recipe in recipes for t in recipe.techniques for k, v in t.measures().items()}
        for run in (run for arm in self.arms for run in arm):
            run.measures = measures
        self.task, self.members, self.epochs, self.clock = task, len(members), epochs, clock

    def run(self, progress=lambda done, total: None):
        """Train, and evaluate ten times."""
        runs = [run for arm in self.arms for run in arm]
        for scores in in_step(runs, clock=self.clock or (lambda: 0.0), progress=progress):
            rest = iter(scores)
            arms = [_together([next(rest) for _ in arm]) for arm in self.arms]
            yield Evaluation(runs[0].epoch_count, arms)

    def unequal_starts(self):
        """The largest distance between a weight of the first arm and the same weight of another."""
        return max(
            (
                (p - q).detach().abs().max().item()
                for a, b in self._pairs()
                for p, q in zip(a.parameters, b.parameters, strict=True)
            ),
            default=0.0,
        )

    def unequal_batches(self):
        """How many members of other arms did not see the batches that the first arm's did."""
        return sum(int((a.seen != b.seen).sum()) for a, b in self._pairs())

    def _pairs(self):
        first, *others = self.arms
        for arm in others:
            yield from zip(first, arm, strict=True)


def _together(parts):
    return {name: [value for part in parts for value in part[name]] for name in parts[0]}
