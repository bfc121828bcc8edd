//! Changes of a message, by what is on the wire: no schema is needed.

use super::{bytes, word};
use crate::chance::Chance;

/// Messages in messages that are looked into.
const MAX_DEPTH: usize = 6;

#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) number: u64,
    pub(crate) value: Value,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(Vec<u8>),
    Fixed32([u8; 4]),
}

/// Changes one field, at any depth; none when there is nothing to change.
pub(super) fn mutate(input: &[u8], other: &[u8], chance: &mut Chance) -> Option<Vec<u8>> {
    let mut fields = fields(input)?;
    let others = self::fields(other).unwrap_or_default();
    change(&mut fields, &others, chance, MAX_DEPTH);
    Some(write(&fields))
}

fn change(fields: &mut Vec<Field>, others: &[Field], chance: &mut Chance, depth: usize) {
    let at = chance.below(fields.len());
    match chance.below(12) {
        0 if !fields.is_empty() => drop(fields.remove(at)),
        1 => fields.extend(fields.get(at).cloned()),
        2 => fields.extend(chance.one(others).cloned()),
        3 => {
            let to = chance.below(fields.len());
            if to < fields.len() {
                fields.swap(at, to);
            }
        }
        4 => {
            if let Some(field) = fields.get_mut(at) {
                field.number = 1 + u64::try_from(chance.below(12)).unwrap_or(0);
            }
        }
        _ => {
            if let Some(field) = fields.get_mut(at) {
                change_value(&mut field.value, others, chance, depth);
            }
        }
    }
}

fn change_value(value: &mut Value, others: &[Field], chance: &mut Chance, depth: usize) {
    match value {
        Value::Varint(number) => *number = chance.number(),
        Value::Fixed64(bits) => *bits = chance.number().to_le_bytes(),
        Value::Fixed32(bits) => *bits = [chance.byte(); 4],
        Value::Bytes(content) => match fields(content) {
            Some(mut inner) if depth > 0 && !inner.is_empty() && !chance.is_rare(8) => {
                let others = others.iter().filter_map(|other| match &other.value {
                    Value::Bytes(content) => fields(content),
                    Value::Varint(_) | Value::Fixed64(_) | Value::Fixed32(_) => None,
                });
                let others: Vec<_> = others.flatten().collect();
                change(&mut inner, &others, chance, depth - 1);
                *content = write(&inner);
            }
            _ if chance.is_rare(2) => *content = word(chance).into_bytes(),
            _ => *content = bytes(content, b"", chance),
        },
    }
}

/// The fields of a message; none of what is no message.
pub(crate) fn fields(mut bytes: &[u8]) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let value = match tag & 7 {
            0 => Value::Varint(varint(&mut bytes)?),
            1 => Value::Fixed64(take(&mut bytes, 8)?.try_into().ok()?),
            2 => {
                let n_bytes = usize::try_from(varint(&mut bytes)?).ok()?;
                Value::Bytes(take(&mut bytes, n_bytes)?.to_vec())
            }
            5 => Value::Fixed32(take(&mut bytes, 4)?.try_into().ok()?),
            _ => return None,
        };
        let number = tag >> 3;
        if number == 0 {
            return None;
        }
        fields.push(Field { number, value });
    }
    Some(fields)
}

fn take<'b>(bytes: &mut &'b [u8], n_bytes: usize) -> Option<&'b [u8]> {
    let (taken, rest) = bytes.split_at_checked(n_bytes)?;
    *bytes = rest;
    Some(taken)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// A message of these fields.
pub(crate) fn write(fields: &[Field]) -> Vec<u8> {
    let mut output = Vec::new();
    for Field { number, value } in fields {
        let tag = number << 3;
        match value {
            Value::Varint(value) => {
                put(&mut output, tag);
                put(&mut output, *value);
            }
            Value::Fixed64(bits) => {
                put(&mut output, tag | 1);
                output.extend(bits);
            }
            Value::Bytes(content) => {
                put(&mut output, tag | 2);
                put(
                    &mut output,
                    u64::try_from(content.len()).unwrap_or(u64::MAX),
                );
                output.extend(content);
            }
            Value::Fixed32(bits) => {
                put(&mut output, tag | 5);
                output.extend(bits);
            }
        }
    }
    output
}

fn put(output: &mut Vec<u8>, mut number: u64) {
    loop {
        let byte = number.to_le_bytes()[0] & 0x7f;
        number >>= 7;
        if number == 0 {
            output.push(byte);
            return;
        }
        output.push(byte | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_written_as_it_was_read() {
        let message = [
            0x08, 0x96, 0x01, 0x12, 0x02, b'h', b'i', 0x1d, 1, 2, 3, 4, 0x21, 1, 2, 3, 4, 5, 6, 7,
            8,
        ];
        assert_eq!(write(&fields(&message).unwrap()), message);
        assert!(
            fields(b"\x12\x7fhi").is_none(),
            "a length that is too large"
        );
    }
}
