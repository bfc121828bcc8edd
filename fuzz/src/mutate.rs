//! Changes of inputs.

mod objects;
mod protobuf;

use crate::chance::Chance;

pub(crate) use self::protobuf::{Field, Value, fields, write};

/// What the inputs of a target are. Changes keep that, but for one time in eight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Text by lines, or anything.
    Bytes,
    /// A message of protobuf: changed field by field, so that lengths stay right.
    Protobuf,
    /// Documents of YAML or JSON: changed node by node.
    Objects,
}

/// What readers look for.
const WORDS: [&str; 44] = [
    "*",
    "*.",
    "*.a.test",
    "a.test",
    "A.TEST.",
    "[::1]",
    ":80",
    "..",
    "/",
    "//",
    "/a",
    "/a/b",
    "%2F",
    "?q=1",
    "/.*",
    "(",
    "(a|b)*",
    "[a-z]{1,9}",
    "(?i)",
    "true",
    "false",
    "\"true\"",
    "null",
    "0",
    "1",
    "-1",
    "1e999",
    "4294967296",
    "18446744073709551616",
    "0.1",
    "1s",
    "-1s",
    "1h30m",
    "999999999h",
    "ns",
    "503",
    "99",
    "external",
    "apps/v1/Deployment/web",
    "wakegate.dev/hold-timeout",
    "\u{0}",
    "\u{fffd}",
    "\u{1f980}",
    "\r\n",
];

pub(crate) fn mutate(form: Form, input: &[u8], other: &[u8], chance: &mut Chance) -> Vec<u8> {
    let changed = match form {
        _ if chance.is_rare(8) => None,
        Form::Bytes => None,
        Form::Protobuf => protobuf::mutate(input, other, chance),
        Form::Objects => objects::mutate(input, other, chance),
    };
    changed.unwrap_or_else(|| bytes(input, other, chance))
}

/// Changes bytes, whatever they mean.
fn bytes(input: &[u8], other: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut output = input.to_vec();
    let at = chance.below(output.len() + 1);
    let until = (at + 1 + chance.below(32)).min(output.len());
    match chance.below(8) {
        0 => {
            if let Some(byte) = output.get_mut(at) {
                *byte = chance.byte();
            }
        }
        1 => {
            if let Some(byte) = output.get_mut(at) {
                *byte ^= 1 << chance.below(8);
            }
        }
        2 if at < until => drop(output.drain(at..until)),
        3 => {
            let again = output.get(at..until).unwrap_or_default().to_vec();
            let n_times = 1 + chance.below(4);
            output.splice(at..at, again.repeat(n_times));
        }
        4 => {
            let from = chance.below(other.len());
            let part = other.get(from..).unwrap_or_default();
            let part = part.get(..chance.below(part.len())).unwrap_or_default();
            output.splice(at..at, part.iter().copied());
        }
        5 => drop(output.splice(at..until.max(at), word(chance).into_bytes())),
        6 => drop(output.splice(at..at, chance.number().to_string().into_bytes())),
        _ => drop(output.splice(at..at, word(chance).into_bytes())),
    }
    output
}

/// Something that readers look for, now and then too long for them.
fn word(chance: &mut Chance) -> String {
    let word = chance.one(&WORDS).copied().unwrap_or_default();
    if chance.is_rare(24) {
        return word.repeat(1 + chance.below(2_000));
    }
    word.to_owned()
}
