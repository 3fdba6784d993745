"""A list against a model of a few lines: after any changes in any order it says what it must."""

import random
from collections import Counter

import numpy as np
import pytest
from list_values import value

from screener import HashList
from screener.lists.states import State, resolve_state

SOURCES = ("a", "b")
ENTRIES = [f"e{n}" for n in range(12)]
SAID = ["", "", "", "disputed", "seed", "known_good", "withdrawn"]


class Model:
    """What each generation holds: by source and entry, the state that its source says and a number
    that stands for its hashes. Opinions are of now.
    """

    def __init__(self):
        """An empty list."""
        self.generations = [{}]
        self.withdrawals = []
        self.full_lists = []
        self.opinions = {}

    @property
    def now(self):
        """The newest generation."""
        return self.generations[-1]

    def imported(self, source, rows, full):
        """Upserts; what a full file leaves out is withdrawn. A withdrawal is one, whatever is held
        when it is said.
        """
        held = dict(self.now)
        gone = {(source, entry) for entry, (said, _) in rows.items() if said == "withdrawn"}
        for entry, (said, number) in rows.items():
            held[source, entry] = (said, None if said == "withdrawn" else number)
        for key, (said, _) in self.now.items():
            if full and key[0] == source and key[1] not in rows and said != "withdrawn":
                held[key] = ("withdrawn", None)
                gone.add(key)
        if held != self.now:
            self.generations.append(held)
        number = len(self.generations) - 1
        self.withdrawals += [(number, key) for key in gone]
        if full:
            self.full_lists.append((number, source, {*rows}))

    def rolled_back(self, to):
        """That generation, less what a file withdrew since, though it may have been listed again,
        or a full list did not name, or was purged (which is nowhere).
        """
        held = dict(self.generations[to])
        since = {key for number, key in self.withdrawals if number > to}
        for number, source, named in self.full_lists:
            if number > to:
                since |= {key for key in held if key[0] == source and key[1] not in named}
        self.generations.append(held | dict.fromkeys(since, ("withdrawn", None)))

    def purged(self, source):
        """Nothing of a source is left in any generation."""
        self.generations = [
            {key: one for key, one in held.items() if key[0] != source}
            for held in [*self.generations, self.now]
        ]
        self.withdrawals = [(number, key) for number, key in self.withdrawals if key[0] != source]
        self.full_lists = [one for one in self.full_lists if one[1] != source]
        self.opinions = {key: one for key, one in self.opinions.items() if key[0] != source}

    def states(self):
        """The state in effect of each record."""
        return {
            key: resolve_state(State(said), map(State, self.opinions.get(key, {}).values()))
            for key, (said, _) in self.now.items()
        }


def change(rng, one, model, folder):
    """Make one change, drawn at random, of both."""
    what = rng.choice(["import"] * 5 + ["opinion"] * 3 + ["rollback", "purge", "compact"])
    # Of few entries, so that opinions meet.
    source, entry = rng.choice(SOURCES), rng.choice(ENTRIES[:2])
    if what == "import":
        some = rng.sample(ENTRIES, rng.randint(1, len(ENTRIES)))
        rows = {e: (rng.choice(SAID) or "confirmed", rng.randrange(20)) for e in some}
        full = rng.random() < 0.3
        lines = [
            f"{e},,,{said}\n" if said == "withdrawn" else f"{e},{value(n)},{value(n, 32)},{said}\n"
            for e, (said, n) in rows.items()
        ]
        (folder / "a.csv").write_text("id,md5,pdq,status\n" + "".join(lines))
        one.import_file(folder / "a.csv", source=source, full=full, accept_shrink=True)
        model.imported(source, rows, full)
    elif what == "opinion" and model.now.get((source, entry), ("withdrawn",))[0] != "withdrawn":
        who, state = rng.choice("xy"), rng.choice(["confirmed", "disputed", "known_good", ""])
        one.give_opinion(entry, source=source, state=state or "withdrawn", by=who, reason="r")
        own = model.opinions.setdefault((source, entry), {})
        own.pop(who, None)
        if state:
            own[who] = state
        model.generations.append(model.now)
    elif what == "rollback" and len(model.generations) > 1:
        to = rng.randrange(len(model.generations) - 1)
        one.rollback(to)
        model.rolled_back(to)
    elif what == "purge" and any(key[0] == source for held in model.generations for key in held):
        if rng.random() < 0.4:
            one.purge(source)
            model.purged(source)
    elif what == "compact" and one.compact():
        model.generations.append(model.now)


def check(one, model):
    """Every value is held by the records that have it, in their states, and by no other."""
    states = model.states()
    assert one.generation == len(model.generations) - 1
    counted, held = Counter(states.values()), Counter(one.states)
    # The list may know of more entries that are withdrawn: of some that a rollback had out of it.
    assert held[State.WITHDRAWN] >= counted.pop(State.WITHDRAWN, 0)
    assert {state: n for state, n in held.items() if state != State.WITHDRAWN} == counted
    for number in range(20):
        md5 = np.frombuffer(bytes.fromhex(value(number)), np.uint8)
        pdq = np.frombuffer(bytes.fromhex(value(number, 32)), np.uint8)
        wanted = sorted(
            (*key, states[key]) for key, (_, held) in model.now.items()
            if held == number and states[key] != "withdrawn"
        )  # fmt: skip
        for kind, rows in (
            ("md5", one.lookup("md5", md5)[1]),
            ("pdq", one.search("pdq", pdq, radius=0)[1]),
        ):
            found = [r for held in one.holders(kind, rows) for r in held]
            assert sorted((r.source, r.entry, r.state) for r in found) == wanted, (kind, number)


@pytest.mark.parametrize("seed", range(3))
def test_after_any_changes_a_list_says_what_a_model_of_it_says(tmp_path, seed):
    """Imports, opinions, rollbacks, purges, compactions: records, states, searches."""
    rng, model = random.Random(seed), Model()
    one = HashList.create(tmp_path / "known.list")
    for step in range(60):
        change(rng, one, model, tmp_path)
        one = one.refresh()
        check(one, model)
        if step % 20 == 19:
            assert one.verify(seed=1).damage == ()
