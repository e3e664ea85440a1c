"""Patterns of private data in words: e-mail addresses, number plates, addresses, names."""

from __future__ import annotations

import re
from collections.abc import Iterable

from src.privacy.digits import FILLER, D

LOCAL = rf"(?:[A-Za-z0-9._%+-]|{D})"
EMAIL = (
    r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+",
    rf"{LOCAL}(?:(?:点|下划线|横杠)?{LOCAL})*(?:@|艾特|爱特|\s?at\s?)"
    rf"(?:[A-Za-z0-9-]|{D})+(?:\s?(?:点|dot|\.)\s?(?:com|cn|net|org|edu|康姆))+",
)
MAIL_HOST = "(?:gmail|yahoo|hotmail|outlook|icloud|aol|qq|163|protonmail|proton|live|msn)"
WORD_DOT = r"[\w+-]+(?:\s(?:dot|underscore)\s[\w+-]+)*"
ENGLISH_EMAIL = (
    EMAIL[0],
    rf"(?i:\b{WORD_DOT}\sat\s{MAIL_HOST}(?:\sdot\s|\.)\w+(?:\sdot\s\w+)?)",
    rf"(?i:(?<=mail\sis\s){WORD_DOT}\sat\s[\w-]+(?:\sdot\s\w+)+)",
)

PLATE = (
    rf"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-Za-z][·\s.-]?"
    rf"(?=(?:[A-Za-z]?{D}){{3}}|[A-Za-z]{{2}}{D}{{3}})"
    rf"(?:[A-Ka-k](?:[A-HJ-NP-Za-hj-np-z]|{D}){D}{{4}}|{D}{{5}}[A-Ka-k]"
    rf"|(?:[A-HJ-NP-Za-hj-np-z]|{D}){{5}})(?![A-Za-z0-9])",
)
COUNTING = "[0-9０-９零〇幺一二两三四五六七八九十百千]"
COUNT = COUNTING + "{1,6}"
ADDRESS_PART = (
    r"[^\WA-Za-z0-9我你您他她的在住是到去这那哪个们啊呃嗯哎呢吧了就往来从离叫啥着于查询知]"
)
ROOM = rf"(?:{COUNT}(?:室|房)|{D}{{3,4}}(?!{D}|[年兆块元个GgMm%百千万]))"
ENGLISH_COUNT = (
    r"(?:\d{1,5}[A-Za-z]?|(?i:(?:(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)\s)?"
    r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)))"
)

NO_STREET_NAME = (
    r"(?:the|an?|on|in|at|of|to|and|or|my|your|this|that|is|are|was|by|for|per|more|times?|days?|"
    r"weeks?|years?|months?|hours?|minutes?|miles?|am|pm|dollars|pounds|people|cards?|business|from)\b"
)

ENGLISH_ADDRESS = (
    rf"\b{ENGLISH_COUNT}\s(?:(?!(?i:{NO_STREET_NAME}))[A-Za-z']+\s){{1,3}}"
    r"(?i:street|st|road|rd|avenue|ave|lane|boulevard|blvd|drive|crescent|terrace)\b",
    r"\b[A-Z]{1,2}\d[A-Z\d]?\s\d[A-Z]{2}\b",
)

SURNAME = (
    "(?:欧阳|上官|司马|诸葛|司徒|东方|慕容|尉迟|夏侯|皇甫|令狐|"
    "[王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁"
    "任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔"
    "向汤常温康施牛樊葛邢安齐易乔伍庞颜倪庄聂章鲁岳翟殷詹申欧耿关兰焦俞左柳甘祝包宁尚符舒阮柯纪梅童凌毕"
    "单季裴霍涂苗曲盛翁骆蓝路游辛靳管柴蒙鲍华喻祁蒲房滕屈饶解牟艾尤阳时穆司卓古吉缪简车项连芦麦褚娄窦"
    "戚岑景党宫费卜冷晏席卫米柏宗瞿桂全佟应臧闵苟邬边卞姬师和仇栾隋商刁沙荣巫寇桑郎甄丛仲虞敖巩明佘池查麻"
    "苑迟邝])"
)

NO_NAME = (
    "(?:马上|方便|关机|何时|常用|全|和|应该|高亮|成功|单位|单独|公司|安装|时候|高级|解|查|连|江苏|江西|"
    "安徽|华为|向|万一|于是|易|明天|明白|明年|师傅|包月|包年|费用|金卡|白金|时间|路由|古|边)"
)

GIVEN = (
    "[^\\W0-9A-Za-z_零〇幺我你您他她它的是了吗呢吧啊呃嗯哎哦喂对电话号码身份证手机这那想要查办不没有就在和"
    "跟与还也都先请给帮把被从到去来说问什么啥怎谁个哪某本单位住女客行叫姓名]"
)
FULL_NAME = f"(?!{NO_NAME}){SURNAME}{GIVEN}{{1,2}}"
OF_A_THING = "餐务件动铃声歌区站店包器卡网"  # 套餐名字, 小区名字
NAMES = (
    rf"(?:我叫|本人叫|(?:机主|户主|联系人|收件人|持卡人|户名)(?:姓名|名字)?(?:是|叫|为|[:：])|"
    rf"姓名(?:是|叫|为|[:：\s])?|(?<![{OF_A_THING}])(?<![{OF_A_THING}]的)名字[呢嘛]?(?:是|叫|为|[:：])|"
    rf"(?<=姓.)名?叫){FILLER}?(?P<a>{FULL_NAME})",
    rf"(?<!百)姓(?P<b>{SURNAME})(?!名)",
    rf"[是叫](?P<c>{FULL_NAME})(?=先生|女士|小姐|本人)",
)

NO_ENGLISH_NAME = (
    r"(?:not|wrong|spelled|spelt|misspelled|mis|on|in|the|incorrect|different|showing|being|an?|"
    r"changed|now|still|listed|my|your|too|also|correct|missing|about|to|going|some|by|and|i|but|"
    r"because|from|for|with|please|can|what|at|is|it|no|never|already|under|written|printed|so|"
    r"that|this|here|when|changing|legally|getting|out|back|as|or|if|how|once|twice)\b"
)

ENGLISH_NAMES = (
    r"(?<!\w)(?i:name is)\s(?P<b>[A-Z][a-z'-]+\s[A-Z][\w'-]+)",
    rf"(?:(?i:\bmy name(?:\sis|'s)|\bi'?\s?a?m called))\s(?P<a>(?!(?i:{NO_ENGLISH_NAME}))"
    rf"(?:[A-Z][\w'-]+(?:\s(?!I\b)[A-Z][\w'-]+){{0,2}}|[a-z][a-z'-]+))",
)


def any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    """Return one pattern that matches where any of these does."""
    return re.compile("|".join(patterns))


def address_pattern(gap: str) -> re.Pattern[str]:
    """Match a road with house number, two of building, entrance and room, or a named estate."""
    numbered = rf"{COUNT}(?:号楼|[栋幢座])"
    building = rf"(?:{numbered}|[A-Za-z](?:号楼|[栋幢座]))"
    unit = rf"{COUNT}(?:单元|门)"
    floor = rf"{COUNT}(?:楼|层)"
    inner = rf"(?:{gap}{building})?(?:{gap}{unit})?(?:{gap}{floor})?(?:{gap}{ROOM})?"
    no_road = "线网电光修走铁公马一回套思各条道个这那哪几两多问带过上销出"
    return re.compile(
        rf"{ADDRESS_PART}{{1,20}}(?:(?<![{no_road}])路|(?<![逛上])街|大道|胡同|巷)(?:{COUNT}弄)?"
        rf"{COUNT}(?:号楼|号(?![码段卡线键])院?){inner}"
        rf"|{ADDRESS_PART}{{2,10}}(?:小区|花园|公寓|家园|家属院|新村|苑|大厦|大楼|广场)"
        rf"(?:[A-Za-z]区)?(?:{numbered}{inner}|[A-Za-z][座栋]{gap}{ROOM}|{unit}{inner}|{floor}{gap}{ROOM}|{ROOM})"
        rf"|{ADDRESS_PART}{{2,10}}[村屯乡镇]{COUNT}[组队社](?:{COUNT}号)?"
        rf"|{building}{gap}(?:{unit}(?:{gap}{floor})?(?:{gap}{ROOM})?|{ROOM})"
        rf"|{unit}{gap}(?:{floor}{gap})?{ROOM}"
        rf"|{floor}{gap}{COUNT}室"
    )


def name_pattern(turn: str) -> re.Pattern[str]:
    """Match names after words that introduce them, and turns that reply to a question for a name."""
    reply = (
        rf"(?:贵姓|称呼|姓名|名字|叫什么|叫啥)(?:(?!{turn}).){{0,8}}{turn}"
        rf"(?:(?:{FILLER}|[对好是的]){{1,3}}{turn})?{FILLER}?我?[叫是姓]?"
        rf"(?P<d>{FULL_NAME}|(?<=姓){SURNAME})(?={turn}|$)"
        rf"|我是(?P<e>{FULL_NAME})(?={turn}|$|[我，,。])"
    )
    return any_of((*NAMES, reply))
