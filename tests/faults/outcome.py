"""What a run has shown: what the clients have seen, beside what the logs say.

A request may be lost only with a process that had it: the router's log says who had said TAKEN for its connection, and that
must be what was killed then. All else that is lost, and every answer that is not right or was given twice, is a failure.
"""

from collections import Counter
from dataclasses import dataclass, field

from .evidence import Killed, Logs, explained, takers
from .load import Load

__all__ = ["Outcome", "judge"]


@dataclass
class Outcome:
    """What a run has shown."""

    sent: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    twice: int = 0
    unlogged: int = 0
    """Right answers that the service's log does not have."""
    returned: int = 0
    """Connections that were handed back and handed over again."""
    with_the_dead: int = 0
    """Lost, and what was killed had the connection."""
    unexplained: list[str] = field(default_factory=list)
    before: dict[str, int] = field(default_factory=dict)
    after: dict[str, int] = field(default_factory=dict)

    @property
    def failures(self) -> list[str]:
        """What must not be."""
        wrong = self.counts["wrong"] + self.counts["refused"]
        leaks = [
            f"{name}: {self.before[name]} descriptors before, {count} after"
            for name, count in self.after.items()
            if name in self.before and count > self.before[name] + 3
        ]
        found = [*self.unexplained, *leaks]
        if wrong:
            found.append(f"{wrong} wrong or refused")
        if self.twice:
            found.append(f"{self.twice} answered twice")
        return found

    def __str__(self) -> str:
        lines = [
            f"sent {self.sent}, right {self.counts['right']}, wrong {self.counts['wrong']}, refused {self.counts['refused']}, "
            f"lost {self.counts['lost']} (of them with what was killed: {self.with_the_dead}), twice {self.twice}, "
            f"handed back {self.returned}",
            f"descriptors before {self.before}, after {self.after}",
        ]
        return "\n".join([*lines, *(f"FAILED: {failure}" for failure in self.failures[:20])])


def judge(outcome: Outcome, load: Load, logs: Logs, killed: list[Killed]) -> None:
    """Put what the clients have seen beside what the logs say."""
    outcome.sent, outcome.counts = len(load.asked), load.counts
    answered = logs.answered(load)
    outcome.twice = sum(1 for times in answered.values() if times > 1)
    outcome.unlogged = sum(1 for asked in load.asked if asked.result == "right" and not answered[asked.number])
    lines = logs.lines("router")
    outcome.returned = sum(1 for line in lines if line.get("returned") is True and line.get("how") == "handed over")
    for asked in load.asked:
        if asked.result == "wrong":
            seconds = asked.ended - asked.began
            outcome.unexplained.append(f"request {asked.number} to {asked.page.service}, after {seconds:.1f} s: {asked.why}")
        if asked.result != "lost":
            continue
        taken = takers(lines, asked)
        if explained(asked, taken, killed, answered[asked.number] > 0):
            outcome.with_the_dead += 1
        else:
            by = [(each.replica, round(each.at, 3)) for each in taken[-2:]] or "nobody"
            outcome.unexplained.append(
                f"request {asked.number} to {asked.page.service} from port {asked.port}, "
                f"{asked.began:.3f} to {asked.ended:.3f}: {asked.why}, taken by {by}"
            )
