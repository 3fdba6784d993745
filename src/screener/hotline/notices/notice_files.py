"""Render a notice: JSON for machines, plain text and HTML for people in their languages."""

from __future__ import annotations

import json
from collections.abc import Iterator

from screener.hotline.language import html
from screener.hotline.language.translator import Translator, get_translator
from screener.hotline.model.addresses import defang
from screener.hotline.notices import acknowledgements
from screener.hotline.notices.notice import Notice
from screener.reporting.pages.html import opening, text

_LONGEST = 400  # characters of a value for people; a video's is longer


def render_files(notice: Notice) -> dict[str, str]:
    """Return the texts of a notice by file name."""
    # In ASCII, so that characters that turn or hide text are visible in an address.
    texts = {"notice.json": json.dumps(notice.to_dict(), indent=2) + "\n"}
    for language in notice.partner.languages:
        translate = get_translator(language)
        texts[f"notice.{language}.txt"] = render_text(notice, translate)
        texts[f"notice.{language}.html"] = render_html(notice, translate)
    return texts


def _title(notice: Notice, translate: Translator) -> str:
    return translate("Request to remove content: {reference}", reference=notice.case)


def _facts(notice: Notice, translate: Translator) -> Iterator[tuple[str, str]]:
    zone = notice.hotline.zone
    yield translate("Notice"), notice.id
    yield translate("Case"), notice.case
    yield translate("From"), notice.hotline.name
    yield translate("To"), notice.partner.name
    yield translate("Report received"), translate.moment(notice.received, zone)
    yield translate("Please act by"), translate.moment(notice.due, zone)
    yield translate("Notice written"), translate.moment(notice.written, zone)
    yield translate("Legal basis"), notice.legal_basis or translate("not stated")
    if notice.level is not None:
        yield translate("Hashes may be shared as"), f"TLP:{notice.level}"
    yield translate("If something is wrong, or more time is needed"), notice.hotline.contact


def _request(translate: Translator) -> str:
    return translate(
        "{hotline} has assessed this content as illegal. Please remove it, keep it from being"
        " uploaded again, and confirm that you have. The time to act is 24 hours, counted from when"
        " the report was received."
    )


def _hashes(notice: Notice, translate: Translator) -> list[tuple[str, str]]:
    return [
        (one.kind.name, one.text if len(one.text) <= _LONGEST else translate("see notice.json"))
        for one in notice.hashes
    ]


def _addresses_head(notice: Notice, translate: Translator) -> str:
    return translate.plural("{n} address", "{n} addresses", len(notice.addresses))


def _hashes_head(notice: Notice, translate: Translator) -> str:
    return translate.plural("{n} hash", "{n} hashes", len(notice.hashes))


def _addresses_hint(translate: Translator) -> str:
    return translate(
        "Addresses are changed here so that nobody opens one by accident. notice.json holds them"
        " exactly."
    )


def _answer(translate: Translator) -> str:
    return translate(
        "To answer, put a file such as this one, whose name ends in .json, into the folder"
        " acknowledgements. The event is acknowledged, removed or refused; at is when, by is who"
        " you are: fill both in."
    )


def render_text(notice: Notice, translate: Translator) -> str:
    """Return the notice as plain text, with a line for each fact, address and hash."""
    lines = [
        _title(notice, translate), "",
        _request(translate).format(hotline=translate.isolate(notice.hotline.name)), "",
        *(
            f"{name}{translate(': ')}{translate.isolate(value)}"
            for name, value in _facts(notice, translate)
        ),
    ]  # fmt: skip
    if notice.addresses:
        lines += ["", _addresses_head(notice, translate), _addresses_hint(translate)]
        lines += [f"  {translate.isolate_ltr(defang(one))}" for one in notice.addresses]
    if notice.hashes:
        lines += ["", _hashes_head(notice, translate)]
        lines += [
            f"  {translate.isolate_ltr(f'{kind} {value}')}"
            for kind, value in _hashes(notice, translate)
        ]
    lines += ["", _answer(translate)]
    lines = [translate.line(line) if line else "" for line in lines]
    # The example has no marks, so that a copy of it is JSON.
    return "\n".join([*lines, *acknowledgements.example(notice.id), ""])


def render_html(notice: Notice, translate: Translator) -> str:
    """Return the notice as an HTML page."""
    ltr = {notice.id, notice.case}
    pairs = [
        (html.escape_text(name), html.code(value) if value in ltr else html.isolate(value))
        for name, value in _facts(notice, translate)
    ]
    name = html.isolate(notice.hotline.name)
    body = f"<p>{html.fill(_request(translate), hotline=name)}</p>\n{html.definition_list(pairs)}"
    if notice.addresses:
        body += (
            f"<h2>{html.escape_text(_addresses_head(notice, translate))}</h2>\n"
            f"<p>{html.escape_text(_addresses_hint(translate))}</p>\n"
            + _listed(html.code(defang(one)) for one in notice.addresses)
        )
    if notice.hashes:
        body += f"<h2>{html.escape_text(_hashes_head(notice, translate))}</h2>\n" + _listed(
            f"{html.code(kind)} {html.code(value)}" for kind, value in _hashes(notice, translate)
        )
    example = "\n".join(text(one) for one in acknowledgements.example(notice.id))
    body += (
        f"<h2>{html.escape_text(translate('How to answer'))}</h2>\n"
        f"<p>{html.escape_text(_answer(translate))}</p>\n"
        f'<pre dir="ltr">{example}</pre>\n'
    )
    return html.page(opening("case notify"), translate, _title(notice, translate), body)


def _listed(items: Iterator[str]) -> str:
    return f"<ul>{''.join(f'<li>{one}</li>' for one in items)}</ul>\n"
