"""Numbers that are looked for by their form and checksum: phones, identity cards, bank cards, QQ, WeChat ids. Pure.

They read a text in which every digit, however it is written, is an ASCII digit at its old place.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date

from crm_core.sensitive.normal import flat
from crm_core.sensitive.rulebook import CategoryRules, Detector, Found, Way

PHONE, ID_CARD, BANK_CARD = "phone", "id_card", "bank_card"
QQ, WECHAT, EMAIL, URL, DOMAIN, IPV4, NUMBERS = "qq", "wechat", "email", "url", "domain", "ipv4", "numbers"
NAMES = {
    PHONE: "手机号",
    ID_CARD: "身份证号",
    BANK_CARD: "银行卡号",
    QQ: "QQ 号",
    WECHAT: "微信号",
    EMAIL: "邮箱",
    URL: "网址",
    DOMAIN: "域名",
    IPV4: "IP 地址",
    NUMBERS: "连续数字",
}
_GAP = r"[\s\-—_.·*#~/|，,、]{0,2}"
_PHONE = re.compile(rf"(?<!\d)(?:\+?86{_GAP})?(1[3-9](?:{_GAP}\d){{9}})(?!{_GAP}?\d)")
_CARD = re.compile(rf"(?<!\d)[1-9](?:{_GAP}\d){{15,18}}(?!\d)")
_ID_CARD = re.compile(rf"(?<!\d)[1-9](?:{_GAP}\d){{16}}{_GAP}[\dxX](?![\da-zA-Z])")
_QQ = re.compile(
    r"(?i)(?<![a-z])(?:qq|扣扣|秋秋|球球|企鹅|扣)\s*(?:号码?|群|是|为|[:：=]|\s)*([1-9](?:[ \-]?\d){4,10})(?!\d)"
)
_WECHAT_NAME = r"(?:微信|薇信|威信|徽信|v信|vx|wx|weixin|wechat|微(?=[:：号])|加[v薇])"
_WECHAT = re.compile(
    rf"(?i)(?<![a-z]){_WECHAT_NAME}\s*(?:号码?|id|账号|是|为|同号|联系|加|[:：=])*\s*"
    r"((?:[a-z](?=[-_a-z0-9]*[\d_-])[-_a-z0-9]{5,19}|[1-9](?:[ \-]?\d){5,11})(?![-_a-z0-9]))"
)
_WECHAT_GIVEN = re.compile(
    rf"(?i)(?<![a-z]){_WECHAT_NAME}\s*(?:(?:号码?|id|账号)\s*[:：是为=]?|[:：=])\s*([a-z][-_a-z0-9]{{5,19}})(?![-_a-z0-9])"
)
_EMAIL = re.compile(
    r"(?<![\w.+-])[A-Za-z0-9][\w.+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,4}[A-Za-z]{2,24}(?![\w-])", re.ASCII
)
_URL = re.compile(
    r"(?i)(?<![\w@.-])(?:https?://[^\s<>\"'，。！？；、（）\u4e00-\u9fff]+|(?:[a-z0-9-]{1,63}\.){1,4}"
    r"(?:com|cn|net|org|cc|top|xyz|vip|info|io|me|shop|club|site|app|link|tv|co|hk|ltd|gov|edu)"
    r"(?![a-z0-9-])(?:/[^\s<>\"'，。！？；、（）\u4e00-\u9fff]*)?)",
    re.ASCII,
)
_DOMAIN = re.compile(
    r"(?i)(?<![\w@.-])(?:[a-z0-9-]{1,63}\.){1,4}(?:com|cn|net|org|cc|top|xyz|vip|info|io|me|shop|club|site|app|link|tv|co|hk)"
    r"(?![a-z0-9-])",
    re.ASCII,
)
_IPV4 = re.compile(
    r"(?<![\d.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\d]|\.\d)", re.ASCII
)
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
Span = tuple[int, int]


def digits_of(text: str) -> str:
    """The ASCII digits of a text, an x for the last place of an identity card."""
    return "".join(char for char in text if char in "0123456789xX")


def is_id_card(digits: str) -> bool:
    """Whether 17 digits and a check digit make an identity card number (GB 11643-1999)."""
    try:
        born = date(int(digits[6:10]), int(digits[10:12]), int(digits[12:14]))
    except ValueError:
        return False
    total = sum(int(digit) * weight for digit, weight in zip(digits, _ID_WEIGHTS, strict=False))
    return born.year >= 1900 and "10X98765432"[total % 11] == digits[17].upper()


def is_bank_card(digits: str) -> bool:
    """Whether 16 to 19 digits pass the Luhn check and begin like a bank card."""
    if not 16 <= len(digits) <= 19 or digits[0] not in "3456" or len(set(digits)) < 2:
        return False
    doubled = (int(digit) * 2 for digit in digits[-2::-2])
    return (sum(int(digit) for digit in digits[-1::-2]) + sum(sum(divmod(one, 10)) for one in doubled)) % 10 == 0


def _phones(plain: str, _detector: Detector) -> Iterator[Span]:
    for match in _PHONE.finditer(plain):
        yield match.span(1)


def _id_cards(plain: str, _detector: Detector) -> Iterator[Span]:
    for match in _ID_CARD.finditer(plain):
        if is_id_card(digits_of(match[0])):
            yield match.span()


def _bank_cards(plain: str, _detector: Detector) -> Iterator[Span]:
    for match in _CARD.finditer(plain):
        if is_bank_card(digits_of(match[0])) and not (_ID_CARD.fullmatch(match[0]) and is_id_card(digits_of(match[0]))):
            yield match.span()


def _named(*expressions: re.Pattern[str]) -> Callable[[str, Detector], Iterator[Span]]:
    def find(plain: str, _detector: Detector) -> Iterator[Span]:
        seen: set[Span] = set()
        for expression in expressions:
            seen |= {match.span(1) for match in expression.finditer(plain)}
        yield from sorted(seen)

    return find


def _whole(expression: re.Pattern[str]) -> Callable[[str, Detector], Iterator[Span]]:
    def find(plain: str, _detector: Detector) -> Iterator[Span]:
        for match in expression.finditer(plain):
            yield match.start(), match.start() + len(match[0].rstrip(".,;:!?"))

    return find


def _numbers(plain: str, detector: Detector) -> Iterator[Span]:
    passed = re.escape(detector.passed)
    between = f"[{passed}]*" if passed else ""
    for match in re.finditer(rf"{between}\d(?:{between}\d)*", plain, re.ASCII):
        if sum(char.isdigit() for char in match[0]) >= detector.least:
            yield match.span()


_FINDERS: dict[str, Callable[[str, Detector], Iterator[Span]]] = {
    PHONE: _phones,
    ID_CARD: _id_cards,
    BANK_CARD: _bank_cards,
    QQ: _named(_QQ),
    WECHAT: _named(_WECHAT, _WECHAT_GIVEN),
    EMAIL: _whole(_EMAIL),
    URL: _whole(_URL),
    DOMAIN: _whole(_DOMAIN),
    IPV4: _whole(_IPV4),
    NUMBERS: _numbers,
}


_NEEDS: dict[str, re.Pattern[str]] = {
    QQ: re.compile(r"(?i)q|扣|秋秋|球球|企鹅"),
    WECHAT: re.compile(r"(?i)[微薇威徽加]|v信|vx|w[xe]"),
    EMAIL: re.compile("@"),
    URL: re.compile(r"[.:]"),
    DOMAIN: re.compile(r"\."),
    IPV4: re.compile(r"\."),
}
_LEAST_DIGITS = {PHONE: 11, ID_CARD: 17, BANK_CARD: 16, QQ: 5, IPV4: 4}


def find_all(text: str, categories: Iterable[CategoryRules]) -> list[Found]:
    """What the detectors of all categories find."""
    plain = flat(text)
    digits = sum(map(plain.count, "0123456789"))
    found = []
    for category in categories:
        for detector in category.detectors:
            kind = detector.kind
            if digits < _LEAST_DIGITS.get(kind, 0) or (kind in _NEEDS and not _NEEDS[kind].search(plain)):
                continue
            for start, end in _FINDERS[kind](plain, detector):
                one = Found(category=category.id, entry_id=0, name=NAMES[kind], start=start, end=end, way=Way.NUMBER)
                found.append(one)
    return found
