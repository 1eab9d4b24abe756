//! The built-in words: English, Hindi in Roman script, Hindi in Devanagari.
//!
//! In: nothing, these are data. Spelling is folded before anything is compared (`fold.rs`), so that one spelling of a
//! word stands for its variants.

/// Words by label; a label is one of the configuration's.
pub(super) const LABELS: &[(&str, &[&str])] = &[
    ("pricing", PRICING),
    ("demo_request", DEMO),
    ("competitor_evaluation", COMPETITOR),
    ("support", SUPPORT),
    ("escalation", ESCALATION),
    ("callback", CALLBACK),
    ("availability", AVAILABILITY),
];

#[rustfmt::skip]
const PRICING: &[&str] = &[
    "price", "prices", "pricing", "pricelist", "cost", "costs", "costing", "rate", "rates", "ratecard", "quote",
    "quotes", "quotation", "quotations", "charges", "do you charge", "will you charge", "fee", "fees", "how much",
    "discount", "discounts", "mrp", "emi",
    "kitna hai", "kitne ka", "kitne ki", "kitne ke", "kitne me", "kitne hai", "kitne paise", "kitna paisa",
    "kitna padega", "kitna lagega", "kitne lagenge", "kitne rupaye", "kitna charge", "charge kitna", "charge kya",
    "kharcha", "kharch", "daam", "kimat", "bhav",
    "कीमत", "दाम", "रेट", "भाव", "प्राइस", "कितने का", "कितने की", "कितने के", "कितने में", "कितने है", "कितना है",
    "कितने पैसे", "कितना पैसा", "कितना लगेगा", "कितने लगेंगे", "कितना पड़ेगा", "कितने रुपये", "कितना चार्ज",
    "चार्ज कितना", "चार्ज क्या", "खर्चा", "खर्च", "शुल्क", "फीस", "कोटेशन", "छूट", "डिस्काउंट",
];

#[rustfmt::skip]
const DEMO: &[&str] = &[
    "demo", "demos", "demonstration", "free trial", "trial version", "trial pack", "start trial", "trial chahiye",
    "trial milega", "trial mil", "site visit", "test drive", "walkthrough", "walk through", "show me how it works",
    "डेमो", "ट्रायल", "टेस्ट ड्राइव", "साइट विजिट",
];

#[rustfmt::skip]
const COMPETITOR: &[&str] = &[
    "compare", "comparing", "compared to", "comparison", "versus", "vs", "better than", "cheaper than",
    "difference between", "alternative to", "switch from", "switching from", "move from", "moving from",
    "other vendors", "other vendor", "competitor", "competitors", "se accha", "se sasta", "se behtar", "se better",
    "tulna", "dusri company", "तुलना", "से बेहतर", "से सस्ता", "से अच्छा", "दूसरी कंपनी",
];

#[rustfmt::skip]
const SUPPORT: &[&str] = &[
    "not working", "isnt working", "doesnt work", "does not work", "stopped working", "problem", "problems", "issue",
    "issues", "error", "complaint", "complain", "refund", "replacement", "broken", "damaged", "defective",
    "cannot login", "cant login", "unable to login", "unable to log in", "payment failed", "warranty",
    "not received my", "where is my order", "kaam nahi kar", "nahi chal raha", "nahi chal rahi", "chal nahi raha",
    "chal nahi rahi", "kharab", "dikkat", "pareshani", "samasya", "shikayat", "order nahi mila", "order nahi aaya",
    "parcel nahi", "login nahi ho", "wapas karna", "काम नहीं कर", "नहीं चल रहा", "नहीं चल रही", "चल नहीं रहा",
    "चल नहीं रही", "खराब", "दिक्कत", "परेशानी", "समस्या", "शिकायत", "रिफंड", "वापस करना", "ऑर्डर नहीं मिला",
    "ऑर्डर नहीं आया", "पार्सल नहीं", "टूटा", "एरर",
];

#[rustfmt::skip]
const ESCALATION: &[&str] = &[
    "your manager", "to the manager", "to a manager", "to manager", "manager se baat", "manager ka number",
    "supervisor", "human agent", "live agent", "real person", "to a human", "to human", "to a person", "to someone",
    "customer care", "escalate", "legal notice", "legal action", "consumer court", "consumer forum", "fraud",
    "cheated", "worst service", "your senior", "any senior", "senior se", "insaan se baat", "kisi se baat", "dhokha",
    "मैनेजर से बात", "कस्टमर केयर", "किसी से बात", "इंसान से बात", "सीनियर से", "धोखा", "फ्रॉड", "कानूनी", "उपभोक्ता फोरम",
];

#[rustfmt::skip]
const CALLBACK: &[&str] = &[
    "call me", "call us", "call back", "callback", "ring me", "give me a call", "call karo", "call kar", "call karna",
    "call kijiye", "call karen", "phone karo", "phone kar", "phone karen", "phone kijiye", "कॉल करो", "कॉल कर",
    "कॉल करें", "कॉल कीजिए", "कॉल करना", "फोन करो", "फोन कर", "फोन करें", "फोन कीजिए",
];

#[rustfmt::skip]
const AVAILABILITY: &[&str] = &[
    "available", "availability", "in stock", "stock hai", "stock me", "uplabdh", "उपलब्ध", "स्टॉक", "अवेलेबल",
];

/// What has such a word in it and is not about it.
#[rustfmt::skip]
pub(super) const IDLE: &[&str] = &[
    "rate us", "rate your", "rate this", "at any rate", "free of cost", "at all costs", "cost of living",
    "no problem", "no problems", "no issue", "no issues", "not a problem", "not an issue", "koi problem nahi",
    "koi dikkat nahi", "koi issue nahi", "कोई दिक्कत नहीं", "कोई परेशानी नहीं", "कोई समस्या नहीं",
    "thanks for the demo", "thank you for the demo", "saw the demo", "saw your demo", "demo was", "demo dekha",
    "demo dekh liya", "demo ho gaya", "डेमो देखा", "डेमो देख लिया", "डेमो हो गया", "sab se accha", "sab se sasta",
    "सब से अच्छा", "सब से सस्ता", "stock market",
];

/// What refuses all that its clause names after it.
#[rustfmt::skip]
pub(super) const REFUSES_NEXT: &[&str] = &[
    "not interested", "no longer interested", "dont want", "do not want", "dont need", "do not need", "dont require",
    "do not require", "no need", "not looking for", "not asking", "didnt ask", "did not ask", "never asked",
    "dont send", "do not send", "stop sending", "dont call", "do not call", "without", "cancel",
];

/// What refuses all that its clause named before it; Hindi puts it last.
#[rustfmt::skip]
pub(super) const REFUSES_LAST: &[&str] = &[
    "not required", "not needed", "not necessary", "nahi chahiye", "nahi lena", "nahi leni", "nahi karna",
    "nahi karwana", "nahi dekhna", "nahi pucha", "zarurat nahi", "interest nahi", "interested nahi", "mat bhejo",
    "mat bhejna", "mat bhejiye", "mat karo", "mat karna", "mat do", "cancel karo", "cancel kar do",
    "नहीं चाहिए", "नहीं लेना", "नहीं करना", "नहीं देखना", "नहीं पूछा", "जरूरत नहीं", "मत भेजो", "मत भेजिए", "मत करो",
    "मत कीजिए",
];

/// Words that begin another clause.
pub(super) const TURNS: &[&str] =
    &["but", "just", "instead", "lekin", "magar", "bas", "sirf", "लेकिन", "मगर", "बस", "सिर्फ"];

/// One spelling, and others that stand for it. Doubled letters are one already.
pub(super) const SPELLINGS: &[(&str, &[&str])] = &[
    ("nahi", &["nahin", "nhi", "nai", "nahe", "nehi", "nhin"]),
    ("chahiye", &["chaiye", "chahie", "chaheye", "chahye", "chaie", "chahea", "chaiya", "chahiy"]),
    ("kitne", &["kitney", "kitny", "ktne"]),
    ("kitna", &["kitana", "ktna"]),
    ("kimat", &["kemat", "qimat", "qemat", "kimmat"]),
    ("kya", &["kia", "kyaa"]),
    ("hai", &["h", "he", "hei", "hain"]),
    ("me", &["mein", "main", "mai", "mei"]),
    ("karo", &["kro"]),
    ("karna", &["krna"]),
    ("kar", &["kr"]),
    ("karen", &["karein", "kare", "kren"]),
    ("kijiye", &["kijie", "kijiyega", "kijiega"]),
    ("raha", &["rha"]),
    ("rahi", &["rhi"]),
    ("mila", &["mla"]),
    ("rupaye", &["rupe", "rupees", "rupay", "rupya", "rs"]),
    ("acha", &["achha", "accha", "acchha"]),
    ("zarurat", &["jarurat", "zarorat", "jarorat"]),
    ("price", &["prise", "prce", "prize", "pric"]),
    ("quotation", &["qoutation", "quotaton", "kotation"]),
    ("discount", &["discont", "diskount"]),
    ("available", &["availabel", "avlble", "avilable", "avl"]),
    ("dont", &["donot"]),
];
