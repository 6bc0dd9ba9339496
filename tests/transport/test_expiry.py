"""Addresses that work for some time only."""

from datetime import UTC, datetime

import pytest

from genmedia.transport.expiry import expires_at


@pytest.mark.parametrize(
    ("query", "end"),
    [
        ("X-Amz-Date=20261201T020000Z&X-Amz-Expires=3600&X-Amz-Signature=a", datetime(2026, 12, 1, 3, tzinfo=UTC)),
        ("x-goog-date=20261201T020000Z&x-goog-expires=60", datetime(2026, 12, 1, 2, 1, tzinfo=UTC)),
        ("Expires=1796000000&Signature=a", datetime.fromtimestamp(1796000000, UTC)),
        ("sv=2&se=2026-12-01T04%3A00%3A00Z&sig=a", datetime(2026, 12, 1, 4, tzinfo=UTC)),
        ("se=2026-12-01&sig=a", datetime(2026, 12, 1, tzinfo=UTC)),
        ("", None),
        ("se=north", None),
        ("Expires=never", None),
        ("X-Amz-Date=today&X-Amz-Expires=3600", None),
        ("X-Amz-Date=20261201T020000Z&X-Amz-Expires=99999999999999", None),
    ],
)
def test_an_address_tells_until_when_it_works(query: str, end: datetime | None) -> None:
    assert expires_at(f"https://bucket.example.com/mug.jpg?{query}") == end
