//! `GET /v1/leads?q=`: whoever is meant is found, by whatever is known of them.

use crate::support::desk::{Desk, Told, grant, open, tell};
use serde_json::Value;
use wabridge::store::Leads;
use wabridge::store::sqlite::rebuild;
use wabridge::web::api::token::Scope;

const A: &str = "919876543210";
const B: &str = "919876543211";

/// The names of those who are found, in their order.
async fn found(desk: &Desk, q: &str) -> Vec<String> {
    let query: String = url::form_urlencoded::byte_serialize(q.as_bytes()).collect();
    let page = desk.json(&format!("/v1/leads?q={query}")).await;
    names(&page)
}

fn names(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap();
    items.iter().map(|lead| lead["name"].as_str().unwrap_or("?").to_owned()).collect()
}

#[actix_web::test]
async fn a_lead_is_found_by_everything_that_names_it_and_by_the_beginnings_of_its_name() {
    let desk = Desk::open().await;
    desk.tell([
        Told::text("m1", -50).by(A).named("Priya Sharma-Rao").with_username("priya.rao"),
        Told::text("m2", -40).by(B).named("Rahul Sharma").with_email("rahul@example.in"),
        Told::text("m3", -30).with_bsuid("IN.abc").named("स्नेहा पाटील"),
        Told::status("out1", -20, &[]).by("919876543212").named("Sharma Nobody"),
        Told::text("m4", -10).by("915550000001").named("Ünal 5550"),
    ])
    .await;
    let (priya, rahul, sneha, unal) = ("Priya Sharma-Rao", "Rahul Sharma", "स्नेहा पाटील", "Ünal 5550");
    for (q, expected) in [
        ("9876543210", vec![priya]),
        ("+91 98765 43210", vec![priya]),
        ("098765-43211", vec![rahul]),
        ("priya.rao", vec![priya]),
        ("@priya.rao", vec![priya]),
        ("Rahul@Example.in", vec![rahul]),
        ("IN.abc", vec![sneha]),
        ("sharma", vec![rahul, priya]),
        ("SHAR", vec![rahul, priya]),
        ("rao pri", vec![priya]),
        ("sharma r", vec![rahul, priya]),
        ("sharma ra", vec![rahul, priya]),
        ("sharma rah", vec![rahul]),
        ("पाट", vec![sneha]),
        ("üna", vec![unal]),
        ("5550", vec![unal]),
        ("harma", vec![]),
        ("nobody", vec![]),
        ("+919876543299", vec![]),
        ("100%", vec![]),
    ] {
        assert_eq!(found(&desk, q).await, expected, "{q}");
    }
    let page = desk.json("/v1/leads?q=IN.abc").await;
    let id = page["items"][0]["id"].as_str().unwrap();
    assert_eq!(page["items"][0], desk.json(&format!("/v1/leads/{id}")).await, "a lead as everywhere");
    assert_eq!(found(&desk, id).await, [sneha]);
    for q in ["", "?", "..."] {
        assert_eq!(desk.get(&format!("/v1/leads?q={q}")).await.problem(400)["parameter"], "q", "{q}");
    }
    desk.get("/v1/leads").await.problem(400);
    assert_eq!(desk.get("/v1/leads?q=sharma&cursor=x").await.problem(400)["parameter"], "cursor");
    let audit = grant(&desk.store, "audit", &[Scope::AttributionRead]);
    desk.get_as(Some(&audit), "/v1/leads?q=sharma").await.problem(403);
}

#[actix_web::test]
async fn a_number_of_several_is_a_list_and_a_long_list_comes_in_pages_without_gaps() {
    let desk = Desk::open().await;
    let told = (0..25_i64).map(|n| {
        Told::text(&format!("m{n}"), n - 100).by(&format!("9198765000{n:02}")).named(&format!("Asha {n:02}"))
    });
    desk.tell(told).await;
    desk.tell([Told::text("x", 0).by(A).with_username("asha").named("Zoya")]).await;
    let (mut all, mut path) = (Vec::new(), "/v1/leads?q=asha&limit=7".to_owned());
    loop {
        let page = desk.json(&path).await;
        let these = names(&page);
        assert!(these.len() <= 7 && !these.is_empty());
        all.extend(these);
        match page["next"].as_str() {
            Some(next) => path = format!("/v1/leads?q=asha&limit=7&cursor={next}"),
            None => break,
        }
    }
    let newest_first = (0..25).rev().map(|n| format!("Asha {n:02}"));
    let expected: Vec<String> = ["Zoya".to_owned()].into_iter().chain(newest_first).collect();
    assert_eq!(all, expected, "the username first, then the names, each once");
    // Two people had and gave up a number within one second: nothing says who had it last.
    let told = [
        Told::text("a", -50).by(B).named("One"),
        Told::gives_up("b", -50, B).by("919876543298"),
        Told::text("c", -50).by(B).named("Another"),
        Told::gives_up("d", -50, B).by("919876543299"),
    ];
    desk.tell(told).await;
    let mut both = found(&desk, "98765 43211").await;
    both.sort();
    assert_eq!(both, ["Another", "One"]);
}

#[actix_web::test]
async fn a_name_is_looked_up_as_it_is_now_and_a_rebuild_or_an_older_store_finds_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wabridge.db");
    let called = |store: &dyn Leads, word: &str| {
        store.clusters_called(&[word.to_owned()], i64::MAX, 10).unwrap().len()
    };
    let words = |path: &std::path::Path| -> Vec<String> {
        let connection = rusqlite::Connection::open(path).unwrap();
        let mut statement = connection.prepare("SELECT value FROM search ORDER BY cluster, value").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let store = open(&path);
    tell(
        &store,
        [
            Told::text("m1", -50).by(A).named("Old Name"),
            Told::text("m2", -40).by(A).named("New Name"),
            Told::text("m3", -30).with_bsuid("IN.abc").named("Other Name"),
            Told::text("m4", -20).by(A).with_bsuid("IN.abc").named("Joined Name"),
            Told::text("m5", -10).by(B).named("Stranger"),
        ],
    )
    .await;
    for (word, clusters) in
        [("joined", 1), ("name", 1), ("stranger", 1), ("old", 0), ("new", 0), ("other", 0)]
    {
        assert_eq!(called(&store, word), clusters, "{word}");
    }
    drop(store);
    let kept = words(&path);
    assert_eq!(kept, ["joined", "name", "stranger"]);
    rebuild::rebuild(&path).unwrap();
    assert_eq!(words(&path), kept);
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute_batch("DELETE FROM search; UPDATE meta SET value = 0 WHERE name = 'search_filled'")
        .unwrap();
    drop(connection);
    drop(open(&path));
    assert_eq!(words(&path), kept, "the first start of this version writes them down");
}
