"""Names for the opaque strings that WeCom and we hand around."""

from typing import NewType

CorpId = NewType("CorpId", str)
AppKey = NewType("AppKey", str)  # the name of one of our apps in config.yaml, unique over all corps
StaffUserId = NewType("StaffUserId", str)
ExternalUserId = NewType("ExternalUserId", str)
ChatId = NewType("ChatId", str)
TagId = NewType("TagId", str)
TagGroupId = NewType("TagGroupId", str)
WelcomeCode = NewType("WelcomeCode", str)
CustomerId = NewType("CustomerId", int)
