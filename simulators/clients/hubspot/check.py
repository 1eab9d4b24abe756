"""HubSpot's official client library against `wabridge simulate hubspot`, over a real socket.

In: the path of the binary. Out: one line for each thing done; the first that is not as the library's own types
have it ends the script. It shares nothing with the adapter, so that a misreading of ours shows here.
"""

import http.server
import json
import queue
import signal
import subprocess
import sys
import threading

import requests
from hubspot import HubSpot
from hubspot.crm.contacts import (
    ApiException,
    BatchInputSimplePublicObjectBatchInputUpsert,
    BatchReadInputSimplePublicObjectId,
    Filter,
    FilterGroup,
    PublicObjectSearchRequest,
    SimplePublicObjectBatchInputUpsert,
    SimplePublicObjectId,
    SimplePublicObjectInput,
    SimplePublicObjectInputForCreate,
)
from hubspot.crm.objects.communications import (
    AssociationSpec,
    PublicAssociationsForObject,
    PublicObjectId,
)
from hubspot.crm.objects.communications import (
    SimplePublicObjectInputForCreate as CommunicationForCreate,
)
from hubspot.crm.deals import SimplePublicObjectInputForCreate as DealForCreate
from hubspot.crm.properties import PropertyCreate
from hubspot.utils.signature import Signature

PATIENCE = 30

notices = queue.Queue()


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        notices.put((self.path, dict(self.headers.items()), body.decode()))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def same(what, seen, wanted):
    if seen != wanted:
        sys.exit(f"{what}: {seen!r} and not {wanted!r}")
    print(f"{what}: {seen!r}")


def linked(number, person):
    spec = AssociationSpec(association_category="HUBSPOT_DEFINED", association_type_id=number)
    return [PublicAssociationsForObject(to=PublicObjectId(id=person), types=[spec])]


def refused(what, call, *given, **named):
    try:
        call(*given, **named)
    except Exception as error:  # every package of the library has an ApiException of its own
        if "ApiException" not in [kind.__name__ for kind in type(error).__mro__]:
            raise
        return error
    sys.exit(f"{what} was not refused")


def people(client):
    contacts = client.crm.contacts
    properties = {"email": "asha@example.com", "lastname": "Verma", "phone": "+91 98765 43210"}
    made = contacts.basic_api.create(SimplePublicObjectInputForCreate(properties=properties, associations=[]))
    same("created", (made.properties["email"], made.archived), ("asha@example.com", False))
    same("created at has a zone", made.created_at.tzinfo is not None, True)

    read = contacts.basic_api.get_by_id("asha@example.com", id_property="email", properties=["phone"])
    same("found by its address", (read.id, read.properties["phone"]), (made.id, "+91 98765 43210"))
    wanted = Filter(property_name="hs_searchable_calculated_phone_number", operator="EQ", value="9876543210")
    search = PublicObjectSearchRequest(filter_groups=[FilterGroup(filters=[wanted])], properties=["email"], limit=10)
    found = contacts.search_api.do_search(search)
    same("found by its number", (found.total, found.results[0].id), (1, made.id))

    change = SimplePublicObjectInput(properties={"wa_e164": "+919876543210", "lifecyclestage": "lead"})
    changed = contacts.basic_api.update(made.id, change)
    same("updated", changed.properties["lifecyclestage"], "lead")

    inputs = [
        SimplePublicObjectBatchInputUpsert(id=number, id_property="wa_e164", properties=properties)
        for number, properties in [
            ("+919876543210", {"city": "Pune"}),
            ("+919876543211", {"lastname": "Rao"}),
        ]
    ]
    upserted = contacts.batch_api.upsert(BatchInputSimplePublicObjectBatchInputUpsert(inputs=inputs))
    same("upserted", sorted(result.new for result in upserted.results), [False, True])
    same("the batch is complete", upserted.status, "COMPLETE")
    ids = [SimplePublicObjectId(id="+919876543210"), SimplePublicObjectId(id="+919876543219")]
    batch = BatchReadInputSimplePublicObjectId(
        inputs=ids, id_property="wa_e164", properties=["city"], properties_with_history=[]
    )
    both = contacts.batch_api.read(batch)
    same("read in a batch", [result.properties["city"] for result in both.results], ["Pune"])
    same("one was missing", (both.num_errors, both.errors[0].context["ids"]), (1, ["+919876543219"]))
    same("in all", len(contacts.get_all()), 2)
    return made.id


def errors(client, base_url, person):
    create = client.crm.contacts.basic_api.create
    new = lambda properties: SimplePublicObjectInputForCreate(properties=properties, associations=[])
    error = refused("a second address", create, new({"email": "asha@example.com"}))
    same("a duplicate", (error.status, json.loads(error.body)["category"]), (409, "CONFLICT"))
    same("who it is", json.loads(error.body)["message"], f"Contact already exists. Existing ID: {person}")
    error = refused("an unknown property", create, new({"lastname": "A", "nosuch": "1"}))
    body = json.loads(error.body)
    same("an unknown property", (error.status, body["category"]), (400, "VALIDATION_ERROR"))
    same("its code", body["errors"][0]["code"], "PROPERTY_DOESNT_EXIST")
    error = refused("nobody", client.crm.contacts.basic_api.get_by_id, "1")
    same("nobody", (error.status, isinstance(error, ApiException)), (404, True))
    stranger = HubSpot(access_token="wrong", host=base_url)
    error = refused("a wrong token", stranger.crm.contacts.basic_api.get_page)
    same("a wrong token", error.status, 401)


def work(client, person):
    communications = client.crm.objects.communications.basic_api
    properties = {
        "hs_communication_channel_type": "WHATS_APP",
        "hs_communication_logged_from": "CRM",
        "hs_communication_body": "Asked for a price",
        "hs_timestamp": "2026-11-23T08:00:00Z",
    }
    made = communications.create(CommunicationForCreate(properties=properties, associations=linked(81, person)))
    read = communications.get_by_id(made.id, associations=["contacts"])
    same("an activity of the person", read.associations["contacts"].results[0].id, person)
    properties = {"dealname": "A deal", "pipeline": "default", "dealstage": "appointmentscheduled", "amount": "2500"}
    deal = client.crm.deals.basic_api.create(DealForCreate(properties=properties, associations=linked(3, person)))
    links = client.crm.associations.v4.basic_api.get_page("contacts", person, "deals")
    same("a deal of the person", [str(link.to_object_id) for link in links.results], [deal.id])


def account(client):
    pipelines = client.crm.pipelines.pipelines_api.get_all("deals").results
    same("a closed stage", pipelines[0].stages[5].metadata["isClosed"], "true")
    core = client.crm.properties.core_api
    new = PropertyCreate(
        name="wa_made", label="Made", type="string", field_type="text", group_name="contactinformation",
        has_unique_value=True,
    )
    same("a unique property", core.create("contacts", new).has_unique_value, True)
    same("it is listed", "wa_made" in [property.name for property in core.get_all("contacts").results], True)
    same("an owner", client.crm.owners.owners_api.get_page().results[0].first_name, "Asha")


def told(said, url, person):
    change = {"person_id": person, "field": "city", "value": "Surat"}
    requests.post(f"{said['base_url']}/_change", json=change, timeout=PATIENCE).raise_for_status()
    _, headers, body = notices.get(timeout=PATIENCE)
    same("a notice", json.loads(body)[0]["propertyValue"], "Surat")
    proof = {
        "signature": headers["x-hubspot-signature-v3"], "client_secret": said["notice_secret"],
        "request_body": body, "http_uri": url, "signature_version": "v3",
        "timestamp": headers["x-hubspot-request-timestamp"],
    }
    same("its signature", Signature.is_valid(**proof), True)
    same("another body's", Signature.is_valid(**{**proof, "request_body": body + " "}), False)


def main(binary):
    receiver = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{receiver.server_port}/crm/hubspot"
    process = subprocess.Popen([binary, "simulate", "hubspot", "--notify", url], stdout=subprocess.PIPE, text=True)
    try:
        said = json.loads(process.stdout.readline())
        with open(said["target"]["auth"]["token"].removeprefix("file:"), encoding="utf-8") as file:
            token = file.read()
        client = HubSpot(access_token=token, host=said["base_url"])
        person = people(client)
        errors(client, said["base_url"], person)
        work(client, person)
        account(client)
        told(said, url, person)
    finally:
        process.send_signal(signal.SIGTERM)
        ended = process.wait(timeout=PATIENCE)
    same("the simulator's end", ended, 0)


main(sys.argv[1])
