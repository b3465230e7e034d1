"""What the tagging room shows to others."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TagView:
    """One tag of the library."""

    tag_id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TagGroupView:
    """One group of the library with its tags in WeCom's order."""

    group_id: str
    name: str
    tags: tuple[TagView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerTagView:
    """A tag on a customer. status: adding | set | removing | failed. staff: on whose follow it sits."""

    tag_id: str
    name: str
    group_name: str
    staff: str
    status: str
    source: str
    error: str = ""
