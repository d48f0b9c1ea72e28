"""The Polars and the SQL reading of a query agree on every event."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import duckdb
import polars as pl
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from vedette.model.errors import QueryError
from vedette.model.events import EVENT_COLUMNS, EVENT_SCHEMA
from vedette.model.query import (
    All,
    And,
    Cidr,
    Compare,
    Contains,
    Equals,
    Exists,
    Field,
    Kind,
    Node,
    Not,
    Operator,
    Or,
    Query,
    Wildcard,
    fold,
    mask,
    parse_query,
)
from vedette.model.query.patterns import escaped, network_regex, normal
from vedette.model.query.tree import field_of
from vedette.store.duckdb.frames import stored, visible
from vedette.store.duckdb.migrations import MIGRATIONS
from vedette.store.sql import condition, fold_sql

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LETTERS = "aAbBkKsSiIİıſKςσΣßẞéÉǅ%_\\*?'\"\0\n ./:0159-[({😀\ua7cb\ua7dc\u0264\u019b\u0307"
texts = st.text(st.sampled_from(LETTERS), max_size=6)
addresses = st.sampled_from(
    ["10.0.0.1", "10.255.3.4", "192.168.1.7", "::1", "2001:db8::1", "2001:db8:0:1::", "fe80::1:2", "host", "::"]
)
numbers = st.integers(-3, 300)
times = st.integers(-(10**11), 10**11).map(lambda shift: NOW + timedelta(microseconds=shift))
scalars = texts | numbers | st.booleans() | st.none() | st.sampled_from([1.5, -0.0, 1e3, 12345678.25])
objects = st.dictionaries(st.sampled_from(["foo", "foo.bar", "é"]), scalars, max_size=2)
fields = st.one_of(
    st.fixed_dictionaries(
        {}, optional={"foo": scalars | objects.map(lambda o: {"bar": 1} | o), "foo.bar": scalars}
    ).map(lambda value: json.dumps(value, ensure_ascii=False)),
    st.sampled_from(["", "no json", "[1]", '"x"', "null"]),
)


def values_for(name: str, dtype: pl.DataType) -> st.SearchStrategy[object]:
    if name == "fields":
        return st.none() | fields
    if name.endswith(".ip"):
        return st.none() | addresses
    if dtype == pl.String:
        return st.none() | texts
    if dtype == pl.UInt8:
        return st.none() | st.integers(0, 255)
    return st.none() | (times if dtype.is_temporal() else numbers)


USED = ("@timestamp", "event.original", "message", "user.name", "source.ip", "process.pid", "event.severity", "fields")
COLUMNS = {column.name: column for column in EVENT_COLUMNS}
events = st.lists(
    st.fixed_dictionaries({name: values_for(name, COLUMNS[name].dtype) for name in USED}), min_size=1, max_size=6
)
text_fields = st.sampled_from([field_of(COLUMNS[name]) for name in ("event.original", "message", "user.name")])
json_fields = st.sampled_from([Field("foo", Kind.JSON), Field("foo.bar", Kind.JSON), Field("é", Kind.JSON)])
number_fields = st.sampled_from([field_of(COLUMNS[name]) for name in ("process.pid", "event.severity")])
time_fields = st.just(field_of(COLUMNS["@timestamp"]))
ip_fields = st.just(field_of(COLUMNS["source.ip"]))
any_field = text_fields | json_fields | number_fields | time_fields | ip_fields
patterns = st.lists(texts.map(escaped) | st.sampled_from(["*", "?"]), max_size=4).map("".join).map(normal)
networks = st.sampled_from(
    ["10.0.0.0/8", "192.168.0.0/22", "0.0.0.0/0", "::/0", "2001:db8::/33", "fe80::/10", "::1/128"]
)
big_numbers = numbers | st.sampled_from([2**40, -(2**63), 2**63 - 1])
leaves: st.SearchStrategy[Node] = st.one_of(
    st.builds(All),
    st.builds(Exists, any_field),
    st.builds(Equals, text_fields | json_fields, texts | numbers.map(str)),
    st.builds(Equals, ip_fields, addresses),
    st.builds(Equals, number_fields, big_numbers),
    st.builds(Contains, text_fields, texts),
    st.builds(Wildcard, text_fields | json_fields | number_fields | ip_fields, patterns),
    st.builds(Compare, number_fields, st.sampled_from(Operator), big_numbers),
    st.builds(Compare, json_fields, st.sampled_from(Operator), numbers | st.just(1.5)),
    st.builds(Compare, time_fields, st.sampled_from(Operator), times),
    st.builds(Cidr, ip_fields, networks),
)
trees: st.SearchStrategy[Node] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=2, max_size=3).map(lambda terms: And(tuple(terms))),
        st.lists(inner, min_size=2, max_size=3).map(lambda terms: Or(tuple(terms))),
    ),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as con:
        con.execute(MIGRATIONS[0].statements[0])
        yield con


def frame_of(rows: list[dict[str, object]]) -> pl.DataFrame:
    full = [dict.fromkeys(EVENT_SCHEMA) | row for row in rows]
    for row in full:
        original, message = row["event.original"], row["message"]
        if isinstance(original, str) and isinstance(message, str) and len(message) % 2:
            row["event.original"] = original + message
    return pl.DataFrame(full, schema=EVENT_SCHEMA)


@settings(max_examples=600, deadline=None)
@given(rows=events, tree=trees)
def test_mask_and_sql_agree(connection: duckdb.DuckDBPyConnection, rows: list[dict[str, object]], tree: Node) -> None:
    frame = frame_of(rows)
    connection.execute("DELETE FROM events")
    with visible(connection, stored(frame, 0), "new_events"):
        connection.execute("INSERT INTO events SELECT * FROM new_events")
    where = condition(Query(tree))
    found = connection.execute(
        f'SELECT "vedette.seq" FROM events WHERE {where.text} ORDER BY 1', where.parameters
    ).fetchall()
    expected = frame.with_columns(mask(Query(tree)).alias("hit"))["hit"]
    assert expected.null_count() == 0
    assert [seq for (seq,) in found] == [seq for seq, hit in enumerate(expected) if hit]


@settings(max_examples=300, deadline=None)
@given(tree=trees)
def test_canonical_text_parses_to_an_equal_query(tree: Node) -> None:
    try:
        query = parse_query(str(tree), now=NOW)
    except QueryError:
        reject()
    again = parse_query(str(query), now=NOW)
    assert again == query
    assert hash(again) == hash(query)
    assert str(again) == str(query)


@given(st.text(max_size=80))
def test_any_text_parses_or_says_where_it_is_wrong(text: str) -> None:
    try:
        query = parse_query(text, now=NOW)
    except QueryError as error:
        position: int | None = error.position
    else:
        position = None
        assert parse_query(str(query), now=NOW) == query
    assert position is None or 0 <= position <= len(text)


def test_every_character_folds_alike(connection: duckdb.DuckDBPyConnection) -> None:
    signs = [chr(code) for code in range(1, 0x110000) if not 0xD800 <= code < 0xE000]
    folded = pl.Series(signs).to_frame("c").select(fold(pl.col("c"))).to_series()
    assert folded.str.len_chars().unique().to_list() == [1]
    young = "\ua7dc"
    needle = pl.select(fold(pl.lit(young))).item()
    values = connection.execute(f"SELECT {fold_sql('c', needle)} FROM (SELECT unnest(?) AS c)", [signs]).fetchall()
    differing = [
        (sign, ours, theirs) for sign, ours, (theirs,) in zip(signs, folded, values, strict=True) if ours != theirs
    ]
    assert differing == []


v4_networks = st.builds(
    lambda address, prefix: IPv4Network((int(address) >> (32 - prefix) << (32 - prefix), prefix)),
    st.ip_addresses(v=4),
    st.integers(0, 32),
)
sparse_v6 = st.lists(st.sampled_from([0, 0, 0, 1, 0x80, 0xDB8, 0xFFFF]), min_size=8, max_size=8).map(
    lambda groups: IPv6Address(sum(group << (16 * (7 - at)) for at, group in enumerate(groups)))
)
v6_networks = st.builds(
    lambda address, prefix: IPv6Network((int(address) >> (128 - prefix) << (128 - prefix), prefix)),
    sparse_v6 | st.ip_addresses(v=6),
    st.integers(0, 128),
)


@settings(max_examples=500)
@given(network=v4_networks, address=st.ip_addresses(v=4), offset=st.integers(0, 2**32))
def test_ipv4_network_regex_fits_exactly_its_addresses(network: IPv4Network, address: IPv4Address, offset: int) -> None:
    inside = network[offset % network.num_addresses]
    pattern = network_regex(str(network))
    got = pl.Series([str(inside), str(address)]).str.contains(pattern).to_list()
    assert got == [True, address in network]


@settings(max_examples=500)
@given(network=v6_networks, address=sparse_v6 | st.ip_addresses(v=6), offset=st.integers(0, 2**128))
def test_ipv6_network_regex_fits_exactly_its_addresses(network: IPv6Network, address: IPv6Address, offset: int) -> None:
    inside = network[offset % network.num_addresses]
    pattern = network_regex(str(network))
    got = pl.Series([str(inside), str(address)]).str.contains(pattern).to_list()
    assert got == [True, address in network]
