"""The command `screener views`."""

from __future__ import annotations

import click

from screener.hashing.views import VIEWS_OF


@click.command()
def views() -> int:
    """Print the views: the edits that `--effort views` and `all` undo.

    `views` searches each upright and mirrored, `all` in eight orientations. Those "to" a shape are
    for pictures of that shape. A match by evidence names its view.
    """
    for name in dict.fromkeys(view.name for of_shape in VIEWS_OF.values() for view in of_shape):
        click.echo(name)
    return 0
