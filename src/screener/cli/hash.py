"""The command `hash`."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import click

from screener.cli import hash_lines
from screener.cli.options import number_from
from screener.errors import MediaError, printable
from screener.hashing import classic, vpdq_value
from screener.hashing.hash import KINDS, Hash, HashKind, kind_named
from screener.scanning.inputs.expand import find_files
from screener.screening.input import vpdq
from screener.screening.input.hash_item import HashedInput, hash_item
from screener.screening.input.located_hash import LocatedHash, OrientedHashes, list_groups
from screener.screening.matching.criteria import Criteria
from screener.screening.policy import Effort, Policy
from screener.screening.result import Reason


@click.command("hash")
# An unreadable file gets a line that says so.
@click.argument("files", nargs=-1, required=True, type=click.Path(readable=False))
@click.option(
    "--kinds", default="pdq,md5,sha1,sha256", show_default=True, help="Separated by commas."
)
@click.option(
    "--every",
    "sampling_seconds",
    type=number_from(0, fraction=True),
    default=1.0,
    show_default=True,
    help="Seconds between two frames of a vpdq; 0 takes every frame.",
)
@click.option(
    "--lines",
    is_flag=True,
    help="Print a vpdq as one line that `match` reads, even if vpdq is the only kind.",
)
@click.option(
    "--orientations",
    is_flag=True,
    help="For `match`: also print the hashes of a picture mirrored and turned, eight in all, and"
    " those of a small one at twice its size.",
)
def hash_(
    files: tuple[str, ...], kinds: str, sampling_seconds: float, lines: bool, orientations: bool
) -> int:
    """Print the hashes of files and folders, one per line.

    A line is `kind value quality input`. If vpdq is the only kind, name one video; it is printed in
    the layout of vPDQ's own tool, which `import --format vpdq` reads: `frame,quality,pdq,time` for
    each frame.

    A picture with a border has a second line, for the picture without it. Pictures inside a picture
    (insets) or hidden in a file, and members of archives, have no line; `scan` looks into those.

    A file that cannot be hashed completely gets a line `unscreened reason - input`, which `match`
    understands, and a message on standard error; the exit code is then 3. A picture or video with
    too little detail for `scan` gets such a line only. Files are opened in this process: use `scan`
    for files that you do not trust.
    """
    computed_kinds = _parse_kinds(kinds)
    if all(kind.video for kind in computed_kinds) and not lines:
        return _print_vpdq(files, sampling_seconds)
    has_errors = False
    for path in find_files(files):
        hashed, video_hash = _hash_file(path, computed_kinds, sampling_seconds)
        for located in hashed.hashes:
            if _is_not_hidden(located) and (orientations or _is_as_stored(located)):
                click.echo(hash_lines.format_hash(located.hash, path))
        if video_hash is not None:
            click.echo(hash_lines.format_hash(video_hash, path))
        if hashed.error is not None:
            has_errors = True
            click.echo(hash_lines.format_unscreened(Reason(hashed.error.reason), path))
            click.echo(f"{printable(path)}: {hashed.error}", err=True)
        elif _has_too_little_detail(hashed):
            click.echo(hash_lines.format_unscreened(Reason.TOO_LITTLE_DETAIL, path))
    return 3 if has_errors else 0


def _hash_file(
    path: str, kinds: Sequence[HashKind], sampling_seconds: float
) -> tuple[HashedInput, Hash | None]:
    """Return the hashes of a file, and its vPDQ if that is one of the kinds.

    If vPDQ is one of several kinds, a file that is not a video is no error for it.
    """
    policy = Policy(effort=Effort.DISTANCE, insets=0)  # weights are never printed
    picture_kinds = [kind for kind in kinds if not kind.video]
    hashed = hash_item(path, policy=policy, kinds=picture_kinds)
    if not any(kind.video for kind in kinds):
        return hashed, None
    video_hash, error = _compute_vpdq_and_warn(path, sampling_seconds)
    is_only_kind = all(kind.video for kind in kinds)
    if is_only_kind or (error is not None and error.reason != "no_video"):
        hashed = replace(hashed, error=hashed.error or error)
    return hashed, video_hash


def _is_not_hidden(located: LocatedHash | OrientedHashes) -> bool:
    return located.part_kind == "frame"


def _is_as_stored(located: LocatedHash) -> bool:
    """Return whether a list would store this hash: upright, and not enlarged."""
    return located.orientation == "upright" and located.region != "enlarged"


def _has_too_little_detail(hashed: HashedInput) -> bool:
    """Return whether, for some kind, a scan would compare too few frames to report `no_match`.

    `match` cannot find this out: hash lines contain no detail scores, and orientations that are not
    printed may lack detail.
    """
    criteria = Criteria(Policy())
    moments_by_kind: dict[str, set[tuple[int, float]]] = {}
    for group in list_groups(hashed.hashes):
        if (
            isinstance(group, OrientedHashes)
            and _is_not_hidden(group)
            and group.region != "enlarged"
        ):
            usable = group.moments if criteria.is_surely_usable(group) else ()
            moments_by_kind.setdefault(group.kind, set()).update(usable)
    minimum = criteria.min_moments(hashed)
    return any(len(moments) < minimum for moments in moments_by_kind.values())


def _print_vpdq(files: tuple[str, ...], sampling_seconds: float) -> int:
    """Print the vPDQ of one video in the layout of vPDQ's own tool."""
    paths = list(itertools.islice(find_files(files), 2))
    if len(paths) != 1:
        raise click.UsageError("vPDQ's layout holds one video: name one, or add --lines")
    video_hash, error = _compute_vpdq_and_warn(paths[0], sampling_seconds)
    if video_hash is not None:
        for line in vpdq_value.vpdq_lines(video_hash.value):
            click.echo(line)
    if error is not None:
        click.echo(f"{printable(paths[0])}: {error}", err=True)
    return 0 if error is None else 3


def _compute_vpdq_and_warn(
    path: str, sampling_seconds: float
) -> tuple[Hash | None, MediaError | None]:
    """Return the vPDQ of a video and the error, if any; warn if it is too short to match copies."""
    video_hash, error = vpdq.compute(path, every=sampling_seconds)
    warning = None if video_hash is None else vpdq.explain_shortness(video_hash)
    if warning is not None:
        hint = "; --every 0 takes every frame" if sampling_seconds else ""
        click.echo(f"{printable(path)}: {warning}{hint}", err=True)
    return video_hash, error


def _parse_kinds(names: str) -> tuple[HashKind, ...]:
    kinds = tuple(kind_named(name.strip().lower()) for name in names.split(","))
    for kind in kinds:
        if not kind.computed:
            known = ", ".join(kind.name for kind in KINDS.values() if kind.computed)
            raise click.UsageError(
                f"--kinds: {kind.name} cannot be computed here; choose from: {known}"
            )
    classic.check_installed(kinds)
    return kinds
