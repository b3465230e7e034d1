"""What staff wrote down about a person is handed out and erased with everything else about them."""

from datetime import timedelta

from sqlmodel import select

from crm_core import custom_fields, customers, erasure, reminders
from crm_core.custom_fields import FieldForm
from crm_core.ids import ExternalUserId
from crm_core.ports import CustomerFacts, FollowFacts
from crm_core.record_tables import CustomerMobileRow, CustomValueRow, ReminderRow
from tests.support.ground import APP, CORP, XIAO, ZHANG, Ground

YOU = ExternalUserId("wm_you")


def test_fields_numbers_and_reminders_are_handed_out_and_erased(ground: Ground) -> None:
    with ground.committed() as uow:
        field = custom_fields.define(uow, CORP, FieldForm(name="家庭", kind="text"), actor="boss")
    for who in (XIAO, YOU):
        facts = CustomerFacts(external_user=who, follows=(FollowFacts(staff=ZHANG, remark_mobiles=(f"138{who}",)),))
        with ground.committed() as uow:
            ground.files().apply_facts(uow, CORP, facts)
            custom_fields.save(uow, CORP, who, staff_userid=ZHANG, given={field: ["三口之家"]})
            due = uow.now() + timedelta(days=1)
            reminders.remind(uow, corp=CORP, app=APP, staff=ZHANG, external_user=who, due_at=due, note="问候", key=who)
    with ground.reading() as session:
        held = erasure.gather(session, CORP, XIAO)
    assert [row["value"] for row in held["fields"]] == ["三口之家"]
    assert [row["note"] for row in held["reminders"]] == ["问候"]
    with ground.committed() as uow:
        erasure.erase(uow, CORP, XIAO, actor="boss")
    for table in (CustomValueRow, CustomerMobileRow, ReminderRow):
        assert ground.all(select(table.external_userid)) == [YOU]
    with ground.reading() as session:
        assert customers.display_names(session, CORP, [XIAO]) == {XIAO: ""}
