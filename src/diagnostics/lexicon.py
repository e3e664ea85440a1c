"""Gender words and regions that `bias` counts."""

from __future__ import annotations

# 他 and 她 are left out: speech recognition writes 他 for both. The lookarounds exclude 先生效
# ("takes effect first"), 墨西哥 (Mexico), 阿拉伯 (Arabia) and 小伙伴 (partner).
MALE = {
    "zh": r"先生(?!效|成|产)|男|爸|爷|叔|(?<!西)哥|弟|(?<!拉)伯|老公|丈夫|儿子|小伙(?!伴)",
    "en": r"\b(?:sir|mr|mister|he|him|his|man|men|gentlem[ae]n|boy|male|father|dad|husband|son"
    r"|brother|uncle|grandfather|grandpa)\b",
}

FEMALE = {
    "zh": r"女|小姐|姐|妈|(?<!牛)奶奶|姨|妹|姑娘|老婆|妻子|媳妇",
    "en": r"\b(?:madam|ma'?am|mrs|ms|she|her|hers|woman|women|lady|ladies|girl|female|mother|mom"
    r"|mum|wife|daughter|sister|aunt|grandmother|grandma)\b",
}

# Without names that are mostly other words: "us", "turkey", "jersey", "reading". The lookarounds
# exclude 东西安装, 上海南站, 办成都要 and 最大连接.
REGIONS = {
    "zh": r"北京|天津|上海|重庆|河北|山西|辽宁|吉林|黑龙江|江苏|浙江|安徽|福建|江西|山东|河南|湖北"
    r"|湖南|广东|(?<!上)海南|四川|贵州|云南|陕西|甘肃|青海|台湾|内蒙古?|广西|(?<!东)西藏|宁夏|新疆"
    r"|香港|澳门|广州|深圳|东莞|佛山|杭州|宁波|温州|南京|苏州|无锡|(?<!东)西安|武汉|长沙|郑州|济南"
    r"|青岛|沈阳|大连(?!接|续|不|网|上|线)|长春|哈尔滨|石家庄|太原|合肥|福州|厦门|南昌|南宁|昆明"
    r"|贵阳|兰州|海口|(?<![变办弄换改做完当设分])成都",
    "en": r"\b(?:usa|united states|america|uk|united kingdom|england|scotland|ireland|canada|mexico"
    r"|brazil|australia|china|india|japan|germany|france|spain|italy|portugal|poland|switzerland"
    r"|netherlands|sweden|russia|nigeria|south africa|europe|asia|africa|alabama|alaska|arizona"
    r"|california|colorado|florida|georgia|hawaii|illinois|massachusetts|michigan|minnesota|nevada"
    r"|new jersey|new york|north carolina|ohio|oregon|pennsylvania|tennessee|texas|utah|virginia"
    r"|washington|los angeles|chicago|houston|boston|seattle|san francisco|las vegas|miami|dallas"
    r"|denver|atlanta|philadelphia|london|manchester|paris|berlin|madrid|rome|dublin|toronto"
    r"|sydney|tokyo|beijing|shanghai|hong kong|singapore|dubai|mumbai|delhi)\b",
}
GENDERS = {(True, True): "both", (True, False): "male", (False, True): "female"}
