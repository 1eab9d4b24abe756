//! The words of a COQL query, and how they are taken one after the other.

use super::problem::Problem;
use serde_json::json;

/// One word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A keyword, a name, perhaps with dots, or `true` and `false`.
    Name(String),
    /// What was in single quotes.
    Text(String),
    Number(String),
    Sign(&'static str),
}

impl Token {
    /// Whether it is this keyword, in any case, or this sign.
    pub(super) fn is(&self, word: &str) -> bool {
        match self {
            Token::Name(name) => name.eq_ignore_ascii_case(word),
            Token::Sign(sign) => *sign == word,
            Token::Text(_) | Token::Number(_) => false,
        }
    }
}

/// The signs, longer ones first.
const SIGNS: [&str; 10] = ["<=", ">=", "!=", "<>", "=", "<", ">", "(", ")", ","];

/// The words of a query, each with its place in it.
#[derive(Debug)]
pub(super) struct Words {
    text: String,
    words: Vec<(usize, Token)>,
    at: usize,
}

impl Words {
    pub(super) fn read(text: &str) -> Result<Words, Problem> {
        let mut words = Vec::new();
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let place = text.len() - rest.len();
            let (token, length) = if first == '\'' {
                quoted(rest).ok_or_else(|| syntax(text, place))?
            } else if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
                (Token::Sign(sign), sign.len())
            } else {
                let belongs = |c: char| c.is_alphanumeric() || "_.$-+:".contains(c);
                let length = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
                if length == 0 {
                    return Err(syntax(text, place));
                }
                let word = rest[..length].to_owned();
                let is_number = word.parse::<f64>().is_ok();
                (if is_number { Token::Number(word) } else { Token::Name(word) }, length)
            };
            words.push((place, token));
            rest = rest[length..].trim_start();
        }
        Ok(Words { text: text.to_owned(), words, at: 0 })
    }

    pub(super) fn all(self) -> Vec<Token> {
        self.words.into_iter().map(|(_, token)| token).collect()
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.words.get(self.at)?.1.clone();
        self.at += 1;
        Some(token)
    }

    /// Whether a keyword or a sign comes next.
    fn peeks(&self, word: &str) -> bool {
        self.words.get(self.at).is_some_and(|(_, token)| token.is(word))
    }

    /// Takes a keyword or a sign, if it comes next.
    pub(super) fn takes(&mut self, word: &str) -> bool {
        let peeks = self.peeks(word);
        self.at += usize::from(peeks);
        peeks
    }

    /// Takes a keyword or a sign, which must come next.
    pub(super) fn must(&mut self, word: &str) -> Result<(), Problem> {
        if self.takes(word) { Ok(()) } else { Err(self.wrong()) }
    }

    pub(super) fn name(&mut self) -> Result<String, Problem> {
        match self.next() {
            Some(Token::Name(name)) => Ok(name),
            _ => Err(self.wrong_before()),
        }
    }

    pub(super) fn sign(&mut self) -> Result<&'static str, Problem> {
        match self.next() {
            Some(Token::Sign(sign)) => Ok(sign),
            _ => Err(self.wrong_before()),
        }
    }

    /// A value to compare with: quoted, a number, or `true` and `false`.
    pub(super) fn value(&mut self) -> Result<String, Problem> {
        match self.next() {
            Some(Token::Text(value) | Token::Number(value)) => Ok(value),
            Some(Token::Name(value)) if ["true", "false"].contains(&value.to_ascii_lowercase().as_str()) => {
                Ok(value)
            }
            _ => Err(self.wrong_before()),
        }
    }

    pub(super) fn number(&mut self) -> Result<usize, Problem> {
        match self.next() {
            Some(Token::Number(number)) => number.parse().map_err(|_| self.wrong_before()),
            _ => Err(self.wrong_before()),
        }
    }

    /// Nothing may follow.
    pub(super) fn end(&self) -> Result<(), Problem> {
        if self.at == self.words.len() { Ok(()) } else { Err(self.wrong()) }
    }

    /// What comes next should not.
    pub(super) fn wrong(&self) -> Problem {
        syntax(&self.text, self.words.get(self.at).map_or(self.text.len(), |(place, _)| *place))
    }

    fn wrong_before(&self) -> Problem {
        let at = self.at.saturating_sub(1);
        syntax(&self.text, self.words.get(at).map_or(self.text.len(), |(place, _)| *place))
    }
}

/// What is in quotes, and how long it is with them; a backslash goes before a quote or another backslash.
fn quoted(rest: &str) -> Option<(Token, usize)> {
    let mut text = String::new();
    let mut letters = rest.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\'' => return Some((Token::Text(text), at + 1)),
            '\\' => text.push(letters.next()?.1),
            other => text.push(other),
        }
    }
    None
}

fn syntax(text: &str, place: usize) -> Problem {
    let near: String = text.get(place..).unwrap_or_default().chars().take(20).collect();
    let details = json!({"near": near, "line": 1, "column": place + 1});
    Problem::new(400, "SYNTAX_ERROR", "error occurred while parsing the query").with(details)
}
