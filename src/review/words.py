"""All texts of the review page, in each language of data.language.

WORDS["zh"]["accept"]  ->  "通过"
"""

from __future__ import annotations

from src.review.queue import DOUBTS, LABEL_DOUBT

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "title": "Sample review",
        "reviewer": "Reviewer",
        "decided": "{done} of {all} reviewed",
        "position": "Sample {n} of {all}",
        "in_class": "{done} of {all} reviewed in this class",
        "call": "Sample",
        "details": "About the class and the origin of the sample",
        "requests": "Typical requests",
        "keywords": "Keywords",
        "seeds": "Seed examples (real rows shown to the model)",
        "no_seeds": "The queue lists no seed examples.",
        "seed_lost": "not in the train rows",
        "scores": "Scores",
        "by_class": "Progress by class",
        "accept": "Accept",
        "reject": "Reject",
        "relabel": "Relabel",
        "undo": "Undo",
        "previous": "Previous",
        "next": "Next",
        "help": "Shortcuts",
        "was_accept": "Accepted",
        "was_reject": "Rejected",
        "was_relabel": "Relabelled: {label}",
        "open": "Not reviewed yet",
        "undone": "Decision undone",
        "nothing_to_undo": "Nothing to undo",
        "reject_title": "Why reject it?",
        "reject_hint": "1-5 selects a reason · Enter rejects with the text above (may be empty) · "
        "Esc closes",
        "reject_text": "Another reason (optional)",
        "reason_1": "Belongs to another class",
        "reason_2": "Makes no sense, or sounds unnatural",
        "reason_3": "Copies a real row",
        "reason_4": "Too little content to tell the class",
        "reason_5": "Personal data or inappropriate content",
        "relabel_title": "Which class is it?",
        "relabel_search": "Search by name, id or definition",
        "relabel_hint": "↑ ↓ select · Enter confirms · Esc closes",
        "suggested": "suggested",
        "no_class": "No matching class",
        "cancel": "Cancel",
        "close": "Close",
        "help_look": "Go to the previous or next sample without deciding",
        "help_relabel": "Move it to another class",
        "help_undo": "Undo your last decision",
        "help_help": "Show these shortcuts",
        "help_note": "Each decision is saved before the page moves on. Turns are shown left and "
        "right in alternation only: the data do not record who speaks.",
        "saving_failed": "Not saved: {error}. Try again.",
        "unreachable": "the server does not respond; restart it",
        "loading_failed": "The samples could not be loaded: {error}",
        "done_title": "All samples are reviewed",
        "done_counts": "{accept} accepted, {reject} rejected, {relabel} relabelled.",
        "done_next": "Press ← to look back. Decisions are saved in {file}; commit that file.",
        "empty": "The queue is empty",
    },
    "zh": {
        "title": "合成样本复核",
        "reviewer": "复核人",
        "decided": "已复核 {done} / {all}",
        "position": "第 {n} 条，共 {all} 条",
        "in_class": "本类别已复核 {done} / {all}",
        "call": "样本",
        "details": "类别说明与样本来源",
        "requests": "典型诉求",
        "keywords": "关键词",
        "seeds": "种子样本（生成时参照的真实样本）",
        "no_seeds": "队列中没有记录种子样本。",
        "seed_lost": "不在训练集中",
        "scores": "评分",
        "by_class": "各类别进度",
        "accept": "通过",
        "reject": "拒绝",
        "relabel": "改类别",
        "undo": "撤销",
        "previous": "上一条",
        "next": "下一条",
        "help": "快捷键",
        "was_accept": "已通过",
        "was_reject": "已拒绝",
        "was_relabel": "已改为：{label}",
        "open": "待复核",
        "undone": "已撤销上一个决定",
        "nothing_to_undo": "没有可撤销的决定",
        "reject_title": "为什么拒绝？",
        "reject_hint": "按 1-5 选择原因 · 按 Enter 以填写的原因拒绝（可留空） · 按 Esc 关闭",
        "reject_text": "其他原因（选填）",
        "reason_1": "属于其他类别",
        "reason_2": "语义不通，或不像真人说话",
        "reason_3": "照抄真实样本",
        "reason_4": "内容太少，看不出类别",
        "reason_5": "含个人信息或不当内容",
        "relabel_title": "应属于哪个类别？",
        "relabel_search": "按名称、编号或定义搜索",
        "relabel_hint": "按 ↑ ↓ 选择 · 按 Enter 确认 · 按 Esc 关闭",
        "suggested": "建议",
        "no_class": "没有匹配的类别",
        "cancel": "取消",
        "close": "关闭",
        "help_look": "查看上一条或下一条，不做决定",
        "help_relabel": "改为其他类别",
        "help_undo": "撤销自己的上一个决定",
        "help_help": "显示快捷键",
        "help_note": "每个决定保存成功后才会跳到下一条。对话左右交替排列只为便于阅读，"
        "数据中没有标注说话人。",
        "saving_failed": "保存失败：{error}。请重试。",
        "unreachable": "服务没有响应，请重新启动",
        "loading_failed": "样本加载失败：{error}",
        "done_title": "所有样本均已复核",
        "done_counts": "通过 {accept} 条，拒绝 {reject} 条，改类别 {relabel} 条。",
        "done_next": "按 ← 可回看。复核决定保存在 {file}，请将该文件提交到 git。",
        "empty": "队列中没有样本",
    },
}

SCORES_ZH = {
    "chars": "字数",
    "turns": "轮次数",
    "language_share": "中文占比",
    "loop_share": "循环重复占比",
    "repeated_turns": "重复轮次占比",
    "distinct_bigrams": "不重复二元组占比",
    "keyword_hits": "命中关键词数",
    "seed_overlap": "与本类别训练样本的重合度",
    "contamination": "与开发集或测试集样本的重合度",
    "contradiction": "与其他类别训练样本的重合度",
    "near_duplicate": "与先前合成样本的重合度",
    "label_score": "标签概率",
    "label_rank": "标签排名",
    "neighbours": "同类近邻占比",
    "judge_label_consistency": "评审：标签一致性",
    "judge_completeness": "评审：完整性",
    "judge_naturalness": "评审：自然度",
    "judge_score": "评审总分",
    "judge_accepts": "评审通过票占比",
}


def score_name(column: str, language: str) -> str:
    """Return a readable name of a score column; unknown columns keep their name."""
    return SCORES_ZH.get(column, column) if language == "zh" else column.replace("_", " ")


def reason_to_look(reason: str, language: str) -> str:
    """Translate the queue's reason to the page's language if it is a known doubt."""
    value, _, phrase = reason.partition(" ")
    if language == "zh" and phrase == LABEL_DOUBT:
        return f"属于其他类别的可能性：{value}"
    names = [name for name, doubt in DOUBTS.items() if doubt == phrase]
    if language == "zh" and names:
        return f"{score_name(names[0], language)}：{value}"
    return reason
