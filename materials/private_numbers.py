"""Hides what names a person in a sentence: phone, identity and card numbers, mail addresses. Pure."""

import re

# Longest first: an identity number holds what looks like a phone number.
_RULES = (
    (re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}"), "［邮箱］"),
    (
        re.compile(r"(?<![0-9A-Za-z])[1-9]\d{5}[ -]?(?:18|19|20)\d{2}[ -]?\d{4}[ -]?\d{3}[0-9Xx](?![0-9A-Za-z])"),
        "［证件号］",
    ),
    (re.compile(r"(?<![0-9A-Za-z])(?:\d[ -]?){15,18}\d(?![0-9A-Za-z])"), "［卡号］"),
    (re.compile(r"(?<!\d)(?:\+?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?!\d)"), "［手机号］"),
    (re.compile(r"(?<!\d)0\d{2,3}[ -]\d{7,8}(?!\d)"), "［电话］"),
    (re.compile(r"(?<!\d)\d{7,}(?!\d)"), "［号码］"),
)
_WIDE = str.maketrans("０１２３４５６７８９－", "0123456789-")


def hide_numbers(text: str) -> str:
    """``text`` without numbers that belong to a person; full-width digits count as digits."""
    said = text.translate(_WIDE)
    for pattern, name in _RULES:
        said = pattern.sub(name, said)
    return said
