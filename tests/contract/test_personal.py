"""Personal columns: found by name and by value, and what only sounds like one stays."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from segql.engines.duckdb import DuckDBEngine
from segql.errors import SegqlError
from segql.personal import PersonalRules, personal_columns, personal_name

IDS = frozenset({"customer_id"})

PERSONAL = {
    "an e-mail address": [
        "email", "e_mail", "E-Mail", "customer_email", "email_hash", "Emails",
        "contact_mail", "email_1",
    ],
    "a phone number": [
        "phone", "home_phone", "phone_number", "mobilePhone", "fax", "Telefon", "tel",
    ],
    "a name": [
        "first_name", "LastName", "surname", "customer_name", "Customer Name", "full_name",
        "contact_name", "username", "user_name", "vorname", "nachname", "name",
    ],
    "an address": [
        "address", "emailAddress2", "ip_address", "street", "address_line_1", "zip", "zip_code",
        "postal_code",
        "PLZ", "house_number", "shipping_addresses",
    ],
    "a date of birth": ["birth_date", "date_of_birth", "dob", "birthday", "geburtsdatum"],
    "a document": ["ssn", "passport_number", "iban", "tax_id", "card_number", "license_plate"],
}  # fmt: skip
FREE = [
    "product_name", "segment_name", "city", "country", "region", "segment_key", "model_name",
    "category", "channel", "email_domain", "email_status", "phone_type", "feature", "reason",
    "customer_id", "birth_country", "mail_clicks", "street_type", "name_of_offer", "offer_style",
    "category_name", "store_name", "campaign_name", "customer_name_length", "address_kind",
    "table_name", "host_name", "brand_name", "rfm_cell", "username_kind", "zipper",
]  # fmt: skip


@pytest.mark.parametrize("what", list(PERSONAL))
def test_personal_names(what: str) -> None:
    found = {name: personal_name(name, "VARCHAR", has_id=True) for name in PERSONAL[what]}
    assert found == dict.fromkeys(PERSONAL[what], what)


def test_names_that_only_sound_personal() -> None:
    found = {name: personal_name(name, "VARCHAR", has_id=True) for name in FREE}
    assert {name: reason for name, reason in found.items() if reason} == {}


def test_types_tell_counts_from_people() -> None:
    def names(kind: str) -> set[str]:
        asked = ["email", "phone", "first_name", "address", "birth_date", "dob", "birthday_offers"]
        return {name for name in asked if personal_name(name, kind, has_id=True)}

    assert names("BOOLEAN") == set()
    assert names("DATE") == {"birth_date", "dob", "birthday_offers"}
    assert names("BIGINT") == {"phone", "birth_date", "dob"}
    assert names("DOUBLE") == {"birth_date", "dob"}
    assert names("VARCHAR[]") == names("VARCHAR") == {
        "email", "phone", "first_name", "address", "birth_date", "dob",
    }  # fmt: skip


def test_a_bare_name_is_a_persons_beside_an_id() -> None:
    assert personal_name("name", "VARCHAR", has_id=True) == "a name"
    assert personal_name("name", "VARCHAR", has_id=False) is None
    assert personal_name("latitude", "DOUBLE", has_id=True) == "an address"
    assert personal_name("latitude", "DOUBLE", has_id=False) is None


def found(con: duckdb.DuckDBPyConnection, rules: PersonalRules | None = None) -> dict[str, str]:
    engine = DuckDBEngine(con)
    columns = {row[0]: row[1] for row in con.execute("describe t").fetchall()}
    left = personal_columns(engine, "t", "t", columns, rules or PersonalRules(ids=IDS))
    return {item.column: item.reason for item in left}


PHONES = [
    "+49 30 1234567", "+14155550142", "0049 30 1234567", "(212) 555-0142", "212-555-0142",
    "030/1234567", "0171 2345678", "01 23 45 67 89", " +41 44 668 18 00 ",
]  # fmt: skip
NO_PHONES = [
    "2025-06-30", "85123A", "1234567890123", "5-5-5", "100-200", "12.5", "-3", "09:00-17:00",
    "0900-1700", "S1", "30.06.2025", "01/02/2025", "00012345", "2025-06-30 12:00:00", "+12.5",
    "0.123456", "1 234 567",
]  # fmt: skip


@pytest.mark.parametrize("value", PHONES)
def test_phone_numbers_among_values(con: duckdb.DuckDBPyConnection, value: str) -> None:
    con.execute("create table t as select customer_id, if(customer_id % 10 = 0, ?, 'n/a') as extra "
                "from range(100) as r (customer_id)", [value])  # fmt: skip
    assert found(con) == {"extra": "holds phone numbers in 10 of 100 rows"}


@pytest.mark.parametrize("value", NO_PHONES)
def test_values_that_only_look_like_phone_numbers(
    con: duckdb.DuckDBPyConnection, value: str
) -> None:
    con.execute("create table t as select ? as extra from range(10)", [value])
    assert found(con) == {}


def test_one_address_among_many_values(con: duckdb.DuckDBPyConnection) -> None:
    """Wherever it stands: in a text, a list, a struct, an enum."""
    con.execute(
        """
        create type kinds as enum ('a', 'me@example.org');
        create table t as select n as customer_id,
            if(n = 77777, 'ask Mia.O''Hara+x@mail.example.co.uk, please', 'x @ y') as note,
            [if(n = 5, 'a@b.de', null)] as texts, {'a': {'b': if(n = 5, 'a@b.de', null)}} as deep,
            if(n = 5, 'me@example.org', 'a')::kinds as kind, if(n = 5, 'a@b', '@c.de') as handle,
            '@name' as social, n as number, null as nothing, '' as empty
        from range(100000) as r (n)
        """
    )
    reason = "holds e-mail addresses in 1 of 100000 rows"
    assert found(con) == dict.fromkeys(["note", "texts", "deep", "kind"], reason)


def test_codes_are_no_phone_numbers(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("create table t as select '0123-45678' as product_id, '212-555-0142' as sku, "
                "'+491701234567' as contact_id, 4917012345678 as phone, 12 as phone_orders, "
                "7 as mobile")  # fmt: skip
    assert found(con) == {
        "contact_id": "holds phone numbers in 1 of 1 rows",
        "phone": "holds phone numbers in 1 of 1 rows",
    }


@pytest.mark.parametrize("value", ["mia@example.org", "+491701234567"])
def test_an_id_that_is_personal(con: duckdb.DuckDBPyConnection, value: str) -> None:
    con.execute('create table t as select ? as "Customer_ID", 1 as a', [value])
    with pytest.raises(SegqlError, match=r"^id 'Customer_ID' of 't' holds .* in the option keep$"):
        found(con)
    assert found(con, PersonalRules(keep=["customer_id"], ids=IDS)) == {}


def test_a_user_decides(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("create table t as select 1 as customer_id, 'x' as email, 'y' as city, "
                "'a@b.de' as note, 'z' as \"Odd \"\"name\"")  # fmt: skip

    def decided(**options: Any) -> dict[str, str]:
        return found(con, PersonalRules(ids=IDS, **options))

    assert decided(keep=["EMAIL", "note"]) == {}
    assert decided(leave_out=["City", 'Odd "name']) == {
        "email": "is an e-mail address by its name", "city": "asked for", 'Odd "name': "asked for",
        "note": "holds e-mail addresses in 1 of 1 rows",
    }  # fmt: skip
    # The longer name wins.
    assert "email" in decided(keep=["email"], leave_out=["t.email"])
    assert "city" not in decided(keep=["t.city"], leave_out=["city"])


def test_no_rows(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("create table t (customer_id varchar, note varchar, phone bigint)")
    assert found(con) == {}
