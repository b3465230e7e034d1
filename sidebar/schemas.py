"""What the page may send us, checked before anything is done with it."""

from typing import Annotated, Any, Literal, TypeVar

from flask import request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from crm_core.errors import InputInvalid

ActKey = Annotated[str, Field(pattern=r"^[0-9a-fA-F-]{32,36}$")]
TagIds = Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=200)]
SectionKeys = Annotated[list[Annotated[str, Field(max_length=16)]], Field(max_length=20)]
PREVIEW_CHARS = 40


class Form(BaseModel):
    """Base: surplus fields are refused, spaces at the ends are dropped."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class SendOutcome(Form):
    """A message went out through the client. key: the same for every report of the same tap.

    complete: all messages of the entry are out; a todo is only ticked off then. Either a customer or a group got it.
    as_link: a material went out as its reading page. asked: the customer's message it was recommended for, 0 for none.
    """

    key: ActKey
    external_userid: str = Field("", max_length=128)
    chat_id: str = Field("", max_length=128)
    script_id: int | None = None
    todo_id: int | None = None
    material_id: int | None = None
    asked: int = Field(0, ge=0, lt=2**53)
    edited: bool = False
    complete: bool = True
    as_link: bool = False
    preview: str = Field("", max_length=8000)


class MaterialOrigin(Form):
    """Whom the material is for, and which script or todo names it; neither where it was picked from the library.

    as_link: its tracked reading page instead of the file itself.
    """

    external_userid: str = Field("", max_length=128)
    chat_id: str = Field("", max_length=128)
    script_id: int | None = None
    todo_id: int | None = None
    as_link: bool = False


class FollowUpSheet(Form):
    """A stage, what was said, and when to come back: a preset's or one's own local time, "" for not at all."""

    key: ActKey
    stage: str = Field(max_length=32)
    text: str = Field("", max_length=500)
    when: str = Field("", max_length=32)
    due: str = Field("", max_length=32)

    @property
    def next_contact(self) -> str:
        """The local time that was chosen, "" for none."""
        return self.due if self.when == "own" else self.when


class ReminderForm(Form):
    """A reminder: a preset's or one's own local time, and what for."""

    key: ActKey
    note: str = Field("", max_length=200)
    when: str = Field("", max_length=32)
    due: str = Field("", max_length=32)

    @property
    def local_time(self) -> str:
        """The local time that was chosen."""
        return self.due if self.when == "own" else self.when


class NameForm(Form):
    """A word to put on something, or to take off."""

    name: str = Field(max_length=60)


class NoteForm(Form):
    """A note about a group."""

    key: ActKey
    text: str = Field(max_length=2000)


class OtherForm(Form):
    """The other account."""

    other: str = Field(min_length=1, max_length=128)


class MarkForm(Form):
    """On or off."""

    wanted: bool


class ScriptForm(Form):
    """A script of one's own; one text per message."""

    title: str = Field("", max_length=200)
    text: Annotated[list[Annotated[str, Field(max_length=2000)]], Field(max_length=10)] = Field(default_factory=list)


class ThumbForm(Form):
    """A verdict on a recommended script; "" takes it back."""

    external_userid: str = Field(max_length=128)
    script_id: int = Field(ge=1, lt=2**53)
    asked: int = Field(ge=1, lt=2**53)
    verdict: Literal["up", "down", ""]


class DraftForm(Form):
    """The customer's message that a draft shall answer."""

    asked: int = Field(ge=1, lt=2**53)


class LayoutForm(Form):
    """How a page is arranged."""

    page: str = Field(max_length=16)
    cards: SectionKeys = Field(default_factory=list)
    folded: SectionKeys = Field(default_factory=list)
    tabs: SectionKeys = Field(default_factory=list)


class TagForm(Form):
    """The tags ticked now and those that were ticked when the sheet opened."""

    key: ActKey
    chosen: TagIds = Field(default_factory=list)
    shown: TagIds = Field(default_factory=list)


class SkipForm(Form):
    """Why a todo is skipped."""

    reason: str = Field("", max_length=200)


FormT = TypeVar("FormT", bound=Form)


def read_json(schema: type[FormT]) -> FormT:
    """The request's JSON body. Raises: InputInvalid naming the field."""
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise InputInvalid("请求内容应为 JSON")
    return _checked(schema, body)


def read_form(schema: type[FormT], *lists: str) -> FormT:
    """The request's form fields; those named in ``lists`` may repeat. Raises: InputInvalid naming the field."""
    fields: dict[str, Any] = {name: value for name, value in request.form.items() if name not in lists}
    return _checked(schema, fields | {name: request.form.getlist(name) for name in lists})


def _checked(schema: type[FormT], fields: dict[str, Any]) -> FormT:
    try:
        return schema.model_validate(fields)
    except ValidationError as error:
        detail = error.errors()[0]
        place = ".".join(str(part) for part in detail["loc"])
        said = "内容太长，请删短一些" if detail["type"].endswith("too_long") else "提交的内容不正确，请刷新后重试"
        raise InputInvalid(said, field=place) from None
