"""What the review page says, in each language of data.language.

WORDS["zh"]["accept"]  ->  "通过"
"""

from __future__ import annotations

from src.review.queue import DOUBTS

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "title": "Review of samples",
        "reviewer": "Reviewer",
        "decided": "{done} of {all} decided",
        "position": "Sample {n} of {all}",
        "in_class": "{done} of {all} in this class",
        "call": "The sample",
        "details": "About the class, and what the sample was made from",
        "requests": "Typical requests",
        "keywords": "Keywords",
        "seeds": "Written after these real rows",
        "no_seeds": "The queue does not say.",
        "seed_lost": "not among the train rows",
        "scores": "Scores",
        "by_class": "Progress by class",
        "accept": "Accept",
        "reject": "Reject",
        "relabel": "Relabel",
        "undo": "Undo",
        "previous": "Previous",
        "next": "Next",
        "help": "Keys",
        "was_accept": "Accepted",
        "was_reject": "Rejected",
        "was_relabel": "Relabelled: {label}",
        "open": "Not decided yet",
        "undone": "Taken back",
        "nothing_to_undo": "Nothing to take back",
        "reject_title": "Why reject it?",
        "reject_hint": "1-5 picks a reason · Enter rejects with what is written, or without · "
        "Esc closes",
        "reject_text": "Another reason (may be empty)",
        "reason_1": "Another class",
        "reason_2": "Makes no sense, or nobody talks like that",
        "reason_3": "Copies a real row",
        "reason_4": "Too little to tell the class",
        "reason_5": "Personal data or unfit content",
        "relabel_title": "Which class is it?",
        "relabel_search": "Search by name, id or definition",
        "relabel_hint": "↑ ↓ choose · Enter confirms · Esc closes",
        "suggested": "suggested",
        "no_class": "No such class",
        "cancel": "Cancel",
        "close": "Close",
        "help_look": "Look back and forth, deciding nothing",
        "help_relabel": "Give it another class",
        "help_undo": "Take back your last decision",
        "help_help": "Show this",
        "help_note": "Each decision is saved before the page moves on. Sides of the dialogue only "
        "alternate: the data do not say who speaks.",
        "saving_failed": "Not saved: {error}. Try again.",
        "unreachable": "the server does not answer; start it again",
        "loading_failed": "The samples could not be loaded: {error}",
        "done_title": "All samples are decided",
        "done_counts": "{accept} accepted, {reject} rejected, {relabel} relabelled.",
        "done_next": "Look back with ←. Decisions are in {file}; commit that file.",
        "empty": "The queue has no samples",
    },
    "zh": {
        "title": "合成样本审核",
        "reviewer": "审核人",
        "decided": "已审 {done} / {all}",
        "position": "第 {n} 条，共 {all} 条",
        "in_class": "本类已审 {done} / {all}",
        "call": "样本",
        "details": "类别说明与样本来源",
        "requests": "典型诉求",
        "keywords": "关键词",
        "seeds": "参照的真实样本",
        "no_seeds": "队列中没有记录。",
        "seed_lost": "训练集中没有这一条",
        "scores": "评分",
        "by_class": "各类进度",
        "accept": "通过",
        "reject": "拒绝",
        "relabel": "改类",
        "undo": "撤销",
        "previous": "上一条",
        "next": "下一条",
        "help": "按键",
        "was_accept": "已通过",
        "was_reject": "已拒绝",
        "was_relabel": "已改为：{label}",
        "open": "尚未审核",
        "undone": "已撤销",
        "nothing_to_undo": "没有可撤销的决定",
        "reject_title": "为什么拒绝？",
        "reject_hint": "按 1-5 选择原因 · Enter 按所写原因拒绝，可不写 · Esc 关闭",
        "reject_text": "其他原因（可不填）",
        "reason_1": "属于别的类别",
        "reason_2": "前后不通，或不像真人说话",
        "reason_3": "照抄真实样本",
        "reason_4": "内容太少，看不出意图",
        "reason_5": "含个人信息或不当内容",
        "relabel_title": "应属于哪个类别？",
        "relabel_search": "按名称、编号或定义查找",
        "relabel_hint": "↑ ↓ 选择 · Enter 确认 · Esc 关闭",
        "suggested": "建议",
        "no_class": "没有这样的类别",
        "cancel": "取消",
        "close": "关闭",
        "help_look": "前后翻看，不作决定",
        "help_relabel": "改为另一个类别",
        "help_undo": "撤销自己的上一个决定",
        "help_help": "显示本说明",
        "help_note": "每个决定先保存再翻页。对话左右只是轮流排列：数据中没有说话人。",
        "saving_failed": "未能保存：{error}。请重试。",
        "unreachable": "服务没有响应，请重新启动",
        "loading_failed": "样本未能载入：{error}",
        "done_title": "全部审完",
        "done_counts": "通过 {accept} 条，拒绝 {reject} 条，改类 {relabel} 条。",
        "done_next": "按 ← 可回看。决定保存在 {file}，请提交该文件。",
        "empty": "队列中没有样本",
    },
}

SCORES_ZH = {
    "chars": "字数",
    "turns": "轮数",
    "language_share": "中文占比",
    "loop_share": "循环占比",
    "repeated_turns": "重复轮占比",
    "distinct_bigrams": "不同二元字占比",
    "keyword_hits": "关键词命中",
    "seed_overlap": "与训练样本重合",
    "contamination": "与开发或测试样本重合",
    "contradiction": "与他类训练样本重合",
    "near_duplicate": "与其他合成样本重合",
}


def score_name(column: str, language: str) -> str:
    """A score's column as people read it; one without a translation stays as it is."""
    return SCORES_ZH.get(column, column) if language == "zh" else column.replace("_", " ")


def reason_to_look(reason: str, language: str) -> str:
    """The queue's reason in the page's language, where it is one of the `DOUBTS`."""
    value, _, says = reason.partition(" ")
    names = [name for name, phrase in DOUBTS.items() if phrase == says]
    if language == "zh" and names:
        return f"{score_name(names[0], language)}：{value}"
    return reason
