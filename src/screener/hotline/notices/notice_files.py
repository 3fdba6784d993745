"""Render a notice: JSON for machines, plain text and HTML for people in their languages."""

from __future__ import annotations

import json
from collections.abc import Iterator

from screener.hotline.language import html
from screener.hotline.language.translator import Translator, translator
from screener.hotline.model.addresses import defanged
from screener.hotline.notices import acknowledgements
from screener.hotline.notices.notice import Notice
from screener.reporting.pages.html import opening, text

_LONGEST = 400  # characters of a value for people; a video's is longer


def render_files(notice: Notice) -> dict[str, str]:
    """Return the texts of a notice by file name."""
    # In ASCII, so that characters that turn or hide text are visible in an address.
    texts = {"notice.json": json.dumps(notice.to_dict(), indent=2) + "\n"}
    for language in notice.partner.languages:
        say = translator(language)
        texts[f"notice.{language}.txt"] = render_text(notice, say)
        texts[f"notice.{language}.html"] = render_html(notice, say)
    return texts


def _title(notice: Notice, say: Translator) -> str:
    return say("Request to remove content: {reference}", reference=notice.case)


def _facts(notice: Notice, say: Translator) -> Iterator[tuple[str, str]]:
    zone = notice.hotline.zone
    yield say("Notice"), notice.id
    yield say("Case"), notice.case
    yield say("From"), notice.hotline.name
    yield say("To"), notice.partner.name
    yield say("Report received"), say.moment(notice.received, zone)
    yield say("Please act by"), say.moment(notice.due, zone)
    yield say("Notice written"), say.moment(notice.written, zone)
    yield say("Legal basis"), notice.legal_basis or say("not stated")
    if notice.level is not None:
        yield say("Hashes may be shared as"), f"TLP:{notice.level}"
    yield say("If something is wrong, or more time is needed"), notice.hotline.contact


def _request(say: Translator) -> str:
    return say(
        "{hotline} has assessed this content as illegal. Please remove it, keep it from being"
        " uploaded again, and confirm that you have. The time to act is 24 hours, counted from when"
        " the report was received."
    )


def _hashes(notice: Notice, say: Translator) -> list[tuple[str, str]]:
    return [
        (one.kind.name, one.text if len(one.text) <= _LONGEST else say("see notice.json"))
        for one in notice.hashes
    ]


def _addresses_head(notice: Notice, say: Translator) -> str:
    return say.plural("{n} address", "{n} addresses", len(notice.addresses))


def _hashes_head(notice: Notice, say: Translator) -> str:
    return say.plural("{n} hash", "{n} hashes", len(notice.hashes))


def _addresses_hint(say: Translator) -> str:
    return say(
        "Addresses are changed here so that nobody opens one by accident. notice.json holds them"
        " exactly."
    )


def _answer(say: Translator) -> str:
    return say(
        "To answer, put a file such as this one, whose name ends in .json, into the folder"
        " acknowledgements. The event is acknowledged, removed or refused; at is when, by is who"
        " you are: fill both in."
    )


def render_text(notice: Notice, say: Translator) -> str:
    """Return the notice as plain text, with a line for each fact, address and hash."""
    lines = [
        _title(notice, say), "",
        _request(say).format(hotline=say.isolated(notice.hotline.name)), "",
        *(f"{name}{say(': ')}{say.isolated(value)}" for name, value in _facts(notice, say)),
    ]  # fmt: skip
    if notice.addresses:
        lines += ["", _addresses_head(notice, say), _addresses_hint(say)]
        lines += [f"  {say.isolated_ltr(defanged(one))}" for one in notice.addresses]
    if notice.hashes:
        lines += ["", _hashes_head(notice, say)]
        lines += [
            f"  {say.isolated_ltr(f'{kind} {value}')}" for kind, value in _hashes(notice, say)
        ]
    lines += ["", _answer(say)]
    lines = [say.line(line) if line else "" for line in lines]
    # The example has no marks, so that a copy of it is JSON.
    return "\n".join([*lines, *acknowledgements.example(notice.id), ""])


def render_html(notice: Notice, say: Translator) -> str:
    """Return the notice as an HTML page."""
    ltr = {notice.id, notice.case}
    pairs = [
        (html.escaped(name), html.code(value) if value in ltr else html.isolated(value))
        for name, value in _facts(notice, say)
    ]
    name = html.isolated(notice.hotline.name)
    body = f"<p>{html.fill(_request(say), hotline=name)}</p>\n{html.definition_list(pairs)}"
    if notice.addresses:
        body += (
            f"<h2>{html.escaped(_addresses_head(notice, say))}</h2>\n"
            f"<p>{html.escaped(_addresses_hint(say))}</p>\n"
            + _listed(html.code(defanged(one)) for one in notice.addresses)
        )
    if notice.hashes:
        body += f"<h2>{html.escaped(_hashes_head(notice, say))}</h2>\n" + _listed(
            f"{html.code(kind)} {html.code(value)}" for kind, value in _hashes(notice, say)
        )
    example = "\n".join(text(one) for one in acknowledgements.example(notice.id))
    body += (
        f"<h2>{html.escaped(say('How to answer'))}</h2>\n<p>{html.escaped(_answer(say))}</p>\n"
        f'<pre dir="ltr">{example}</pre>\n'
    )
    return html.page(opening("case notify"), say, _title(notice, say), body)


def _listed(items: Iterator[str]) -> str:
    return f"<ul>{''.join(f'<li>{one}</li>' for one in items)}</ul>\n"
