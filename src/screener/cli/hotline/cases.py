"""The commands of a hotline's analysts: `case import`, `list`, `show`, `assess`, and others."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from screener.cli.hotline.store_option import STORE_OPTION, check_listing, open_desk
from screener.cli.option_types import FILE, OneOf
from screener.cli.options import WHO, WHY
from screener.cli.translated_commands import (
    LANGUAGE_OPTION,
    TranslatedGroup,
    print_error,
    translated,
)
from screener.errors import HotlineError, ScreenerError, printable
from screener.hotline.language.sentence import mark
from screener.hotline.language.translator import Translator, remove_invisible
from screener.hotline.language.wording import STATES, warn_of_unreviewed
from screener.hotline.pages import case_text

if TYPE_CHECKING:
    from screener.hotline.desk import Desk
    from screener.hotline.model.case import Case

_IMPORT_MESSAGES = {
    "new": mark("{file}: a new case, {case}"),
    "joined": mark("{file}: belongs to {case}"),
    "repeated": mark("{file}: was there already, in {case}"),
    "withdrawn": mark("{file}: withdraws a report of {case}"),
}


def _clean_pasted_text(text: str) -> str:
    """Remove invisible characters, which copied Arabic text often has, from a reference or id."""
    return printable(remove_invisible(text).strip())


_REFERENCE_ARGUMENT = click.argument("reference", metavar="CASE", type=_clean_pasted_text)


def _open_desk(store: Path, translate: Translator) -> Desk:
    desk = open_desk(store, translate)
    warning = warn_of_unreviewed(translate)
    if warning is not None and translate.language != "en":
        click.echo(warning, err=True)
    return desk


def _print_case(case: Case, translate: Translator) -> None:
    click.echo(case_text.format_summary(case, translate, now=datetime.now(UTC)))


@click.group(cls=TranslatedGroup)
@LANGUAGE_OPTION
def case() -> None:
    """Work on a hotline's cases, from report to removal."""


@case.command("import")
@click.argument("files", nargs=-1, required=True, type=FILE)
@STORE_OPTION
@WHO
@click.option("--key", type=FILE, help="The hotline's secret key, if it is kept elsewhere.")
@translated
def import_(
    files: tuple[Path, ...], store: Path, by: str, key: Path | None, translate: Translator
) -> int:
    """Import sealed files: reports, and withdrawals of reports.

    Reports of one item share a case, by any kind of hash or by address. The command shows what a
    report matches in the lists of the settings. A file that is no report is refused and changes
    nothing.

    \b
    Example:
      screener case import inbox/*.sealed --store hotline --by amina
    """
    desk = _open_desk(store, translate)
    refused, cases = 0, []
    for result in desk.take(files, by=by, key=key):
        if result.status == "refused":
            refused += 1
            why = result.reason or ""
            click.echo(
                translate("{file}: not imported: {why}", file=result.file, why=why), err=True
            )
            continue
        if result.case is None:
            click.echo(
                translate(
                    "{file}: withdraws a report that has not come in yet, as soon as it does",
                    file=result.file,
                )
            )
            continue
        cases.append(result.case)
        click.echo(translate(_IMPORT_MESSAGES[result.status], file=result.file, case=result.case))
        for line in case_text.format_list_matches(result.list_matches, translate):
            click.echo(f"  {line}")
    if refused and refused == len(files):
        raise HotlineError(mark("none of the files is a report to this hotline"))
    code = check_listing(desk, translate, *cases)
    return 2 if refused else code


@case.command("list")
@STORE_OPTION
@click.option("--state", "states", multiple=True, type=OneOf(list(STATES)),
              help="Only those in this state. Repeatable.")  # fmt: skip
@translated
def list_(store: Path, states: tuple[Any, ...], translate: Translator) -> int:
    """List cases, or those in a state, oldest first."""
    now = datetime.now(UTC)
    for each_case in _open_desk(store, translate).cases(*states):
        click.echo(case_text.format_summary(each_case, translate, now=now))
    return 0


@case.command()
@_REFERENCE_ARGUMENT
@STORE_OPTION
@translated
def show(reference: str, store: Path, translate: Translator) -> int:
    """Show all details of a case. Addresses are written so that none can be opened; times are in
    the hotline's zone, as in its notices.
    """
    desk = _open_desk(store, translate)
    shown = desk.case(reference)
    for line in case_text.format_details(shown, translate, now=datetime.now(UTC), zone=desk.zone):
        click.echo(line)
    _print_too_little_detail(desk, shown, translate)
    for concern in desk.concerns(shown):
        click.echo(translate.render(concern))
    return 0


def _print_too_little_detail(
    desk: Desk, case: Case, translate: Translator, *, err: bool = False
) -> None:
    if n := desk.too_little_detail(case):
        text = translate.plural(
            "{n} file shows too little to be compared: only exact copies of it match.",
            "{n} files show too little to be compared: only exact copies of them match.", n,
        )  # fmt: skip
        click.echo(text, err=err)


@case.command()
@_REFERENCE_ARGUMENT
@STORE_OPTION
@click.option("--outcome", required=True, type=OneOf(["illegal", "not_illegal"]),
              help="Your assessment.")  # fmt: skip
@click.option(
    "--basis", type=OneOf(["seen", "known"]),
    help="For the first who chooses illegal: seen by you, or confirmed in a trusted list.",
)  # fmt: skip
@click.option(
    "--file", "files", multiple=True, type=FILE,
    help="Hash this file of the item, without storing it; both analysts do. Repeatable.",
)  # fmt: skip
@WHO
@WHY
@translated
def assess(
    reference: str, store: Path, outcome: Any, basis: Any, files: tuple[Path, ...], by: str,
    reason: str, translate: Translator,
) -> int:  # fmt: skip
    """Record your assessment; 'illegal' needs a second analyst.

    Reported hashes never match. Once two analysts have assessed a case as illegal, the hashes of
    the first one's --file match, if the second one's shows the same, or those of a trusted list.

    \b
    Examples:
      screener case assess C-K7QF3ZAB --outcome illegal --basis seen --file item.jpg --by amina …
      screener case assess C-K7QF3ZAB --outcome illegal --file copy.jpg --by badr …
    """
    desk = _open_desk(store, translate)
    updated = desk.assess(
        reference, by=by, outcome=outcome, basis=basis, files=files, reason=reason
    )
    if updated.state == "received" and outcome == "illegal":
        file = desk.settings.file
        click.echo(translate("A second analyst, named in {file}, has to confirm it.", file=file))
        if basis == "seen" and not files:
            click.echo(
                translate(
                    "Without --file nothing of it will match: assess it again with the file."
                ),
                err=True,
            )
        if basis == "known" and updated.addresses:
            click.echo(
                translate(
                    "Only the hashes are known: notices will not contain the"
                    " addresses. To include them, look at them and assess the case"
                    " again as seen."
                ),
                err=True,
            )
    _print_too_little_detail(desk, updated, translate, err=True)
    _print_case(updated, translate)
    return check_listing(desk, translate, reference)


@case.command()
@_REFERENCE_ARGUMENT
@STORE_OPTION
@click.option("--partner", "partners", required=True, multiple=True, type=_clean_pasted_text,
              metavar="TEXT", help="The partner's id. Repeatable.")  # fmt: skip
@WHO
@WHY
@translated
def notify(
    reference: str,
    store: Path,
    partners: tuple[str, ...],
    by: str,
    reason: str,
    translate: Translator,
) -> int:
    """Write a notice of an illegal item into the folder of each partner, once."""
    desk, code = _open_desk(store, translate), 0
    for partner in partners:
        try:
            desk.notify(reference, partner, by=by, reason=reason)
        except ScreenerError as error:  # continue with the other partners
            print_error(_find_recorded_notice(desk, reference, partner) or error, translate)
            code = 2
            continue
        click.echo(
            translate(
                "A notice of {case} lies ready for {partner}.", case=reference, partner=partner
            )
        )
    return code


def _find_recorded_notice(desk: Desk, reference: str, partner: str) -> HotlineError | None:
    """Return an error if a notice was recorded but could not be written, or None."""
    for case_reference, recipient, error in desk.backlog.notices:
        if (case_reference, recipient) == (reference, partner):
            message = mark("the notice of {case} to {partner} is recorded and waits: {why}")
            return HotlineError(message, case=reference, partner=partner, why=error)
    return None


@case.command()
@STORE_OPTION
@WHO
@translated
def acknowledge(store: Path, by: str, translate: Translator) -> int:
    """Read the answers in the folders of partners, and record them.

    A case is removed when every partner with a notice of it says so.
    """
    from screener.hotline.casebook import concerns

    desk = _open_desk(store, translate)
    answers = desk.acknowledge(by=by)
    for partner, reference, answer in answers.new:
        click.echo(translate(_ANSWER_MESSAGES[answer.event], partner=partner, case=reference))
        if answer.note:
            click.echo("  " + translate("{by} says: {note}", by=answer.by, note=answer.note))
    for reference in dict.fromkeys(reference for _, reference, _ in answers.new):
        refusal = concerns.describe_refusal(desk.case(reference))
        if refusal is not None:
            click.echo(translate.render(refusal))
    for partner, unread in answers.unread:
        click.echo(
            translate(
                "{partner}: {file} is not an answer ({why})",
                partner=partner,
                file=unread.file,
                why=unread.error,
            ),
            err=True,
        )
    return 2 if answers.unread else 0


_ANSWER_MESSAGES = {
    "acknowledged": mark("{partner} has read the notice of {case}."),
    "removed": mark("{partner} has removed the item of {case}."),
    "refused": mark("{partner} has refused to remove the item of {case}."),
}


@case.command()
@_REFERENCE_ARGUMENT
@STORE_OPTION
@click.option("--state", required=True, type=OneOf(["removed", "refused"]),
              help="How it ended.")  # fmt: skip
@WHO
@WHY
@translated
def close(
    reference: str, store: Path, state: Any, by: str, reason: str, translate: Translator
) -> int:
    """Close a case. What two analysts confirmed goes on matching: see `reverse`.

    If you close it as removed, partners that have not answered count as having removed it now:
    close it when you learn of the removal.
    """
    updated = _open_desk(store, translate).close(reference, state=state, by=by, reason=reason)
    _print_case(updated, translate)
    return 0


@case.command()
@_REFERENCE_ARGUMENT
@STORE_OPTION
@WHO
@WHY
@translated
def reverse(reference: str, store: Path, by: str, reason: str, translate: Translator) -> int:
    """Take back that an item is illegal: it stops matching at once. One analyst suffices.

    If the hotline's list cannot be written, the command reports it with exit code 2: the item
    matches until a later command of the hotline can write it.
    """
    desk = _open_desk(store, translate)
    updated = desk.reverse(reference, by=by, reason=reason)
    _print_case(updated, translate)
    _print_partners_to_inform(updated, translate)
    return check_listing(desk, translate, reference)


@case.command()
@_REFERENCE_ARGUMENT
@STORE_OPTION
@WHO
@WHY
@translated
def restart(reference: str, store: Path, by: str, reason: str, translate: Translator) -> int:
    """Restart the 24 hours of a case that was received by a clock that was ahead.

    Only for a case that was received in the future.
    """
    updated = _open_desk(store, translate).restart(reference, by=by, reason=reason)
    _print_case(updated, translate)
    _print_partners_to_inform(updated, translate)  # their notices state the wrong time
    return 0


def _print_partners_to_inform(case: Case, translate: Translator) -> None:
    for sent in case.sent:
        click.echo(
            translate(
                "Tell {partner}: it was sent the notice {notice}.",
                partner=sent.partner,
                notice=sent.notice,
            ),
            err=True,
        )


@case.command()
@STORE_OPTION
@translated
def overdue(store: Path, translate: Translator) -> int:
    """List the cases whose 24 hours have passed, and those with less than a quarter left.

    Then list those that need a decision: every partner that was asked has answered and some refuse,
    or a trusted list no longer confirms what was assessed by it; and those that were received by a
    clock that was ahead.

    \b
    Exit codes:
      0  every case has time
      3  some have little time left, or need a decision
      1  some are overdue
    """

    now = datetime.now(UTC)
    desk = _open_desk(store, translate)
    due = desk.overdue(at=now)
    for each_case in due:
        click.echo(case_text.format_summary(each_case, translate, now=now))
    undecided = [concern for each_case in desk.cases() for concern in desk.concerns(each_case)]
    for concern in undecided:
        click.echo(translate.render(concern))
    if any(each_case.is_overdue(now) for each_case in due):
        return 1
    return 3 if due or undecided else 0


COMMANDS = (case,)
