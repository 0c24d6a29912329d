"""The closed vocabularies of candidates, applications and public events, with the words that pages show."""

from collections.abc import Callable

# From the Chinese text of a page to the text in its reader's language.
Translate = Callable[[str], str]

LEVELS = {"major": "重大项目", "key": "重点项目", "general": "一般项目"}
CATEGORIES = {
    "party_building": "党建引领",
    "democratic_consultation": "民主协商",
    "social_collaboration": "社会协同",
    "culture": "文化形塑",
    "resident_autonomy": "居民自治",
    "community_building": "社区营造",
    "mass_prevention": "群防群治",
    "other": "其他",
}
LEAD_KINDS = {
    "party_government": "党政机关",
    "public_institution": "事业单位",
    "enterprise": "企业",
    "community": "社区",
    "village": "村",
}
PARTNER_KINDS = {"university": "高校", "research_institute": "科研机构", "social_organisation": "社会组织"}
CHANNEL_KINDS = {"district": "县（市）区", "zone": "开发（度假）区", "municipal_unit": "市级单位"}
SECTIONS = {
    "need_analysis": "服务需求分析",
    "work_plan": "工作计划",
    "innovation_analysis": "创新性分析",
    "contingencies": "突发情况预测及应对机制",
}
# What happens to a round in public: its timeline on every service's pages, and `events.csv` of the bundle.
EVENTS = {
    "frozen": "规则冻结",
    "numbers_drawn": "抽签编号",
    "extension": "投票延长",
    "withdrawal": "项目退出",
    "closed": "提前截止",
    "lots_revealed": "公开抽签种子",
    "published": "公布名单",
    "list_changed": "调整名单",
    "list_confirmed": "确定名单",
    "list_retracted": "撤回公示",
}
