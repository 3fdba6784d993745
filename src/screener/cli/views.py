"""The command `screener views`."""

from __future__ import annotations

import click

from screener.hashing.views import VIEWS


@click.command()
def views() -> int:
    """Print the views: the edits that `--effort views` and `--effort all` undo.

    `views` searches each upright and mirrored, `all` in eight orientations. A match by evidence
    names its view.
    """
    for view in VIEWS:
        click.echo(view.name)
    return 0
