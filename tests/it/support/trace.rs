//! What a process asked of the kernel, as strace wrote it down.
//!
//! In: the output of `strace -f -y -o FILE`. Out: calls, each with the lines where it began and where it
//! ended: between two threads, only "this had ended before that began" says what came first.

use std::collections::HashMap;

/// A finished call on a file descriptor.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) name: String,
    /// The descriptor with its path, as `9</path>`.
    pub(crate) descriptor: String,
    /// The first bytes that were read or written, as far as strace shows them.
    pub(crate) data: Vec<u8>,
    pub(crate) succeeded: bool,
    pub(crate) began: usize,
    pub(crate) ended: usize,
}

impl Call {
    pub(crate) fn holds(&self, text: &str) -> bool {
        self.data.windows(text.len()).any(|window| window == text.as_bytes())
    }

    pub(crate) fn is_on(&self, suffix: &str) -> bool {
        self.descriptor.trim_end_matches('>').ends_with(suffix)
    }

    pub(crate) fn syncs(&self) -> bool {
        self.succeeded && matches!(self.name.as_str(), "fsync" | "fdatasync")
    }
}

/// Reads a trace: all calls, in the order in which they began.
pub(crate) fn calls(trace: &str) -> Vec<Call> {
    let mut unfinished: HashMap<&str, (usize, String)> = HashMap::new();
    let mut calls = Vec::new();
    for (at, line) in trace.lines().enumerate() {
        let (thread, text) = line.split_once(' ').unwrap_or((line, ""));
        let text = text.trim_start();
        if let Some(head) = text.strip_suffix("<unfinished ...>") {
            unfinished.insert(thread, (at, head.to_owned()));
        } else if let Some((_, rest)) = text.strip_prefix("<... ").and_then(|text| text.split_once('>')) {
            let Some((began, head)) = unfinished.remove(thread) else { continue };
            calls.extend(call(&format!("{head}{rest}"), began, at));
        } else {
            calls.extend(call(text, at, at));
        }
    }
    calls.sort_by_key(|call| call.began);
    calls
}

/// Reads `name(9</path>, "data", ...) = 24`. `None` for signals, exits and what is on no descriptor.
fn call(text: &str, began: usize, ended: usize) -> Option<Call> {
    let (name, arguments) = text.split_once('(')?;
    let (_, result) = text.rsplit_once(" = ")?;
    let descriptor = arguments.split([',', ')']).next()?.trim_end();
    if !descriptor.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    Some(Call {
        name: name.to_owned(),
        descriptor: descriptor.to_owned(),
        data: arguments.split_once('"').map(|(_, quoted)| unquoted(quoted)).unwrap_or_default(),
        succeeded: !result.starts_with('-'),
        began,
        ended,
    })
}

/// The bytes of a string in C's spelling, up to its closing quote.
fn unquoted(text: &str) -> Vec<u8> {
    let mut rest = text.as_bytes();
    let mut bytes = Vec::new();
    while let [first, more @ ..] = rest {
        rest = more;
        match (first, more) {
            (b'"', _) => break,
            (b'\\', [b'0'..=b'7', ..]) => {
                let digits = more.iter().take(3).take_while(|digit| (b'0'..=b'7').contains(digit)).count();
                let octal = std::str::from_utf8(&more[..digits]).unwrap();
                bytes.push(u8::from_str_radix(octal, 8).unwrap());
                rest = &more[digits..];
            }
            (b'\\', [letter, after @ ..]) => {
                let plain = match letter {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'v' => 0x0b,
                    b'f' => 0x0c,
                    other => *other,
                };
                bytes.push(plain);
                rest = after;
            }
            (byte, _) => bytes.push(*byte),
        }
    }
    bytes
}

#[test]
fn a_call_that_another_thread_interrupts_is_read_as_one() {
    let trace = "7 pwrite64(5</a-wal>, \"\\0\\1\\08\\n\\\"x\"..., 8192, 0 <unfinished ...>\n\
                 8 +++ exited with 0 +++\n\
                 9 fsync(5</a-wal>) = -1 EIO (Input/output error)\n\
                 9 fsync(5</a-wal> <unfinished ...>\n\
                 7 <... pwrite64 resumed>) = 8192\n\
                 9 <... fsync resumed>) = 0\n";
    let calls = calls(trace);
    assert_eq!(calls[0].data, b"\0\x01\x008\n\"x");
    assert_eq!((calls[0].began, calls[0].ended, calls[0].is_on("-wal")), (0, 4, true));
    assert!(!calls[1].syncs() && calls[2].syncs() && calls[2].is_on("-wal"));
}
