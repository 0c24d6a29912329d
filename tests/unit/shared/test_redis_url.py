"""The URL of Valkey: one server or a cluster, and one sentence without a secret for what is neither."""

import pytest

from services.shared.errors import ConfigurationError
from services.shared.redis_client import check_redis_url, cluster_nodes


def test_a_clusters_url_names_its_nodes() -> None:
    found = cluster_nodes("redis+cluster://voting:s%2Ccret@valkey-1:7000,[2001:db8::1]:7001,valkey-3/0")
    assert found == [("valkey-1", 7000), ("2001:db8::1", 7001), ("valkey-3", 6379)]


@pytest.mark.parametrize("url", ["redis://u:p@h:1/0", "rediss://h", "unix:///run/valkey.sock", "redis+cluster://h:1"])
def test_urls_that_work_are_taken(url: str) -> None:
    check_redis_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "redis+cluster://u:secret@", "redis+cluster://u:secret@h:1,,h:2", "rediss+cluster://u:secret@h:seven",
        "http://u:secret@h", "u:secret@h:6379", "",
    ],
)  # fmt: skip
def test_other_urls_are_refused_in_a_sentence_without_them(url: str) -> None:
    with pytest.raises(ConfigurationError, match="REDIS_URL") as raised:
        check_redis_url(url)
    assert "secret" not in str(raised.value)
