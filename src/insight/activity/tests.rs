//! What a rep reads of a conversation.

use super::*;
use crate::insight::stage::*;
use uuid::Uuid;
use wabridge_model::chatbot::{Intent, Transcript};
use wabridge_model::event::{Message, Person};
use wabridge_model::id::LeadId;

fn conversation(place: &str, from: &str, last: &str) -> Conversation {
    Conversation {
        id: "c".to_owned(),
        lead: LeadId(Uuid::nil()),
        place: place.to_owned(),
        started_at: at(from),
        last_at: at(last),
        from: at(from),
        until: at(last),
    }
}

fn said(evidence: &[Evidence], from: &str, last: &str) -> (String, String) {
    shaped(evidence, from, last, Activity::Summary)
}

fn shaped(evidence: &[Evidence], from: &str, last: &str, shape: Activity) -> (String, String) {
    let page = Some("https://hooks.example.in/w/1");
    activity(&conversation(OURS, from, last), evidence, shape, page, &Region::default())
}

#[test]
fn the_first_question_and_the_last_message_are_quoted_with_the_counts() {
    let evidence = [
        they("08:00:00", "Hello 👋"),
        they("08:01:00", "What does the\nsilk saree cost?"),
        we("08:02:00", "4,500 rupees"),
        status("08:02:30", "o08:02:00", StatusState::Delivered, &[]),
        status("08:03:00", "o-api", StatusState::Sent, &[]),
        status("08:04:00", "o-failed", StatusState::Failed, &[]),
        they("08:05:00", "Thanks 🙏"),
    ];
    let (title, body) = said(&evidence, "08:00:00", "08:05:00");
    assert_eq!(title, "\"What does the silk saree cost?\" … \"Thanks 🙏\" (3 received, 2 sent)");
    assert_eq!(
        body,
        "3 received, 2 sent with +918047000000, 13:30 on 22 Nov 2026 to 13:35 on 22 Nov 2026 (Asia/Kolkata)"
    );
}

#[test]
fn a_conversation_in_hindi_is_read_like_any_other() {
    let evidence =
        [they("08:00:00", "नमस्ते"), they("08:01:00", "साड़ी की कीमत क्या है?"), they("08:02:00", "धन्यवाद 🙏🏽")];
    let (title, _) = said(&evidence, "08:00:00", "08:02:00");
    assert_eq!(title, "\"साड़ी की कीमत क्या है?\" … \"धन्यवाद 🙏🏽\" (3 received, 0 sent)");
}

#[test]
fn one_message_is_quoted_once_and_no_text_is_still_a_title() {
    let (title, _) = said(&[they("08:00:00", "Hello")], "08:00:00", "08:00:00");
    assert_eq!(title, "\"Hello\" (1 received, 0 sent)");
    let image = Fact::Message(Message::new("i", MessageKind::Image));
    let image = [evidence(at("08:00:00"), Some(OURS), asha(), image)];
    assert_eq!(said(&image, "08:00:00", "08:00:00").0, "WhatsApp conversation (1 received, 0 sent)");
    let call = Call {
        id: "c".to_owned(),
        step: "connect".to_owned(),
        direction: CallDirection::ByCustomer,
        answered: true,
    };
    let call = [evidence(at("08:00:00"), Some(OURS), asha(), Fact::Call(call))];
    assert_eq!(said(&call, "08:00:00", "08:00:00").0, "WhatsApp call");
    let (title, body) = said(&[], "08:00:00", "08:00:00");
    assert_eq!(title, "WhatsApp conversation");
    assert!(!body.trim().is_empty(), "{body}");
}

#[test]
fn what_is_long_is_cut_in_the_title_and_longer_in_the_body() {
    let question = format!("{}?", "how much ".repeat(100).trim_end());
    let evidence = [they("08:00:00", &question), they("08:01:00", "ok")];
    let (title, body) = shaped(&evidence, "08:00:00", "08:01:00", Activity::Transcript);
    assert!(title.chars().count() < 140 && title.contains("…\" … \"ok\""), "{title}");
    let first = body.lines().next().unwrap();
    assert!(first.starts_with("First question: how much how much") && first.ends_with('…'), "{first}");
    assert!(body.lines().all(|line| line.chars().count() <= LINE + 32), "{body}");
}

#[test]
fn a_chatbots_own_summary_is_preferred_with_its_intents_and_sentiment() {
    let talked = ChatbotEvent {
        intent: Intent {
            primary: Some("pricing".to_owned()),
            labels: vec!["demo".to_owned(), "pricing".to_owned()],
            ..Intent::default()
        },
        transcript: Transcript {
            summary: Some("Asked for prices,\nwants a demo on Friday.".to_owned()),
            messages: Some(1),
            sentiment: Some(Sentiment::Word(SentimentWord::Positive)),
            transcript_url: Some("https://bot.example.in/t/1".to_owned()),
            ..Transcript::default()
        },
        ..bot("c1", "conversation.ended")
    };
    let evidence = [they("08:00:00", "Hello?"), by_bot("08:01:00", talked)];
    let (title, body) = said(&evidence, "08:00:00", "08:00:00");
    assert_eq!(title, "Asked for prices, wants a demo on Friday.");
    let lines: Vec<&str> = body.lines().collect();
    let expected = [
        "First question: Hello?",
        "1 received, 0 sent with +918047000000, 13:30 on 22 Nov 2026 (Asia/Kolkata)",
        "Intents: pricing, demo",
        "Sentiment: positive",
        "Chatbot transcript: https://bot.example.in/t/1",
    ];
    assert_eq!(lines, expected);
    let site = conversation("chatbot:site", "08:01:00", "08:01:00");
    let (title, body) = activity(&site, &evidence, Activity::Summary, None, &Region::default());
    assert_eq!(title, "Asked for prices, wants a demo on Friday.");
    assert!(body.starts_with("1 message with chatbot site, 13:31 on 22 Nov 2026"), "{body}");
    let other = conversation("chatbot:other", "08:01:00", "08:01:00");
    assert_eq!(
        activity(&other, &evidence, Activity::Summary, None, &Region::default()).0,
        "WhatsApp conversation"
    );
}

#[test]
fn a_summary_too_long_for_the_title_is_whole_in_the_body() {
    let summary = "wants to know more. ".repeat(20).trim().to_owned();
    let transcript = Transcript { summary: Some(summary.clone()), ..Transcript::default() };
    let talked = by_bot("08:01:00", ChatbotEvent { transcript, ..bot("c1", "conversation.ended") });
    let (title, body) = said(&[they("08:00:00", "Hello"), talked], "08:00:00", "08:00:00");
    assert!(title.ends_with('…') && title.chars().count() <= TITLE, "{title}");
    assert_eq!(body.lines().next(), Some(summary.as_str()));
}

#[test]
fn a_transcript_has_a_line_for_each_message_with_its_local_time() {
    let evidence = [they("08:00:00", "Is it\nred?"), we("08:01:00", "Yes"), they("08:02:00", "<b>ok</b>")];
    let (_, body) = shaped(&evidence, "08:00:00", "08:02:00", Activity::Transcript);
    let lines: Vec<&str> = body.lines().skip(1).collect();
    let expected = ["22 Nov 13:30 They: Is it red?", "22 Nov 13:31 We: Yes", "22 Nov 13:32 They: <b>ok</b>"];
    assert_eq!(lines, expected);
    let (_, body) = shaped(&evidence, "08:00:00", "08:02:00", Activity::Link);
    assert!(body.ends_with("Conversation: https://hooks.example.in/w/1"), "{body}");
    assert!(!body.contains("They:"), "{body}");
}

#[test]
fn of_a_very_long_transcript_the_end_is_kept_and_the_rest_is_counted() {
    let time = |n: usize| format!("08:{:02}:{:02}", n / 60, n % 60);
    let evidence: Vec<Evidence> =
        (0..100).map(|n| they(&time(n), &format!("{n} {}", "word ".repeat(90)))).collect();
    let (_, body) = shaped(&evidence, "08:00:00", &time(99), Activity::Transcript);
    assert!(body.chars().count() < TRANSCRIPT + 2_000, "{}", body.chars().count());
    let left_out = body.lines().find(|line| line.ends_with("earlier lines left out)")).unwrap();
    let shown = body.lines().filter(|line| line.contains(" They: ")).count();
    assert_eq!(left_out, format!("({} earlier lines left out)", 100 - shown));
    assert!(body.lines().last().unwrap().contains("They: 99 word"), "{body}");
}

#[test]
fn only_what_belongs_to_the_conversation_is_in_it() {
    let mut group = message("in a group");
    group.group = true;
    let mut import = message("long ago");
    import.history = true;
    let elsewhere = evidence(at("08:01:00"), Some(OTHER), asha(), Fact::Message(message("elsewhere")));
    let reaction = Message { text: Some("👍".to_owned()), ..Message::new("r", MessageKind::Reaction) };
    let of = |time: &str, message| evidence(at(time), Some(OURS), Person::default(), Fact::Message(message));
    let evidence = [
        they("07:00:00", "before"),
        they("08:00:00", "Hello"),
        elsewhere,
        of("08:02:00", group),
        of("08:03:00", import),
        of("08:04:00", reaction),
        we("08:05:00", "Hi"),
        they("09:00:00", "the next one"),
        we("09:01:00", "of the next one"),
    ];
    let (title, body) = shaped(&evidence, "08:00:00", "08:00:00", Activity::Transcript);
    assert_eq!(title, "\"Hello\" (1 received, 1 sent)");
    let lines: Vec<&str> = body.lines().skip(1).collect();
    assert_eq!(
        lines,
        ["22 Nov 13:30 They: Hello", "22 Nov 13:34 They: (reaction) 👍", "22 Nov 13:35 We: Hi"]
    );
}
