// The receiver that a Node.js team would write: Express, the raw body, better-sqlite3.
//
// In: Meta's webhooks. Out: 200 once the message, its body and its lead are committed and flushed. Everything
// is done before the answer, on one thread: a job queue would be a second thing to lose messages in.

import { createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import Database from "better-sqlite3";
import express from "express";
import { parsePhoneNumberFromString } from "libphonenumber-js";

const { BENCH_SECRET: secret, BENCH_STORE: file, BENCH_PORT: port } = process.env;

const store = new Database(file);
store.exec(readFileSync(new URL("./schema.sql", import.meta.url), "utf8"));

const insertRequest = store.prepare("INSERT INTO requests (received_at, signature, body) VALUES (?, ?, ?)");
const insertEvent = store.prepare(`
  INSERT INTO events (message_id, request, phone, kind, sent_at, ad_id, click_id) VALUES (?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (message_id) DO NOTHING`);
const upsertLead = store.prepare(`
  INSERT INTO leads (phone, name, first_seen_at, last_inbound_at, messages, first_ad_id, last_ad_id)
  VALUES (:phone, :name, :sentAt, :sentAt, 1, :adId, :adId)
  ON CONFLICT (phone) DO UPDATE SET
    name = coalesce(excluded.name, name),
    first_seen_at = min(first_seen_at, excluded.first_seen_at),
    last_inbound_at = max(last_inbound_at, excluded.last_inbound_at),
    messages = messages + 1,
    first_ad_id = coalesce(first_ad_id, excluded.first_ad_id),
    last_ad_id = coalesce(excluded.last_ad_id, last_ad_id)`);

const keep = store.transaction((body, signature, messages) => {
  const request = insertRequest.run(Date.now(), signature, body).lastInsertRowid;
  for (const it of messages) {
    const { changes } = insertEvent.run(it.id, request, it.phone, it.kind, it.sentAt, it.adId, it.clickId);
    if (changes === 1) upsertLead.run(it);
  }
});

function isSigned(body, header) {
  const claimed = Buffer.from(String(header ?? "").replace(/^sha256=/, ""), "hex");
  const actual = createHmac("sha256", secret).update(body).digest();
  // It throws where the lengths differ.
  return claimed.length === actual.length && timingSafeEqual(claimed, actual);
}

function* messagesOf(webhook) {
  for (const entry of webhook.entry ?? []) {
    for (const { value } of entry.changes ?? []) {
      const names = new Map((value.contacts ?? []).map((it) => [it.wa_id, it.profile?.name]));
      for (const message of value.messages ?? []) {
        const phone = parsePhoneNumberFromString(`+${message.from}`);
        if (!phone?.isValid()) continue;
        yield {
          id: message.id,
          phone: phone.number,
          name: names.get(message.from) ?? null,
          kind: message.type,
          sentAt: Number(message.timestamp),
          adId: message.referral?.source_id ?? null,
          clickId: message.referral?.ctwa_clid ?? null,
        };
      }
    }
  }
}

const app = express();
app.disable("x-powered-by");
app.disable("etag");
app.post("/hooks/main", express.raw({ type: "*/*", limit: "4mb" }), (request, response) => {
  const signature = request.get("x-hub-signature-256");
  if (!isSigned(request.body, signature)) return response.status(401).end();
  let messages;
  try {
    messages = [...messagesOf(JSON.parse(request.body))];
  } catch {
    return response.status(400).end();
  }
  // What it throws, Express answers 500: the provider sends again.
  keep(request.body, signature, messages);
  response.status(200).end();
});
app.listen(Number(port), "127.0.0.1");
