"""Which columns are personal, by their names and by their values, and stay where they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from segql import sql_text as sql
from segql.engines.duckdb import DuckDBEngine
from segql.errors import SegqlError

#: English, German, French, Spanish and Italian words; a column is what its last word says:
#: ``email`` is personal, ``email_clicks`` and ``email_domain`` are not.
_EMAIL = {"email", "mail", "emailaddress", "mailadresse", "correo", "courriel"}
_PHONE = {
    "phone", "phonenumber", "telephone", "tel", "mobile", "cellphone", "mobilephone", "fax",
    "msisdn", "whatsapp", "telefon", "telefonnummer", "handy", "handynummer", "telefono",
}  # fmt: skip
_NAME = {
    "surname", "lastname", "firstname", "fullname", "forename", "nickname", "username",
    "middlename", "maidenname", "givenname", "familyname", "vorname", "nachname", "familienname",
    "prenom", "apellido", "cognome",
}  # fmt: skip
#: Whose name a ``…_name`` is.
_PERSON = {
    "first", "last", "given", "family", "middle", "maiden", "full", "sur", "fore", "nick", "user",
    "login", "customer", "client", "contact", "person", "buyer", "member", "subscriber",
    "recipient", "holder", "cardholder", "guest", "shopper", "patient", "spouse",
}  # fmt: skip
_ADDRESS = {
    "address", "addr", "street", "streetname", "postcode", "postalcode", "zip", "zipcode", "ip",
    "adresse", "strasse", "straße", "hausnummer", "plz", "postleitzahl", "direccion", "indirizzo",
}  # fmt: skip
_BIRTH = {
    "birth", "birthdate", "birthday", "birthyear", "dob", "geburtsdatum", "geburtstag",
    "geburtsjahr", "naissance", "nacimiento", "nascita",
}  # fmt: skip
_BIRTH_HEADS = _BIRTH | {"date", "year", "month", "day"}
_DOCUMENT = {"ssn", "passport", "iban", "nif"}
_PLACE = {"latitude", "longitude", "lat", "lon", "lng"}
#: Two words at the end that are personal together.
_PAIRS = {
    ("postal", "code"): "an address", ("zip", "code"): "an address", ("post", "code"): "an address",
    ("street", "name"): "an address", ("house", "number"): "an address",
    ("tax", "id"): "a document", ("national", "id"): "a document", ("vat", "id"): "a document",
    ("security", "number"): "a document", ("card", "number"): "a document",
    ("passport", "number"): "a document", ("licence", "number"): "a document",
    ("license", "number"): "a document", ("account", "number"): "a document",
    ("licence", "plate"): "a document", ("license", "plate"): "a document",
}  # fmt: skip
#: Words after the one that counts; a hash of an e-mail address finds its person, too.
_AFTER = {
    "number", "no", "nr", "num", "raw", "clean", "cleaned", "normalized", "text", "line", "hash",
    "hashed", "sha", "sha256", "md5", "plain", "primary", "secondary", "work", "home",
}  # fmt: skip
#: What a code's name ends with; codes look like phone numbers.
_CODES = {"id", "key", "code", "sku", "ean", "gtin", "upc", "isbn", "reference", "ref"}

_NUMBER = re.compile(r"^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|REAL|DECIMAL.*)$")
_WHOLE = re.compile(r"^U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?$|^DECIMAL\(\d+,0\)$")
_TEMPORAL = re.compile(r"^(DATE|TIMESTAMP.*|TIME.*|INTERVAL)$")
#: A whole number that large may be a phone number, a smaller one is a count.
_LEAST_PHONE = 1_000_000

#: Anywhere in a text, so that lists, structs and notes are seen through.
EMAIL_VALUE = r"[A-Za-z0-9._%+\-]+@[A-Za-z0-9](?:[A-Za-z0-9.\-]*[A-Za-z0-9])?\.[A-Za-z]{2,}"
_PLUS = r"\+[1-9][0-9 ()./\-]{6,20}"
#: A whole text: +49 30 1234567, 0049 30…, (212) 555-0142, 030/1234567, 01 23 45 67 89.
PHONE_VALUE = "|".join(
    (
        _PLUS,
        r"00[1-9][0-9]{1,2}[ ()./\-][0-9 ()./\-]{5,18}",
        r"\(?[2-9][0-9]{2}\)?[ .\-][0-9]{3}[ .\-][0-9]{4}",
        r"\(?0[1-9][0-9]{1,4}\)?[ /\-][0-9 /\-]{5,14}",
        r"0[1-9](?:[ .\-][0-9]{2}){4}",
    )
)
#: The share of a column's texts that must look like phone numbers; of e-mail addresses one will do.
PHONE_SHARE = 0.05


@dataclass(frozen=True)
class LeftOut:
    """A column that does not leave, and why."""

    table: str
    column: str
    reason: str


@dataclass(frozen=True)
class PersonalRules:
    """What a user decides: columns, as ``column`` or ``table.column``, that leave or stay."""

    keep: Sequence[str] = ()
    leave_out: Sequence[str] = ()
    ids: frozenset[str] = frozenset()

    def check(self, tables: Mapping[str, Iterable[str]]) -> None:
        """Refuse a column that no table has, or that is to be kept and left out."""
        known = {name for columns in tables.values() for name in columns}
        full = {f"{table}.{name}" for table, columns in tables.items() for name in columns}
        lowered = {name.lower(): name for name in sorted(known | full)}
        for option in ("keep", "leave_out"):
            for name in getattr(self, option):
                if name.lower() not in lowered:
                    near = get_close_matches(name.lower(), lowered, n=1, cutoff=0.5)
                    hint = f"; did you mean {lowered[near[0]]!r}?" if near else ""
                    raise SegqlError(
                        f"{option}: no mart has a column {name!r}{hint} (accepted: column or "
                        "mart.column)"
                    )
        both = {name.lower() for name in self.keep} & {name.lower() for name in self.leave_out}
        if both:
            raise SegqlError(
                f"keep and leave_out both name {min(both)!r}; accepted: one of them for a column"
            )

    def decision(self, table: str, column: str) -> bool | None:
        """True to keep, False to leave out, None where nothing is said; the longer name wins."""
        for name in (f"{table}.{column}".lower(), column.lower()):
            if name in {item.lower() for item in self.leave_out}:
                return False
            if name in {item.lower() for item in self.keep}:
                return True
        return None


def personal_columns(
    engine: DuckDBEngine, source: str, table: str, columns: Mapping[str, str], rules: PersonalRules
) -> list[LeftOut]:
    """Find the columns of a table that do not leave.

    Parameters
    ----------
    engine : DuckDBEngine
    source : str
        SQL name of the table: all of its rows are looked at.
    table : str
        Its name in messages.
    columns : mapping
        Types by name.
    rules : PersonalRules
        What the user has decided, and the id columns, which stay.

    Raises
    ------
    SegqlError
        When an id column holds e-mail addresses or phone numbers.
    """
    has_id = any(name.lower() in rules.ids for name in columns)
    left = {}
    asked: dict[str, str] = {}
    for column, kind in columns.items():
        decision = rules.decision(table, column)
        if decision is False:
            left[column] = "asked for"
        elif decision is None:
            is_id = column.lower() in rules.ids
            reason = None if is_id else personal_name(column, kind, has_id=has_id)
            if reason is None:
                asked[column] = kind
            elif _WHOLE.match(kind) and reason == "a phone number":
                # A count of calls has this name, too: its size tells.
                asked[column] = kind
            else:
                left[column] = f"is {reason} by its name"
    left |= _by_values(engine, source, table, asked, rules)
    return [LeftOut(table, name, left[name]) for name in columns if name in left]


def personal_name(column: str, kind: str, *, has_id: bool) -> str | None:
    """Tell what a column is by its name and type, None for one that is not personal.

    Parameters
    ----------
    column, kind : str
        Name, and type as DuckDB writes it.
    has_id : bool
        Whether the table has a row for each customer: a bare ``name`` is a person's there.
    """
    words = _words(column)
    if kind == "BOOLEAN" or not words:
        return None
    if len(words) > 1 and (words[-2], words[-1]) in _PAIRS:
        return _PAIRS[words[-2], words[-1]]
    while len(words) > 1 and (words[-1] in _AFTER or words[-1].isdigit()):
        words = words[:-1]
    if _BIRTH & set(words) and (_TEMPORAL.match(kind) or words[-1] in _BIRTH_HEADS):
        return "a date of birth"
    if words[-1] in _DOCUMENT or (has_id and words[-1] in _PLACE):
        return "a document" if words[-1] in _DOCUMENT else "an address"
    if words[-1] in _PHONE and (_is_text(kind) or _WHOLE.match(kind)):
        return "a phone number"
    return _of_text(words, has_id=has_id) if _is_text(kind) else None


def _of_text(words: list[str], *, has_id: bool) -> str | None:
    head, before = words[-1], "".join(words[-2:-1])
    if head in _EMAIL:
        return "an e-mail address"
    if head in _ADDRESS:
        return "an address"
    if head in _NAME or (head == "name" and before in _PERSON) or (words == ["name"] and has_id):
        return "a name"
    return None


def _words(column: str) -> list[str]:
    """Words of a name: ``homePhone2`` and ``home_phone_2`` are the same; plurals are not."""
    spaced = re.sub(r"([a-zà-öø-ÿ])([A-ZÀ-ÖØ-Þ])", r"\1 \2", column)
    words = re.findall(r"[^\W\d_]+|\d+", spaced.lower())
    singular = {"addresses": "address"}
    known = _EMAIL | _PHONE | _NAME | _ADDRESS | {"name", "number"}
    return [
        singular.get(word) or (word[:-1] if word.endswith("s") and word[:-1] in known else word)
        for word in words
    ]


def _is_text(kind: str) -> bool:
    return kind != "BOOLEAN" and not _NUMBER.match(kind) and not _TEMPORAL.match(kind)


def _by_values(
    engine: DuckDBEngine,
    source: str,
    table: str,
    columns: Mapping[str, str],
    rules: PersonalRules,
) -> dict[str, str]:
    """Reasons of the columns whose values look like e-mail addresses or phone numbers."""
    looked = {
        name: kind for name, kind in columns.items()
        if _is_text(kind) or (_WHOLE.match(kind) and personal_name(name, kind, has_id=False))
    }  # fmt: skip
    if not looked:
        return {}
    counts = engine.rows(
        "select count(*), "
        + ", ".join(_count(name, kind) for name, kind in looked.items())
        + f" from {source}"
    )[0]
    found = {}
    for place, name in enumerate(looked):
        emails, phones, filled = (int(item) for item in counts[1 + 3 * place : 4 + 3 * place])
        if emails:
            reason = f"holds e-mail addresses in {emails} of {counts[0]} rows"
        elif phones and phones >= PHONE_SHARE * filled:
            reason = f"holds phone numbers in {phones} of {counts[0]} rows"
        else:
            continue
        if name.lower() in rules.ids:
            what = reason.partition(" in ")[0]
            raise SegqlError(
                f"id {name!r} of {table!r} {what}, which do not leave; accepted: ids that are keys "
                f"or hashes, or {name!r} in the option keep"
            )
        found[name] = reason
    return found


def _count(column: str, kind: str) -> str:
    """Counts of e-mail addresses, phone numbers, and texts that are not empty."""
    name = sql.text(sql.column(column))
    if not _is_text(kind):
        return f"0, count(*) filter (abs({name}::hugeint) >= {_LEAST_PHONE}), count({name})"
    value = name if kind == "VARCHAR" else f"{name}::varchar"
    is_code = _words(column)[-1:] and _words(column)[-1] in _CODES
    email, phone = (sql.literal(item) for item in (EMAIL_VALUE, _PLUS if is_code else PHONE_VALUE))
    return (
        f"count(*) filter (contains({value}, '@') and regexp_matches({value}, {email})), "
        f"count(*) filter (regexp_full_match(trim({value}), {phone})), "
        f"count(*) filter ({value} <> '')"
    )
