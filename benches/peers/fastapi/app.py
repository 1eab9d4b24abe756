"""The receiver that a Python team would write: FastAPI, the raw body, sqlite3.

In: Meta's webhooks. Out: 200 once the message, its body and its lead are committed and flushed.
"""

import hashlib
import hmac
import json
import os
import sqlite3
import time
from pathlib import Path

import phonenumbers
from fastapi import FastAPI, Request, Response

SECRET = os.environ["BENCH_SECRET"].encode()

# The transactions below are begun and ended by hand.
store = sqlite3.connect(os.environ["BENCH_STORE"], isolation_level=None, check_same_thread=False)
store.executescript((Path(__file__).parent / "schema.sql").read_text())

INSERT_REQUEST = "INSERT INTO requests (received_at, signature, body) VALUES (?, ?, ?)"
INSERT_EVENT = """
    INSERT INTO events (message_id, request, phone, kind, sent_at, ad_id, click_id) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (message_id) DO NOTHING"""
UPSERT_LEAD = """
    INSERT INTO leads (phone, name, first_seen_at, last_inbound_at, messages, first_ad_id, last_ad_id)
    VALUES (:phone, :name, :sent_at, :sent_at, 1, :ad_id, :ad_id)
    ON CONFLICT (phone) DO UPDATE SET
        name = coalesce(excluded.name, name),
        first_seen_at = min(first_seen_at, excluded.first_seen_at),
        last_inbound_at = max(last_inbound_at, excluded.last_inbound_at),
        messages = messages + 1,
        first_ad_id = coalesce(first_ad_id, excluded.first_ad_id),
        last_ad_id = coalesce(excluded.last_ad_id, last_ad_id)"""

app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)


def is_signed(body: bytes, header: str) -> bool:
    actual = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(header.removeprefix("sha256=").encode(), actual.encode())


def messages_of(webhook: dict) -> list[dict]:
    found = []
    for entry in webhook.get("entry", []):
        for change in entry.get("changes", []):
            value = change["value"]
            names = {it["wa_id"]: it.get("profile", {}).get("name") for it in value.get("contacts", [])}
            for message in value.get("messages", []):
                phone = phonenumbers.parse("+" + message["from"])
                if not phonenumbers.is_valid_number(phone):
                    continue
                referral = message.get("referral", {})
                found.append({
                    "id": message["id"],
                    "phone": phonenumbers.format_number(phone, phonenumbers.PhoneNumberFormat.E164),
                    "name": names.get(message["from"]),
                    "kind": message["type"],
                    "sent_at": int(message["timestamp"]),
                    "ad_id": referral.get("source_id"),
                    "click_id": referral.get("ctwa_clid"),
                })
    return found


def keep(body: bytes, signature: str, messages: list[dict]) -> None:
    store.execute("BEGIN IMMEDIATE")
    try:
        request = store.execute(INSERT_REQUEST, (int(time.time() * 1000), signature, body)).lastrowid
        for it in messages:
            row = (it["id"], request, it["phone"], it["kind"], it["sent_at"], it["ad_id"], it["click_id"])
            if store.execute(INSERT_EVENT, row).rowcount == 1:
                store.execute(UPSERT_LEAD, it)
        store.execute("COMMIT")
    except BaseException:
        store.execute("ROLLBACK")
        raise


# On the event loop: there is one writer in any case, and threads would wait for it one behind the other.
@app.post("/hooks/main")
async def hook(request: Request) -> Response:
    body = await request.body()
    signature = request.headers.get("x-hub-signature-256", "")
    if not is_signed(body, signature):
        return Response(status_code=401)
    try:
        messages = messages_of(json.loads(body))
    except (ValueError, KeyError, TypeError, phonenumbers.NumberParseException):
        return Response(status_code=400)
    keep(body, signature, messages)
    return Response(status_code=200)
