"""Both clouds' signatures against the worked examples in their documentation."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from services.voting.delivery import aliyun, tencent
from services.voting.delivery.aliyun import AliyunAccount
from services.voting.delivery.provider import Failure, Report
from services.voting.delivery.tencent import Tencent, TencentAccount
from services.voting.identity.verification import sign


def test_the_worked_example_of_acs3_hmac_sha256() -> None:
    account = AliyunAccount("YourAccessKeyId", b"YourAccessKeySecret", "", "", "", "", "")
    query = {"ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd", "RegionId": "cn-shanghai"}
    headers = aliyun.signed_headers(
        account, "https://ecs.cn-shanghai.aliyuncs.com", "RunInstances", query,
        datetime(2023, 10, 26, 10, 22, 32, tzinfo=UTC), "3156853299f313e23d1673dc12e1703d", "2014-05-26",
    )  # fmt: skip
    assert headers["authorization"].endswith(
        "Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    )


def test_the_canonical_query_is_sorted_and_encoded_as_rfc_3986_has_it() -> None:
    assert aliyun.canonical_query({"b": "a b*~", "A": "中"}) == "A=%E4%B8%AD&b=a%20b%2A~"


def test_the_canonical_request_of_the_worked_example_of_tc3_hmac_sha256() -> None:
    """The documentation masks its secret, so that only the first half of the example can be checked."""
    body = rb'{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}'
    assert (
        tencent.canonical_hash("cvm.tencentcloudapi.com", "DescribeInstances", body)
        == "7019a55be8395899b900fb5564e4200d984910f34794a27cb3fb7d10ff6a1e84"
    )


def test_a_signature_of_tc3_hmac_sha256_covers_scope_headers_and_body() -> None:
    account = TencentAccount("AKID", b"secret", "ap-guangzhou", "", "", "", "", "", "", "")
    at = datetime.fromtimestamp(1551113065, UTC)
    url = "https://sms.tencentcloudapi.com"
    headers = tencent.signed_headers(account, url, "sms", "SendSms", "2021-01-11", b"{}", at)
    assert headers["authorization"].startswith(
        "TC3-HMAC-SHA256 Credential=AKID/2019-02-25/sms/tc3_request, SignedHeaders=content-type;host;x-tc-action,"
    )
    other = tencent.signed_headers(account, url, "sms", "SendSms", "2021-01-11", b"{ }", at)
    assert headers["authorization"] != other["authorization"]


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        ("isv.BUSINESS_LIMIT_CONTROL", Failure.NUMBER_THROTTLED),
        ("isv.MOBILE_NUMBER_ILLEGAL", Failure.BAD_NUMBER),
        ("isv.DAY_LIMIT_CONTROL", Failure.PROVIDER_THROTTLED),
        ("Throttling.User", Failure.PROVIDER_THROTTLED),
        ("isv.AMOUNT_NOT_ENOUGH", Failure.PROVIDER_REFUSED),
        ("SignatureDoesNotMatch", Failure.PROVIDER_REFUSED),
        ("isp.SYSTEM_ERROR", Failure.PROVIDER_AWAY),
    ],
)
def test_error_codes_of_alibaba_cloud_as_ours(code: str, failure: Failure) -> None:
    assert aliyun.failure_of(code) is failure


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        ("LimitExceeded.PhoneNumberThirtySecondLimit", Failure.NUMBER_THROTTLED),
        ("InvalidParameterValue.IncorrectPhoneNumber", Failure.BAD_NUMBER),
        ("FailedOperation.PhoneNumberInBlacklist", Failure.BAD_NUMBER),
        ("LimitExceeded.DeliveryFrequencyLimit", Failure.NUMBER_THROTTLED),
        ("LimitExceeded.AppDailyLimit", Failure.PROVIDER_THROTTLED),
        ("RequestLimitExceeded", Failure.PROVIDER_THROTTLED),
        ("AuthFailure.SignatureFailure", Failure.PROVIDER_REFUSED),
        ("InternalError", Failure.PROVIDER_AWAY),
    ],
)
def test_error_codes_of_tencent_cloud_as_ours(code: str, failure: Failure) -> None:
    assert tencent.failure_of(code) is failure


async def test_reports_of_messages_and_calls() -> None:
    provider = Tencent(TencentAccount("", b"", "", "", "", "", "", "", "", ""), 1)
    messages = [{"sid": "s1", "report_status": "SUCCESS", "mobile": "139"}, {"sid": "s2", "report_status": "FAIL"}]
    assert provider.read_reports(msgspec.json.encode(messages)) == [Report("s1", True), Report("s2", False)]
    call = {"voiceprompt_callback": {"callid": "c1", "result": "0", "mobile": "139"}}
    assert provider.read_reports(msgspec.json.encode(call)) == [Report("c1", True)]
    with pytest.raises(msgspec.MsgspecError):
        provider.read_reports(b'"nonsense"')
    await provider.close()


def test_a_question_to_the_identity_provider_is_signed_whole() -> None:
    first = sign(b"k" * 32, "1700000000", "n", "/verify", b"{}")
    assert len(first) == 64
    assert first != sign(b"k" * 32, "1700000001", "n", "/verify", b"{}")
    assert first != sign(b"k" * 32, "1700000000", "n", "/other", b"{}")
    assert first != sign(b"k" * 32, "1700000000", "n", "/verify", b"{ }")
