"""Made-up listed values of every kind, and looking for them in whatever form."""

import base64
import hashlib

SIZES = {"pdq": 32, "md5": 16, "sha1": 20, "sha256": 32, "photodna": 144}
# So many characters of a hash tell which one it is.
TELLING = 16


def raw(name, kind):
    """The listed value of an entry: well mixed."""
    return hashlib.shake_128(f"{name} {kind}".encode()).digest(SIZES[kind])


def written(name, kind):
    """As the column of a CSV has it."""
    value = raw(name, kind)
    return base64.b64encode(value).decode() if kind == "photodna" else value.hex()


def found(content, values):
    """Which of some values any bytes hold, in whatever form."""
    low = content.lower()
    return [
        value
        for value in values
        if value in content
        or value.hex()[:TELLING].encode() in low
        or base64.b64encode(value)[:TELLING] in content
        or base64.urlsafe_b64encode(value)[:TELLING] in content
    ]
