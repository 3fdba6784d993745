"""Addresses of content: how they are shown, stored and compared."""

from __future__ import annotations

import contextlib
import os
import re
import unicodedata
from unicodedata import normalize
from urllib.parse import SplitResult, quote, urlsplit

from screener.errors import HotlineError
from screener.hotline.language.sentence import mark
from screener.hotline.language.translator import remove_invisible

_SCHEME = re.compile(r"(?i)\bh(tt)(ps?)(?=\s*:)")
# It counts as a dot in host names, although it is none in NFKC.
_IDEOGRAPHIC_STOP = "\u3002"


def defang(address: str) -> str:
    """Return an address as one line that no program opens: `hxxps[:]//example[.]com/a`.

    Every dot and colon, and each character that a program may take for one, stands in brackets;
    `http` becomes `hxxp`. Characters that cannot be printed, such as line ends, are
    percent-encoded.
    """
    text = "".join(c if c.isprintable() else quote(c, errors="replace") for c in address.strip())
    text = _SCHEME.sub(lambda found: f"hxx{found[2].lower()}", text)
    return "".join(f"[{c}]" if _is_joint(c) else c for c in text)


def _is_joint(character: str) -> bool:
    return not set(normalize("NFKC", character) + character).isdisjoint(f".:{_IDEOGRAPHIC_STOP}")


MAX_ADDRESS_LENGTH = 2_048  # characters
PICTURE_AS_ADDRESS = mark(
    "this is the picture itself, not an address: give the address of the page that shows it"
)

# Parameters by which sites track readers; they do not belong to the page.
_TRACKING = re.compile(
    r"utm_[a-z_]+|fbclid|gclid|dclid|msclkid|igsh(?:id)?|mc_eid|mibextid|twclid|ttclid", re.A | re.I
)
_PORTS = {"http": 80, "https": 443}
_SAFE = "!$&'()*+,;=:@/?-._~%"
_ESCAPED = re.compile(r"%([0-9a-f]{2})", re.A | re.I)
_UNRESERVED = re.compile(r"[\w.~-]", re.A)
# Browsers ignore these in an address.
_BROKEN = re.compile(r"[\t\r\n]")
# Characters that IDNA 2008 allows in host names and Python's codec maps to others.
_DEVIATING = re.compile("[ßς\u200c\u200d]")
# Invisible, but part of words, and of host names, in Persian for instance.
_JOINERS = "\u200c\u200d"
_JOINED = re.compile(r"%E2%80%8[CD]", re.I)
# A host as people write it, without a scheme.
_HOST = re.compile(r"(?:[\w.-]+\.\w{2,}|\d+(?:\.\d+){3})(?=[:/?#]|$)")
# Browsers need no slash between a scheme that they know and the host.
_PARTS = re.compile(
    r"(?P<scheme>h(?:tt|xx)ps?\[?:\]?/*|(?:ftp|wss?):/*|[a-z][a-z0-9+.-]*\[?:\]?//)?"
    r"(?P<host>[^/?#]*)(?P<path>[^?#]*)(?P<query>\?[^#]*)?(?P<spot>#.*)?",
    re.A | re.I | re.S,
)
_PERSONAL = re.compile(r"@|(?:mailto|xmpp|sips?|acct|im|matrix|skype):", re.A | re.I)
_PICTURE = re.compile(r"data\[?:", re.A | re.I)
_LOCAL = re.compile(r"file:|[a-z]:[\\/]|\\\\|~[/\\]|\.{0,2}/", re.A | re.I)


def is_picture(address: str) -> bool:
    """Return whether a text is a picture itself (`data:`), not an address."""
    return _PICTURE.match(_seen(address)) is not None


def clean_address(text: str) -> str:
    """Return an address as it goes into a report.

    Drops user name, password, tracking parameters, and invisible characters around it; those inside
    are percent-encoded. Raises HotlineError if it is no address, a local file, or the picture
    itself.
    """
    address = _seen(unicodedata.normalize("NFC", text))
    if _PICTURE.match(address):
        raise HotlineError(PICTURE_AS_ADDRESS)
    if not address or not address.isprintable() or len(address) > MAX_ADDRESS_LENGTH:
        raise HotlineError(
            mark("an address is one line of text of at most {most} characters"),
            most=MAX_ADDRESS_LENGTH,
        )
    if _LOCAL.match(address) or os.path.lexists(address):
        raise HotlineError(
            mark(
                "this is a file on your own computer, not the address of a page: its name"
                " could reveal who you are"
            )
        )
    parts = _written(address)
    if parts is None:
        return address
    query = _without_tracking(parts["query"][1:])
    host = parts["host"].rpartition("@")[2]
    return parts["scheme"] + host + parts["path"] + (f"?{query}" if query else "") + parts["spot"]


def _seen(text: str) -> str:
    """Return an address without invisible characters."""
    begin, end = 0, len(text)
    while begin < end and _is_around(text[begin]):
        begin += 1
    while begin < end and _is_around(text[end - 1]):
        end -= 1
    inside = text[begin:end]
    parts = _written(remove_invisible(inside))
    if parts is None:
        return remove_invisible(inside)
    seen: list[str] = []
    left = len(parts["scheme"] + parts["host"])
    for character in inside:
        if unicodedata.category(character) != "Cf":
            seen.append(character)
            left -= 1
        elif left < 0 or (character in _JOINERS and left < len(parts["host"])):
            seen.append(quote(character))
    return "".join(seen)


def _is_around(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) == "Cf"


def _written(address: str) -> dict[str, str] | None:
    """Return the parts of an address, or None for other texts, such as a mail or chat address."""
    found = _PARTS.fullmatch(_slashed(address))
    if found is None or "|" in found["host"]:  # as in an eD2k link
        return None
    parts = {name: text or "" for name, text in found.groupdict().items()}
    if parts["scheme"]:
        return parts if parts["host"] else None
    name, at, host = parts["host"].rpartition("@")
    if not _is_host(host.replace("[.]", ".")) or _PERSONAL.match(name):
        return None
    whole = parts["path"] + parts["query"] + parts["spot"]
    return parts if not at or ":" in name or whole else None


def _is_host(text: str) -> bool:
    return _HOST.match(_JOINED.sub("", text)) is not None


def normalise_address(address: str) -> str:
    """Return the same text for two addresses of one page.

    Ignores scheme, `www.`, the usual port, the last slash, the case of the host, percent-encoding
    without effect and tracking parameters. Keeps what follows `#`, which names the page on many
    sites.
    """
    text = unicodedata.normalize("NFC", _BROKEN.sub("", address).strip())
    text = re.sub(r"^hxxp", "http", text, flags=re.I).replace("[.]", ".").replace("[:]", ":")
    text = _slashed(text)
    parts = _split(text)
    if parts is None and "://" not in text and _is_host(_alike(text)):
        parts = _split(f"https://{text}")
    if parts is None:
        return "".join(_alike(text).split()).casefold()
    host = _alike(parts.netloc.rpartition("@")[2]).rstrip(".").lower()
    name, _, port = host.rpartition(":")
    if name and port == str(_PORTS[parts.scheme.lower()]):
        host = name
    # An invalid name stays as it is, and so does one that Python would map to another.
    if not _DEVIATING.search(host):
        with contextlib.suppress(UnicodeError):
            host = host.encode("idna").decode()
    path = _plain(parts.path).rstrip("/")
    query = _plain(_without_tracking(parts.query))
    spot = _plain(parts.fragment.partition(":~:")[0])
    ends = (f"?{query}" if query else "") + (f"#{spot}" if spot else "")
    return host.removeprefix("www.") + path + ends


def _alike(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _split(address: str) -> SplitResult | None:
    try:
        parts = urlsplit(address)
        found = parts.scheme.lower() in _PORTS and bool(parts.netloc)
    except ValueError:
        return None
    return parts if found else None


def _slashed(address: str) -> str:
    """Return an address with slashes for backslashes before the query, as browsers read it."""
    found = re.match(r"[^?#]*", address)
    end = found.end() if found else 0
    return address[:end].replace("\\", "/") + address[end:]


def _without_tracking(query: str) -> str:
    parts = [part for part in query.split("&") if not _TRACKING.fullmatch(part.partition("=")[0])]
    return "&".join(filter(None, parts))


def _plain(text: str) -> str:
    """Return a text in one percent-encoding; a separator and its escaped form stay different."""
    return _ESCAPED.sub(_unescaped, quote(text, safe=_SAFE))


def _unescaped(escaped: re.Match[str]) -> str:
    character = chr(int(escaped[1], 16))
    return character if _UNRESERVED.fullmatch(character) else escaped[0].upper()
