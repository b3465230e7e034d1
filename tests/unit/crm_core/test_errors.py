"""Every error has a code, a status and says whether to retry."""

from collections.abc import Iterator

import pytest

from crm_core import errors
from crm_core.errors import CallbackRejected, ConfigInvalid, InputInvalid, Retry, ScrmError, WeComError, WeComThrottled


def _family(kind: type[ScrmError]) -> Iterator[type[ScrmError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _family(child)


def test_no_two_errors_share_a_code() -> None:
    family = [kind for kind in _family(ScrmError) if kind.__module__ == errors.__name__]
    assert len({kind.code for kind in family}) == len(family) > 15


def test_only_what_may_pass_by_itself_is_tried_again_later() -> None:
    later = {kind.__name__ for kind in _family(ScrmError) if kind.retry is Retry.LATER}
    assert later >= {"StoreUnavailable", "WeComThrottled", "WeComUnavailable"}
    assert errors.WeComTokenInvalid.retry is Retry.AFTER_REFRESH
    assert errors.WeComRefused.retry is errors.WeComNotAllowed.retry is Retry.NEVER


@pytest.mark.parametrize(
    ("kind", "status"),
    [("InputInvalid", 400), ("NotAuthenticated", 401), ("NotAllowed", 403), ("NotFound", 404), ("Conflict", 409),
     ("AlreadyEnrolled", 409), ("StoreUnavailable", 503), ("CallbackRejected", 403), ("WeComRefused", 502),
     ("WeComUnavailable", 503), ("LeaseLost", 500)],
)  # fmt: skip
def test_statuses(kind: str, status: int) -> None:
    assert getattr(errors, kind).http_status == status


def test_an_error_carries_its_sentence_and_field() -> None:
    error = InputInvalid("请填写名称", field="name")
    assert (str(error), error.message, error.field) == ("请填写名称", "请填写名称", "name")
    assert InputInvalid().field is None


def test_a_rejected_callback_tells_its_reason_only_inside() -> None:
    error = CallbackRejected("signature")
    assert error.reason == "signature"
    assert "signature" not in error.message


def test_wecoms_own_words_stay_out_of_the_sentence() -> None:
    error = WeComError(84061, "not external contact, hint: [123]", "externalcontact/get")
    assert (error.errcode, error.sent, error.call) == (84061, True, "externalcontact/get")
    assert "hint" not in error.message
    assert "84061" in error.message
    assert WeComThrottled(45009, "x", "c", sent=False, remedy="稍后再试").message == "稍后再试"
    assert WeComThrottled(45009, "x", "c").wait_seconds == 60


def test_a_bad_configuration_lists_all_faults() -> None:
    error = ConfigInvalid(["a：必填", "b：不认识的键"])
    assert error.faults == ["a：必填", "b：不认识的键"]
    assert str(error).count("\n  - ") == 2
