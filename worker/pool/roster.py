"""All members of a pool; whoever uses it holds the pool's lock."""

from collections import Counter
from collections.abc import Iterator

from worker.pool import policy
from worker.pool.member import App, Member, State
from worker.runners.protocol import SlotKey

IDLE_PER_PLACE = 8


class Roster:
    """Finds, counts and ranks members."""

    def __init__(self, places: int, budget_mib: float) -> None:
        self._places = places
        self._budget_mib = budget_mib
        self._members: dict[int, Member] = {}
        self._clock = 0.0  # of Greedy-Dual: the worth of what was evicted last

    def __iter__(self) -> Iterator[Member]:
        return iter(list(self._members.values()))

    def add(self, member: Member) -> Member:
        """Add a member."""
        self._members[id(member)] = member
        return member

    def remove(self, member: Member) -> bool:
        """Remove a member for good; tells whether it was there."""
        member.state = State.GONE
        return self._members.pop(id(member), None) is not None

    def idle(self) -> list[Member]:
        """Return what waits for a task and is promised to none."""
        return [it for it in self._members.values() if it.state is State.IDLE and not it.promised]

    def idle_for(self, key: SlotKey, app: App) -> Member | None:
        """Return the best idle member for an app: with its imports, else the one used last."""
        fitting = [it for it in self.idle() if it.serves(key, app)]
        return max(fitting, key=lambda it: (it.app == app, it.idle_since), default=None)

    def coming_for(self, key: SlotKey, app: App) -> Member | None:
        """Return a member that will soon be idle and that nobody waits for."""
        return next(
            (
                it
                for it in self._members.values()
                if it.state is State.COMING
                and not it.promised
                and it.user in (None, app)
                and it.serves(key, app)
            ),
            None,
        )

    def drop_queued(self, key: SlotKey, app: App) -> None:
        """Give up one member that is still to be opened for the app, since its claim opens one itself."""
        for member in self._members.values():
            if member.state is State.QUEUED and member.user in (None, app) and member.key == key:
                self.remove(member)
                return

    def lacking(self, key: SlotKey, app: App, waiting: int) -> int:
        """Return how many members to open for the app, as far as there is room for them."""
        own = [it for it in self._members.values() if it.key == key and self._counts_for(it, app)]
        running = sum(it.state is State.HELD for it in own)
        lacking = policy.wanted_slots(key, self._places, running, waiting) - len(own)
        return max(0, min(lacking, self._room()))

    def has_room(self) -> bool:
        """Tell whether another idle member would fit."""
        return self._room() > 0

    def rate(self, member: Member) -> None:
        """Note what keeping the member is worth from now on."""
        member.priority = policy.priority(member, self._clock)

    def evict(self, *, at_least: int = 0) -> list[Member]:
        """Remove and return the idle members that are too many, the least worth first."""
        idle = self.idle()
        most = min(self._places * IDLE_PER_PLACE, max(0, len(idle) - at_least))
        gone = list(policy.surplus(idle, self._budget_mib, most))
        for member in gone:
            self._clock = max(self._clock, member.priority)
            self.remove(member)
        return gone

    def counts(self) -> Counter[State]:
        """Return the number of members by state."""
        return Counter(it.state for it in self)

    def idle_mib(self) -> float:
        """Return the memory of idle members."""
        return sum(it.memory_mib for it in self if it.state is State.IDLE)

    def _counts_for(self, member: Member, app: App) -> bool:
        if member.state is State.HELD:
            return member.user == app
        if member.state is State.IDLE:
            return member.app in (None, app) and member.spoiled is None
        return member.user in (None, app)

    def _room(self) -> int:
        if self.idle_mib() >= self._budget_mib:
            return 0
        return self._places * IDLE_PER_PLACE - sum(it.state is not State.HELD for it in self)
