"""Zoho's own client against the simulated account: what a bridge asks of it, and how it is refused.

In: the address as the first argument, a folder for the client's files as the second; what the token endpoint is
asked with as ZOHO_CLIENT_ID, ZOHO_CLIENT_SECRET, ZOHO_CODE. Out: a line of JSON for each step that held.
Why: the client is Zoho's reading of Zoho. Its paths, bodies and parameters, and how it reads an answer by the
fields that the account says it has, come from Zoho, so a misreading that the simulator shares with the adapter
stops here.
"""

import datetime
import json
import os
import sys

from zohocrmsdk.src.com.zoho.api.authenticator import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store import FileStore
from zohocrmsdk.src.com.zoho.crm.api import Initializer, ParameterMap
from zohocrmsdk.src.com.zoho.crm.api.coql import BodyWrapper as Query
from zohocrmsdk.src.com.zoho.crm.api.coql import CoqlOperations
from zohocrmsdk.src.com.zoho.crm.api.dc import DataCenter
from zohocrmsdk.src.com.zoho.crm.api.fields import FieldsOperations, GetFieldsParam
from zohocrmsdk.src.com.zoho.crm.api.layouts import GetLayoutsParam, LayoutsOperations
from zohocrmsdk.src.com.zoho.crm.api.modules import MinifiedModule
from zohocrmsdk.src.com.zoho.crm.api.notes import BodyWrapper as Notes
from zohocrmsdk.src.com.zoho.crm.api.notes import Note, NotesOperations, ParentId
from zohocrmsdk.src.com.zoho.crm.api.org import OrgOperations
from zohocrmsdk.src.com.zoho.crm.api.pipeline import PipelineOperations
from zohocrmsdk.src.com.zoho.crm.api.record import (
    BodyWrapper,
    GetRecordsParam,
    Record,
    RecordOperations,
    SearchRecordsParam,
)
from zohocrmsdk.src.com.zoho.crm.api.sdk_config import SDKConfig
from zohocrmsdk.src.com.zoho.crm.api.users import UsersOperations
from zohocrmsdk.src.com.zoho.crm.api.util import Choice

BASE, FOLDER = sys.argv[1:]


def held(step, **facts):
    print(json.dumps({"step": step, **facts}), flush=True)


def equal(seen, wanted):
    assert seen == wanted, f"{seen!r} is not {wanted!r}"


def parameters(*given):
    """Parameters and their values; which there are, classes of Zoho's say."""
    instance = ParameterMap()
    for parameter, value in given:
        instance.add(parameter, value)
    return instance


def answered(status, response, kind):
    """What an answer holds, which must have this status and be read as this class of Zoho's."""
    equal(response.get_status_code(), status)
    answer = response.get_object()
    equal(type(answer).__name__, kind)
    return answer


def record(**values):
    made = Record()
    for name, value in values.items():
        made.add_key_value(name, value)
    return made


def many(*records, trigger=None, by=None):
    body = BodyWrapper()
    body.set_data(list(records))
    if trigger is not None:
        body.set_trigger(trigger)
    if by is not None:
        body.set_duplicate_check_fields(by)
    return body


def entries(answer, *kinds):
    data = answer.get_data()
    equal([type(entry).__name__ for entry in data], list(kinds))
    return data


def connect():
    """The code of a self client becomes tokens, at the host that is given as Zoho's own are."""
    place = DataCenter.Environment(BASE, f"{BASE}/oauth/v2/token", BASE)
    token = OAuthToken(
        client_id=os.environ["ZOHO_CLIENT_ID"],
        client_secret=os.environ["ZOHO_CLIENT_SECRET"],
        grant_token=os.environ["ZOHO_CODE"],
        find_user=False,
    )
    store = FileStore(os.path.join(FOLDER, "tokens"))
    # Without a list of fields of its own the client reads the account's, and checks what it sends by them.
    config = SDKConfig(auto_refresh_fields=False, pick_list_validation=True)
    Initializer.initialize(place, token, store=store, sdk_config=config, resource_path=FOLDER)
    assert token.get_access_token() and token.get_refresh_token()
    held("tokens got by a code")
    first = token.get_access_token()
    token.refresh_access_token(token, place.accounts_url)
    assert token.get_access_token() != first
    held("access token refreshed")


def people():
    leads = RecordOperations("Leads")
    at = datetime.datetime(2026, 11, 22, 8, 35, 12, tzinfo=datetime.timezone.utc)
    new = record(Last_Name="Rao", Company="Acme", Phone="+91 98765 43210", Email="asha@example.com",
                 wa_e164="+919876543210", last_inbound_at=at, Lead_Source=Choice("WhatsApp"))
    answer = answered(201, leads.create_records(many(new)), "ActionWrapper")
    [entry] = entries(answer, "SuccessResponse")
    equal((entry.get_code().get_value(), entry.get_status().get_value()), ("SUCCESS", "success"))
    id = entry.get_details()["id"]
    assert entry.get_details()["Created_By"].get_id()
    held("lead created", id=str(id))

    [lead] = answered(200, leads.get_record(int(id)), "ResponseWrapper").get_data()
    equal((lead.get_id(), lead.get_key_value("Last_Name")), (int(id), "Rao"))
    equal(lead.get_key_value("last_inbound_at"), at)
    equal(lead.get_key_value("Lead_Source").get_value(), "WhatsApp")
    equal(lead.get_key_value("Owner").get_email(), "asha.rep@example.com")
    equal(lead.get_key_value("$converted"), False)
    held("lead read")

    change = many(record(id=int(id), Company="Changed"), trigger=[])
    entries(answered(200, leads.update_records(change), "ActionWrapper"), "SuccessResponse")
    held("lead updated without automation")

    both = many(record(Last_Name="Rao", Company="Upserted", wa_e164="+919876543210"),
                record(Last_Name="Shah", Company="New", wa_e164="+919876543211"), by=["wa_e164"])
    done = entries(answered(200, leads.upsert_records(both), "ActionWrapper"), *["SuccessResponse"] * 2)
    equal([entry.get_action().get_value() for entry in done], ["update", "insert"])
    equal([entry.get_duplicate_field() for entry in done], ["wa_e164", None])
    second = done[1].get_details()["id"]
    held("leads upserted", id=str(second))

    some = many(record(Last_Name="Twice", Company="A", wa_e164="+919876543211"), record(Last_Name="Iyer", Company="B"))
    twice, third = entries(answered(207, leads.create_records(some), "ActionWrapper"), "APIException", "SuccessResponse")
    equal(twice.get_code().get_value(), "DUPLICATE_DATA")
    equal(twice.get_details()["api_name"], "wa_e164")
    equal(str(twice.get_details()["duplicate_record"].get_id()), str(second))
    held("batch refused in part")

    [entry] = entries(answered(202, leads.update_records(many(record(id=7, Company="A"))), "ActionWrapper"), "APIException")
    equal(entry.get_code().get_value(), "INVALID_DATA")
    held("unknown lead refused")

    third = int(third.get_details()["id"])
    entries(answered(200, leads.delete_record(third), "ActionWrapper"), "SuccessResponse")
    equal(leads.get_record(third).get_status_code(), 204)
    held("lead deleted")
    return id, second


def looking(id):
    leads = RecordOperations("Leads")
    query = Query()
    query.set_select_query(
        "select id, Phone, Owner from Leads where (Phone like '%43210' or Mobile like '%43210') limit 0, 200"
    )
    answer = answered(200, CoqlOperations().get_records(query), "ResponseWrapper")
    [found] = answer.get_data()
    equal((str(found.get_id()), found.get_key_value("Phone")), (str(id), "+91 98765 43210"))
    equal(answer.get_info().get_more_records(), False)
    held("lead found by query")
    query.set_select_query("select id from Leads where Phone = '1'")
    equal(CoqlOperations().get_records(query).get_status_code(), 204)
    query.set_select_query("select id from Leads where nosuch = '1'")
    answer = answered(400, CoqlOperations().get_records(query), "APIException")
    equal(answer.get_code().get_value(), "INVALID_QUERY")
    held("query refused")
    for name, given in [
        ("phone", (SearchRecordsParam.phone, "+91 98765 43210")),
        ("email", (SearchRecordsParam.email, "asha@example.com")),
        ("criteria", (SearchRecordsParam.criteria, "((Company:equals:Upserted)and(Last_Name:equals:Rao))")),
    ]:
        [found] = answered(200, leads.search_records(parameters(given)), "ResponseWrapper").get_data()
        equal(str(found.get_id()), str(id))
        held(f"lead found by {name}")
    first = [(GetRecordsParam.fields, "Last_Name"), (GetRecordsParam.per_page, 1)]
    page = parameters(*first)
    answer = answered(200, leads.get_records(page), "ResponseWrapper")
    equal((len(answer.get_data()), answer.get_info().get_more_records()), (1, True))
    token = answer.get_info().get_next_page_token()
    after = parameters(*first, (GetRecordsParam.page_token, token))
    [last] = answered(200, leads.get_records(after), "ResponseWrapper").get_data()
    equal(str(last.get_id()), str(id))
    held("leads listed by page and token")


def activities(id):
    parent, module, note = ParentId(), MinifiedModule(), Note()
    module.set_api_name("Leads")
    parent.set_module(module)
    parent.set_id(int(id))
    note.set_note_title("WhatsApp")
    note.set_note_content("Asked for the price list.")
    note.set_parent_id(parent)
    body = Notes()
    body.set_data([note])
    [entry] = entries(answered(201, NotesOperations().create_notes(body), "ActionWrapper"), "SuccessResponse")
    made = entry.get_details()["id"]
    [shown] = answered(200, NotesOperations().get_note(int(made)), "ResponseWrapper").get_data()
    equal((shown.get_note_content(), str(shown.get_parent_id().get_id())), ("Asked for the price list.", str(id)))
    held("note created", id=str(made))


def schema():
    given = parameters((GetFieldsParam.module, "Deals"))
    fields = answered(200, FieldsOperations().get_fields(given), "ResponseWrapper").get_fields()
    stage = next(field for field in fields if field.get_api_name() == "Stage")
    assert "Closed Won" in [value.get_actual_value() for value in stage.get_pick_list_values()]
    held("fields read")
    given = parameters((GetLayoutsParam.module, "Deals"))
    [layout] = answered(200, LayoutsOperations().get_layouts(given), "ResponseWrapper").get_layouts()
    required = [field.get_api_name() for field in layout.get_sections()[0].get_fields() if field.get_required()]
    equal(required, ["Deal_Name", "Stage", "Closing_Date"])
    held("layout read")
    response = PipelineOperations(int(layout.get_id())).get_pipelines()
    pipelines = answered(200, response, "ResponseWrapper").get_pipeline()
    equal(pipelines[0].get_maps()[6].get_forecast_type(), "Closed Won")
    held("pipelines read")
    [org] = answered(200, OrgOperations().get_organization(), "ResponseWrapper").get_org()
    equal((org.get_iso_code(), org.get_license_details().get_paid_type()), ("INR", "enterprise"))
    users = answered(200, UsersOperations().get_users(), "ResponseWrapper").get_users()
    equal(users[1].get_email(), "ravi.rep@example.com")
    held("organisation and users read")


def deals():
    contact = entries(
        answered(201, RecordOperations("Contacts").create_records(many(record(Last_Name="Rao"))), "ActionWrapper"),
        "SuccessResponse",
    )[0].get_details()["id"]
    owner = Record()
    owner.set_id(int(contact))
    deals, close = RecordOperations("Deals"), datetime.date(2027, 2, 21)
    new = record(Deal_Name="D", Stage=Choice("Qualification"), Pipeline=Choice("Standard (Standard)"),
                 Closing_Date=close, Amount=5000.0, Contact_Name=owner)
    [entry] = entries(answered(201, deals.create_records(many(new)), "ActionWrapper"), "SuccessResponse")
    made = entry.get_details()["id"]
    [shown] = answered(200, deals.get_record(int(made)), "ResponseWrapper").get_data()
    equal((shown.get_key_value("Closing_Date"), str(shown.get_key_value("Contact_Name").get_id())), (close, str(contact)))
    held("deal created", id=str(made), contact=str(contact))
    wrong = record(id=int(made), Stage=Choice("Signed"))
    [entry] = entries(answered(202, deals.update_records(many(wrong)), "ActionWrapper"), "APIException")
    equal(entry.get_code().get_value(), "MAPPING_MISMATCH")
    held("deal refused outside its pipeline")


def main():
    connect()
    id, _ = people()
    looking(id)
    activities(id)
    schema()
    deals()


main()
