"""The number of ordinary pictures that a list would match by evidence at each threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from screener.hashing.hash import KINDS, HashKind
from screener.hashing.pdq import PDQ
from screener.lists.hashlist import HashList
from screener.reporting.calibration.count import Count
from screener.reporting.calibration.edits import EDITS
from screener.reporting.calibration.recall import EditDistances
from screener.screening.list_policy import Mode
from screener.screening.policy import Effort, Policy

# Bits of evidence that a curve has at least; it is extended to the policy's threshold.
_THRESHOLDS = range(40, 161)


@dataclass(frozen=True)
class EvidenceCurve:
    """The counts of matches by evidence, which come on top of those by distance.

    - `effort`: the policy's. `threshold`: the policy's for the list, or None if it is off.
    - `first`: the lowest threshold in bits, that of the first counts.
    - `false_matches`: for each threshold from `first`, the pictures that have so much evidence and
      no match by distance at the policy's radii. A weak kind's counts as none.
    - `recall`: for each threshold, the edited forms of all pictures that are found again by it or
      by PDQ within the policy's radius (`Count.from_edits`); empty without edits.
    - `by_edit`: for each edit, the pictures found again at the policy's threshold.
    """

    kind: str
    values: int
    effort: str
    threshold: int | None
    first: int
    false_matches: tuple[Count, ...]
    recall: tuple[Count, ...] = ()
    by_edit: Mapping[str, Count] = field(default_factory=dict)

    @property
    def rows(self) -> list[int]:
        """The thresholds that reports show: each ten bits, and the policy's."""
        thresholds = range(self.first, self.first + len(self.false_matches))
        return [bits for bits in thresholds if bits % 10 == 0 or bits == self.threshold]


def list_thresholds(hash_list: HashList, kinds: Sequence[HashKind], policy: Policy) -> range:
    """Return the thresholds of the curve by evidence, none if there is no such curve."""
    if policy.effort is Effort.DISTANCE or PDQ not in kinds:
        return range(0)
    threshold = policy.evidence_threshold(hash_list.name, PDQ.name) or _THRESHOLDS[0]
    return range(min(threshold, _THRESHOLDS[0]), max(threshold, _THRESHOLDS[-1]) + 1)


def adapt_policy(policy: Policy, hash_list: HashList, thresholds: range) -> Policy:
    """Return the policy of the scan whose hits are counted.

    The list counts as enforced, whatever its mode, and each kind as if its hits made a match alone.
    Hits by evidence make none, so that a picture's views are searched whatever evidence it has
    without them.
    """
    alone = [kind.name for kind in KINDS.values() if kind.weak]
    own = replace(policy.of_list(hash_list.name), mode=Mode.ENFORCE, ratio=1.0)
    if thresholds:
        own = replace(own, evidence={PDQ.name: thresholds[0]})
        policy = replace(policy, shadow_evidence=True)
    return replace(policy, alone=alone, lists={**policy.lists, hash_list.name: own})


def make_evidence_curve(
    hash_list: HashList,
    policy: Policy,
    thresholds: range,
    evidence: Sequence[float],
    edit_distances: EditDistances,
) -> EvidenceCurve | None:
    """Return the curve of the most evidence of each picture, or None without thresholds."""
    if not thresholds:
        return None
    threshold = policy.evidence_threshold(hash_list.name, PDQ.name)
    evidences = np.array(evidence, np.float64)
    forms = edit_distances.weigh_forms(policy.list_radius(hash_list.name, PDQ.name))
    edited = len(forms)
    recall: tuple[Count, ...] = ()
    by_edit: dict[str, Count] = {}
    if edited:
        recall = tuple(
            Count.from_edits(int((forms >= bits).sum()), edited, len(EDITS)) for bits in thresholds
        )
    if edited and threshold is not None:
        found = (forms >= threshold).sum(axis=0)
        by_edit = {
            name: Count.from_hits(int(hits), edited)
            for name, hits in zip(EDITS, found, strict=True)
        }
    return EvidenceCurve(
        kind=PDQ.name,
        values=hash_list.kinds[PDQ.name],
        effort=str(policy.effort),
        threshold=threshold,
        first=thresholds[0],
        false_matches=tuple(
            Count.from_hits(int((evidences >= bits).sum()), len(evidences)) for bits in thresholds
        ),
        recall=recall,
        by_edit=by_edit,
    )
