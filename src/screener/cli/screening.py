"""The commands that match hashes and make them: match, hash."""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

import click

from screener.cli import console, hash_lines
from screener.cli.decision_options import EXIT_CODES, Asked, deciding, recorded
from screener.cli.summary import Tally
from screener.errors import MediaError, printable
from screener.hashing import vpdq_value
from screener.hashing.hash import KINDS, Hash, HashKind, kind_named
from screener.reporting.output import claim_jsonl
from screener.scanning.inputs.expand import find
from screener.screening.input import vpdq
from screener.screening.input.hash_item import HashedInput, hash_item
from screener.screening.input.located_hash import LocatedHash, OrientedHashes, groups_of
from screener.screening.matching.criteria import Criteria
from screener.screening.policy import Policy
from screener.screening.result import Reason


@click.command(epilog=EXIT_CODES)
@deciding
def match(asked: Asked) -> int:
    """Look up hashes made elsewhere: lines of `kind value [quality [input]]` on standard input.

    `-` stands for an unknown quality. Lines in a row with one input are one item, so that the
    output of `screener hash` can be piped in. A hash is compared as it is: copies that were
    mirrored, turned or made small are found by the hashes that `hash --orientations` prints. Where
    no line comes the exit code is 3: what was to write them may have failed. Of one that ended
    halfway only `set -o pipefail` tells.

    \b
    Example:
      screener hash --orientations photo.jpg | screener match --list known.list
    """
    tally = Tally()
    with ExitStack() as stack:
        if sys.stdin is None:
            raise click.UsageError("standard input is closed, and the hashes come from there")
        asked.check_files()
        screener = asked.screener(stack)
        out = stack.enter_context(claim_jsonl(asked.output))
        log = asked.audit_log(stack)
        found = hash_lines.match(screener, sys.stdin.buffer)
        for result in recorded(found, stack, screener, out=out, log=log, count=asked.count):
            tally.add(result)
    tally.print(console.to_stderr())
    return tally.exit_code


@click.command("hash")
# One that may not be read has a line that says so, and costs itself only.
@click.argument("files", nargs=-1, required=True, type=click.Path(readable=False))
@click.option("--kinds", default="pdq,md5,sha1,sha256", show_default=True, help="With commas.")
@click.option(
    "--every",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="Seconds from one frame of a vpdq to the next; 0 for every frame.",
)
@click.option("--lines", is_flag=True, help="Print a vpdq alone as a hash line too, for `match`.")
@click.option(
    "--orientations",
    is_flag=True,
    help="Print for `match` the hashes of a picture as mirrored and turned too, eight in all, and"
    " of a small one at twice its size.",
)
def hash_(files: tuple[str, ...], kinds: str, every: float, lines: bool, orientations: bool) -> int:
    """Print the hashes of files and folders: lines of `kind value quality input`.

    A vpdq alone, of one video, is printed as vPDQ's own tool does: a line `frame,quality,pdq,time`
    for each frame, which `import --format vpdq` reads.

    Of pictures that have a frame round them there is a second line, made without it; pictures
    hidden in a file, and members of archives, have none: `scan` looks into those.

    A file that cannot be hashed to its end gets a line `unscreened reason - input`, by which
    `match` knows it, and a sentence on standard error; the exit code is then 3. So does, without
    the sentence and that code, a picture or video that shows too little for `scan` to clear it.
    Files are opened in this process: of files that nobody trusts, use `scan`.
    """
    if not math.isfinite(every):
        raise click.UsageError(f"--every is a number of seconds, or 0 for every frame, not {every}")
    wanted = _computed(kinds)
    if all(kind.video for kind in wanted) and not lines:
        return _print_vpdq(files, every)
    failed = False
    for path in find(files):
        hashed, made = _hashed(path, wanted, every)
        for one in hashed.hashes:
            if _is_told(one) and (orientations or _is_as_it_stands(one)):
                click.echo(hash_lines.write(one.hash, path))
        if made is not None:
            click.echo(hash_lines.write(made, path))
        if hashed.trouble is not None:
            failed = True
            click.echo(hash_lines.write_trouble(Reason(hashed.trouble.reason), path))
            click.echo(f"{printable(path)}: {hashed.trouble}", err=True)
        elif _shows_too_little(hashed):
            click.echo(hash_lines.write_trouble(Reason.TOO_LITTLE_DETAIL, path))
    return 3 if failed else 0


def _hashed(path: str, kinds: Sequence[HashKind], every: float) -> tuple[HashedInput, Hash | None]:
    """What there is of a file's kinds, and its vPDQ apart, if that is one of them and it has one.
    What kept it from being made is the trouble of the file, unless that is no video and other kinds
    were asked for.
    """
    hashed = hash_item(path, policy=Policy(), kinds=[one for one in kinds if not one.video])
    if not any(kind.video for kind in kinds):
        return hashed, None
    made, trouble = _vpdq(path, every)
    alone = all(kind.video for kind in kinds)
    if alone or (trouble is not None and trouble.reason != "no_video"):
        hashed = replace(hashed, trouble=hashed.trouble or trouble)
    return hashed, made


def _is_told(one: LocatedHash | OrientedHashes) -> bool:
    """Whether it has lines: what is hidden in a file has none."""
    return one.part_kind == "frame"


def _is_as_it_stands(one: LocatedHash) -> bool:
    """Whether a list is to have it: of the ways to look at a picture a list needs one."""
    return one.orientation == "upright" and one.region != "enlarged"


def _shows_too_little(item: HashedInput) -> bool:
    """Whether there are hashes of a kind, and too few pictures, one or a share of a video's frames,
    of which a scan would compare all: scores are no part of a line, and those of other orientations
    may have none.
    """
    reach = Criteria(Policy())
    seen: dict[str, set[tuple[int, float]]] = {}
    for one in groups_of(item.hashes):
        if isinstance(one, OrientedHashes) and _is_told(one) and one.region != "enlarged":
            seen.setdefault(one.kind, set()).update(one.moments if reach.surely_usable(one) else ())
    least = reach.least_moments(item)
    return any(len(moments) < least for moments in seen.values())


def _print_vpdq(files: tuple[str, ...], every: float) -> int:
    """The vPDQ of one video in the layout of vPDQ's own tool, which names no file."""
    paths = list(itertools.islice(find(files), 2))
    if len(paths) != 1:
        raise click.UsageError("the layout of vpdq holds one video: name one, or ask for --lines")
    made, trouble = _vpdq(paths[0], every)
    if made is not None:
        for line in vpdq_value.vpdq_lines(made.value):
            click.echo(line)
    if trouble is not None:
        click.echo(f"{printable(paths[0])}: {trouble}", err=True)
    return 0 if trouble is None else 3


def _vpdq(path: str, every: float) -> tuple[Hash | None, MediaError | None]:
    """The vPDQ of a video and what went wrong; people are told where few copies of it would match,
    and what to do.
    """
    made, trouble = vpdq.compute(path, every=every)
    why = None if made is None else vpdq.too_short(made)
    if why is not None:
        more = "; --every 0 takes every frame" if every else ""
        click.echo(f"{printable(path)}: {why}{more}", err=True)
    return made, trouble


def _computed(names: str) -> tuple[HashKind, ...]:
    kinds = tuple(kind_named(name.strip().lower()) for name in names.split(","))
    for kind in kinds:
        if not kind.computed:
            made = ", ".join(one.name for one in KINDS.values() if one.computed)
            raise click.UsageError(f"--kinds: {kind.name} is not computed here; only {made}")
    return kinds


COMMANDS = (match, hash_)
