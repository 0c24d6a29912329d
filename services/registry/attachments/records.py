"""What is known of a handed-in file, and the closed list of what files are for. Pure."""

from datetime import datetime
from enum import StrEnum

import msgspec


class Purpose(StrEnum):
    """What a file is for; the same words in SQL, JSON, metric labels and pages."""

    REGISTRATION_CERTIFICATE = "registration_certificate"
    ANNUAL_INSPECTION = "annual_inspection"
    FINANCIAL_STATEMENTS = "financial_statements"
    STAFF_CONTRACTS = "staff_contracts"
    OFFICE_PROOF = "office_proof"
    FUNDS_COMMITMENT = "funds_commitment"
    GOOD_STANDING = "good_standing"
    STAMPED_FORM = "stamped_form"
    CONSENT = "consent"
    PICTURE = "picture"
    IMPORT = "import"
    STAMPED_LIST = "stamped_list"
    MINUTES = "minutes"
    VOUCHER = "voucher"
    EVIDENCE = "evidence"
    OTHER = "other"


PURPOSE_NAMES = {
    Purpose.REGISTRATION_CERTIFICATE: "登记证书复印件",
    Purpose.ANNUAL_INSPECTION: "上年度年检证明",
    Purpose.FINANCIAL_STATEMENTS: "财务报表",
    Purpose.STAFF_CONTRACTS: "专职人员社保证明或劳动合同",
    Purpose.OFFICE_PROOF: "办公场所产权或租赁证明",
    Purpose.FUNDS_COMMITMENT: "按规定使用资金承诺书",
    Purpose.GOOD_STANDING: "其他资信证明",
    Purpose.STAMPED_FORM: "盖章申报书扫描件",
    Purpose.CONSENT: "联合申报同意书",
    Purpose.PICTURE: "项目图片",
    Purpose.IMPORT: "导入的申报表",
    Purpose.STAMPED_LIST: "盖章名单扫描件",
    Purpose.MINUTES: "会议纪要",
    Purpose.VOUCHER: "原始票据",
    Purpose.EVIDENCE: "证明材料",
    Purpose.OTHER: "其他",
}


class Attachment(msgspec.Struct, frozen=True):
    """One file as it was handed in; `kind` and `object` say whose it is, `sha256` is in hex."""

    attachment: str
    kind: str
    object: str
    purpose: str
    file_name: str
    media_type: str
    bytes: int
    sha256: str
    uploaded_by: str
    uploaded_at: datetime
