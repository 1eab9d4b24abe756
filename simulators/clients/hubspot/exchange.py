"""HubSpot's own client against the simulated account: what a bridge asks of it, and how it is refused.

In: the address as the only argument, the token as HUBSPOT_TOKEN. Out: a line of JSON for each step that held.
Why: the client is HubSpot's reading of HubSpot. Its paths, its bodies and what its models must find in an answer
come from HubSpot, so a misreading that the simulator shares with the adapter stops here.
"""

import json
import os
import sys

from hubspot import HubSpot
from hubspot.crm.associations.v4 import AssociationSpec as LinkSpec
from hubspot.crm.associations.v4 import (
    BatchInputPublicAssociationMultiPost,
    BatchInputPublicDefaultAssociationMultiPost,
    BatchInputPublicFetchAssociationsBatchRequest,
    PublicAssociationMultiPost,
    PublicDefaultAssociationMultiPost,
    PublicFetchAssociationsBatchRequest,
    PublicObjectId,
)
from hubspot.crm.contacts import (
    BatchInputSimplePublicObjectBatchInput,
    BatchInputSimplePublicObjectBatchInputUpsert,
    BatchReadInputSimplePublicObjectId,
    Filter,
    FilterGroup,
    PublicMergeInput,
    PublicObjectSearchRequest,
    SimplePublicObjectBatchInput,
    SimplePublicObjectBatchInputUpsert,
    SimplePublicObjectId,
    SimplePublicObjectInput,
    SimplePublicObjectInputForCreate,
)
from hubspot.crm.deals import SimplePublicObjectInputForCreate as NewDeal
from hubspot.crm.objects.communications import SimplePublicObjectInputForCreate as NewCommunication
from hubspot.crm.properties import PropertyCreate

BASE = sys.argv[1]
TOKEN = os.environ["HUBSPOT_TOKEN"]
# Without `client_side_validation` the client takes an answer that lacks what HubSpot promises.
CRM = HubSpot(access_token=TOKEN, host=BASE, client_side_validation=True).crm


def held(step, **facts):
    print(json.dumps({"step": step, **facts}), flush=True)


def equal(seen, wanted):
    assert seen == wanted, f"{seen!r} is not {wanted!r}"


def refused(status, call):
    """The error's body, of a call that must be refused with this status."""
    try:
        answer = call()
    # Every part of the client has an exception class of its own; what they share is the status.
    except Exception as error:
        assert hasattr(error, "status"), repr(error)
        equal(error.status, status)
        body = json.loads(error.body)
        equal(body["status"], "error")
        assert body["correlationId"] and body["message"], body
        return body
    raise AssertionError(f"not refused: {answer}")


def link(to, number):
    spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": number}
    return {"to": {"id": to}, "types": [spec]}


def search(name, operator, value):
    found = CRM.contacts.search_api.do_search(
        PublicObjectSearchRequest(
            filter_groups=[FilterGroup(filters=[Filter(property_name=name, operator=operator, value=value)])],
            properties=["email", "phone"],
            limit=10,
        )
    )
    equal(found.total, len(found.results))
    return [contact.id for contact in found.results]


def contact_steps():
    new = {"email": "Asha@Example.com", "firstname": "Asha", "lastname": "Example", "phone": "+91 98765 43210"}
    made = CRM.contacts.basic_api.create(SimplePublicObjectInputForCreate(properties=new))
    equal(made.properties["email"], "asha@example.com")
    equal(made.archived, False)
    held("contact created", id=made.id)

    basic = CRM.contacts.basic_api
    read = basic.get_by_id(made.id, properties=["phone", "lastname"])
    equal((read.id, read.properties["phone"], read.properties["lastname"]), (made.id, "+91 98765 43210", "Example"))
    held("contact read by id", id=read.id)

    read = basic.get_by_id("asha@example.com", id_property="email", properties=["firstname"])
    equal((read.id, read.properties["firstname"]), (made.id, "Asha"))
    held("contact read by address", id=read.id)

    equal(search("email", "EQ", "asha@example.com"), [made.id])
    held("contact found by address", id=made.id)
    equal(search("phone", "EQ", "+91 98765 43210"), [made.id])
    equal(search("hs_searchable_calculated_phone_number", "EQ", "9876543210"), [made.id])
    equal(search("phone", "EQ", "+91 98765 43211"), [])
    held("contact found by phone", id=made.id)

    changed = basic.update(made.id, SimplePublicObjectInput(properties={"lastname": "Changed", "phone": ""}))
    assert changed.updated_at >= made.created_at
    equal(changed.properties["lastname"], "Changed")
    basic.update(made.id, SimplePublicObjectInput(properties={"phone": "+91 98765 43210"}))
    read = basic.get_by_id(made.id, properties=["firstname", "lastname"])
    equal((read.properties["firstname"], read.properties["lastname"]), ("Asha", "Changed"))
    held("contact updated", id=made.id)
    return made.id


def property_steps():
    core = CRM.properties.core_api
    made = core.create(
        "contacts",
        PropertyCreate(
            name="bridge_key",
            label="Bridge key",
            type="string",
            field_type="text",
            group_name="contactinformation",
            has_unique_value=True,
        ),
    )
    equal((made.name, made.type, made.field_type, made.has_unique_value), ("bridge_key", "string", "text", True))
    read = core.get_by_name("contacts", "bridge_key")
    equal((read.label, read.has_unique_value, read.archived), ("Bridge key", True, False))
    assert {"email", "phone", "bridge_key"} <= {it.name for it in core.get_all("contacts").results}
    held("unique property created", name=made.name)


def upsert(inputs):
    inputs = [
        SimplePublicObjectBatchInputUpsert(
            id=key, id_property="bridge_key", object_write_trace_id=key, properties=properties
        )
        for key, properties in inputs
    ]
    return CRM.contacts.batch_api.upsert(BatchInputSimplePublicObjectBatchInputUpsert(inputs=inputs))


def batch_steps():
    done = upsert([("k-1", {"lastname": "One"}), ("k-2", {"lastname": "Two"})])
    equal((done.status, [it.new for it in done.results]), ("COMPLETE", [True, True]))
    ids = {it.object_write_trace_id: it.id for it in done.results}
    equal(set(ids), {"k-1", "k-2"})
    again = upsert([("k-1", {"lastname": "One again"})])
    equal([(it.id, it.new) for it in again.results], [(ids["k-1"], False)])
    held("contacts upserted", ids=[ids["k-1"], ids["k-2"]])

    part = upsert([("k-2", {"lastname": "Two again"}), ("k-3", {"no_such_property": "x"})])
    equal(type(part).__name__, "BatchResponseSimplePublicUpsertObjectWithErrors")
    equal(([it.id for it in part.results], part.num_errors, len(part.errors)), ([ids["k-2"]], 1, 1))
    equal(part.errors[0].context["objectWriteTraceId"], ["k-3"])
    equal((part.errors[0].status, part.errors[0].category), ("error", "VALIDATION_ERROR"))
    held("batch refused in part", trace="k-3")

    batch = CRM.contacts.batch_api
    done = batch.update(
        BatchInputSimplePublicObjectBatchInput(
            inputs=[SimplePublicObjectBatchInput(id=ids["k-1"], properties={"firstname": "First"})]
        )
    )
    equal([(it.id, it.properties["firstname"]) for it in done.results], [(ids["k-1"], "First")])
    read = batch.read(
        BatchReadInputSimplePublicObjectId(
            id_property="bridge_key",
            properties=["lastname"],
            properties_with_history=[],
            inputs=[SimplePublicObjectId(id="k-1"), SimplePublicObjectId(id="k-2")],
        )
    )
    names = {it.id: it.properties["lastname"] for it in read.results}
    equal(names, {ids["k-1"]: "One again", ids["k-2"]: "Two again"})
    held("contacts read by key", ids=sorted(names))
    return ids["k-1"], ids["k-2"]


def activity_steps(contact):
    communications = CRM.objects.communications.basic_api
    properties = {
        "hs_communication_channel_type": "WHATS_APP",
        "hs_communication_logged_from": "CRM",
        "hs_communication_body": "Asked for the price list.",
        "hs_timestamp": "2026-11-23T08:00:00Z",
    }
    made = communications.create(NewCommunication(properties=properties, associations=[link(contact, 81)]))
    read = communications.get_by_id(made.id, properties=list(properties), associations=["contacts"])
    equal(read.properties["hs_communication_body"], properties["hs_communication_body"])
    equal([it.id for it in read.associations["contacts"].results], [contact])
    held("activity created", id=made.id)

    links = CRM.associations.v4.basic_api
    from_activity = links.get_page("communications", made.id, "contacts")
    equal([str(it.to_object_id) for it in from_activity.results], [contact])
    equal([(it.category, it.type_id) for it in from_activity.results[0].association_types], [("HUBSPOT_DEFINED", 81)])
    from_contact = links.get_page("contacts", contact, "communications")
    equal([str(it.to_object_id) for it in from_contact.results], [made.id])
    equal([it.type_id for it in from_contact.results[0].association_types], [82])
    held("activity's association read", id=made.id)


def deal_steps(contact, other):
    pipelines = {it.id: it for it in CRM.pipelines.pipelines_api.get_all("deals").results}
    stages = {it.id: it for it in pipelines["default"].stages}
    equal(stages["closedwon"].metadata["isClosed"], "true")
    equal(CRM.pipelines.pipeline_stages_api.get_by_id("deals", "default", "contractsent").label, "Contract Sent")
    held("pipelines read", ids=sorted(pipelines))

    properties = {
        "dealname": "Asha, WhatsApp",
        "pipeline": "default",
        "dealstage": "appointmentscheduled",
        "amount": "1200",
    }
    deals = CRM.deals.basic_api
    made = deals.create(NewDeal(properties=properties, associations=[link(contact, 3)]))
    read = deals.get_by_id(made.id, properties=["dealname", "pipeline", "dealstage"], associations=["contacts"])
    equal((read.properties["pipeline"], read.properties["dealstage"]), ("default", "appointmentscheduled"))
    equal([it.id for it in read.associations["contacts"].results], [contact])
    held("deal created", id=made.id)

    links = CRM.associations.v4.basic_api
    spec = LinkSpec(association_category="HUBSPOT_DEFINED", association_type_id=3)
    made_link = links.create("deals", made.id, "contacts", other, [spec])
    equal((str(made_link.from_object_id), str(made_link.to_object_id)), (made.id, other))
    equal(sorted(str(it.to_object_id) for it in links.get_page("deals", made.id, "contacts").results), [contact, other])
    links.archive("deals", made.id, "contacts", other)
    equal([str(it.to_object_id) for it in links.get_page("deals", made.id, "contacts").results], [contact])
    held("deal linked and unlinked", id=made.id)

    batch = CRM.associations.v4.batch_api
    ends = {"_from": PublicObjectId(id=made.id), "to": PublicObjectId(id=other)}
    pair = PublicDefaultAssociationMultiPost(**ends)
    done = batch.create_default("deals", "contacts", BatchInputPublicDefaultAssociationMultiPost(inputs=[pair]))
    numbers = sorted(it.association_spec.association_type_id for it in done.results)
    equal((done.status, numbers), ("COMPLETE", [3, 4]))
    links.archive("deals", made.id, "contacts", other)
    pair = PublicAssociationMultiPost(types=[spec], **ends)
    done = batch.create("deals", "contacts", BatchInputPublicAssociationMultiPost(inputs=[pair]))
    equal([str(it.to_object_id) for it in done.results], [other])
    asked = BatchInputPublicFetchAssociationsBatchRequest(inputs=[PublicFetchAssociationsBatchRequest(id=made.id)])
    [read] = batch.get_page("deals", "contacts", asked).results
    equal((read._from.id, sorted(str(it.to_object_id) for it in read.to)), (made.id, [contact, other]))
    links.archive("deals", made.id, "contacts", other)
    held("deals linked in batches", id=made.id)

    wrong = NewDeal(properties={**properties, "dealstage": "nowhere"}, associations=[])
    body = refused(400, lambda: deals.create(wrong))
    equal(body["category"], "VALIDATION_ERROR")
    held("deal refused outside its pipeline", status=400)


def refusals(contact):
    basic = CRM.contacts.basic_api
    again = SimplePublicObjectInputForCreate(properties={"email": "asha@example.com"})
    body = refused(409, lambda: basic.create(again))
    equal((body["category"], body["message"]), ("CONFLICT", f"Contact already exists. Existing ID: {contact}"))
    held("duplicate refused", status=409, id=contact)

    unknown = SimplePublicObjectInput(properties={"no_such_property": "x"})
    body = refused(400, lambda: basic.update(contact, unknown))
    equal(body["category"], "VALIDATION_ERROR")
    equal([it["code"] for it in body["errors"]], ["PROPERTY_DOESNT_EXIST"])
    equal(body["errors"][0]["context"]["propertyName"], ["no_such_property"])
    held("unknown property refused", status=400)

    equal(refused(404, lambda: basic.get_by_id("999999"))["category"], "OBJECT_NOT_FOUND")
    held("unknown contact refused", status=404)

    stranger = HubSpot(access_token="pat-na1-wrong", host=BASE).crm
    body = refused(401, lambda: stranger.contacts.basic_api.get_by_id(contact))
    equal(body["category"], "INVALID_AUTHENTICATION")
    held("wrong token refused", status=401)


def merge_steps(winner, loser):
    basic = CRM.contacts.basic_api
    merged = basic.merge(PublicMergeInput(primary_object_id=winner, object_id_to_merge=loser))
    equal(merged.id, winner)
    equal(basic.get_by_id(loser).id, winner)
    held("contacts merged", id=winner)

    basic.archive(winner)
    equal(refused(404, lambda: basic.get_by_id(winner))["category"], "OBJECT_NOT_FOUND")
    equal(basic.get_by_id(winner, archived=True).archived, True)
    held("contact archived", id=winner)


def main():
    contact = contact_steps()
    property_steps()
    one, two = batch_steps()
    activity_steps(contact)
    deal_steps(contact, one)
    refusals(contact)
    merge_steps(one, two)


main()
