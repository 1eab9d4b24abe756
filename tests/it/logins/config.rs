//! `auth` of a target, as it is written.

use wabridge::config::target::Auth;
use wabridge::config::{Config, ConfigErrors};

fn parse(crm: &str, auth: &str, more: &str, server: &str) -> Result<Config, ConfigErrors> {
    let toml = format!(
        "[server]\n{server}\n[store]\nurl = \"sqlite:/nowhere/w.db\"\n[[channel]]\nname = \"main\"\nprovider = \"meta\"\n\
         app_secrets = [\"env:A\"]\nbusiness_numbers = {{ \"1\" = \"+918047000000\" }}\n\
         [[target]]\nname = \"crm\"\ncrm = \"{crm}\"\nauth = {auth}\n{more}\n"
    );
    Config::parse(&toml, "wabridge.toml")
}

const CLIENT: &str = "{ client_id = \"1000.ABC\", client_secret = \"env:S\" }";
const PUBLIC: &str = "public_url = \"https://hooks.example.in\"";

#[test]
fn a_login_is_at_the_accounts_host_of_its_data_centre_and_comes_back_to_the_public_address() {
    let login = |crm, auth, more, server| {
        let config = parse(crm, auth, more, server).unwrap();
        let Auth::Login(login) = config.targets[0].auth.clone() else { panic!("no login") };
        (login.accounts_url, login.redirect)
    };
    assert_eq!(login("zoho", CLIENT, "", ""), ("https://accounts.zoho.in".to_owned(), None));
    let europe = "base_url = \"https://www.zohoapis.eu\"";
    let back = Some("https://hooks.example.in/oauth/crm/callback".to_owned());
    assert_eq!(login("zoho", CLIENT, europe, PUBLIC), ("https://accounts.zoho.eu".to_owned(), back.clone()));
    assert_eq!(login("hubspot", CLIENT, "", PUBLIC), ("https://api.hubapi.com".to_owned(), back));
    let own = "{ client_id = \"x\", client_secret = \"env:S\", accounts_url = \"http://127.0.0.1:9/\" }";
    let here = "base_url = \"http://127.0.0.1:9\"";
    assert_eq!(login("zoho", own, here, ""), ("http://127.0.0.1:9".to_owned(), None));
}

#[test]
fn what_is_wrong_with_a_login_is_said_with_the_way_out() {
    let table = [
        (
            "zoho",
            "{ client_id = \"x\" }",
            "",
            "",
            "auth of [[target]] 'crm' has no 'client_secret'; add client_secret = \"file:/path\"",
        ),
        ("zoho", "{ client_secret = \"env:S\" }", "", "", "has no 'client_id'"),
        ("zoho", "{ client_id = \"x\", client_secret = \"hush\" }", "", "", "is not a reference"),
        (
            "zoho",
            "{ token = \"env:T\", client_id = \"x\" }",
            "",
            "",
            "has a token and a client; write { token",
        ),
        (
            "zoho",
            "{ client_id = \"x\", client_secret = \"env:S\", scopes = \"y\" }",
            "",
            "",
            "unknown key 'scopes'",
        ),
        (
            "zoho",
            "{ client_id = \"x\", client_secret = \"env:S\", account_url = \"y\" }",
            "",
            "",
            "did you mean 'accounts_url'?",
        ),
        ("zoho", CLIENT, "base_url = \"http://127.0.0.1:9\"", "", "add 'accounts_url'"),
        (
            "zoho",
            "{ client_id = \"x\", client_secret = \"env:S\", accounts_url = \"http://accounts.zoho.in\" }",
            "",
            "",
            "must begin with https:// (http:// only for this machine)",
        ),
        ("hubspot", CLIENT, "", "", "add 'public_url' to [server]"),
    ];
    for (crm, auth, more, server, expected) in table {
        let error = parse(crm, auth, more, server).unwrap_err().to_string();
        assert!(error.contains(expected), "{auth} {more}: {error}");
        assert!(!error.contains("hush"), "{error}");
    }
}
