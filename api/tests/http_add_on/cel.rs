//! As much of CEL as the rules of these objects have: `has`, `self.field`, strings, `==`, `!=`, `!`, `&&`, `||`.

use std::collections::BTreeMap;

/// The fields that are there, with their values.
pub(crate) type Fields = BTreeMap<String, String>;

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Bool(bool),
    Text(String),
    /// A field that is not there was looked at.
    Error,
}

struct Parser<'a> {
    rest: &'a str,
    fields: &'a Fields,
}

/// Whether an object with these fields passes; an error does not pass.
///
/// # Panics
/// The rule has more than this knows.
pub(crate) fn passes(rule: &str, fields: &Fields) -> bool {
    let mut parser = Parser { rest: rule, fields };
    let value = parser.any();
    assert_eq!(parser.rest.trim(), "", "{rule}");
    value == Value::Bool(true)
}

impl<'a> Parser<'a> {
    fn takes(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_start();
        let rest = rest.strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn name(&mut self) -> &'a str {
        let is_part = |it: char| it.is_ascii_alphanumeric();
        let end = self.rest.find(|it| !is_part(it));
        let (name, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        name
    }

    /// Terms between `||`: one that is true makes up for another's error.
    fn any(&mut self) -> Value {
        let mut value = self.all();
        while self.takes("||") {
            value = joined(&value, &self.all(), true);
        }
        value
    }

    /// Terms between `&&`: one that is false makes up for another's error.
    fn all(&mut self) -> Value {
        let mut value = self.comparison();
        while self.takes("&&") {
            value = joined(&value, &self.comparison(), false);
        }
        value
    }

    fn comparison(&mut self) -> Value {
        let left = self.term();
        let is_equal = if self.takes("==") {
            true
        } else if self.takes("!=") {
            false
        } else {
            return left;
        };
        let right = self.term();
        if left == Value::Error || right == Value::Error {
            return Value::Error;
        }
        Value::Bool((left == right) == is_equal)
    }

    fn term(&mut self) -> Value {
        if self.takes("!") {
            let Value::Bool(value) = self.term() else {
                panic!("! of what is no bool: {}", self.rest)
            };
            return Value::Bool(!value);
        }
        if self.takes("(") {
            let value = self.any();
            assert!(self.takes(")"), "{}", self.rest);
            return value;
        }
        if self.takes("has(self.") {
            let is_there = self.fields.contains_key(self.name());
            assert!(self.takes(")"), "{}", self.rest);
            return Value::Bool(is_there);
        }
        if self.takes("self.") {
            let value = self.fields.get(self.name());
            return value.map_or(Value::Error, |text| Value::Text(text.clone()));
        }
        assert!(self.takes("'"), "not known: {}", self.rest);
        let text = self.name().to_owned();
        assert!(self.takes("'"), "{}", self.rest);
        Value::Text(text)
    }
}

/// `decisive` is the value that settles the whole.
fn joined(left: &Value, right: &Value, decisive: bool) -> Value {
    let decided = Value::Bool(decisive);
    if *left == decided || *right == decided {
        return decided;
    }
    if *left == Value::Error || *right == Value::Error {
        return Value::Error;
    }
    Value::Bool(!decisive)
}

#[test]
fn rules_mean_what_they_mean_in_cel() {
    let fields = Fields::from([("a".to_owned(), "x".to_owned())]);
    for (rule, expected) in [
        ("has(self.a)", true),
        ("has(self.b)", false),
        ("!has(self.b) && self.a == 'x'", true),
        ("self.a != 'x' || self.b == 'x'", false),
        ("self.b == 'x' || has(self.a)", true),
        ("!(has(self.a) && has(self.b))", true),
        ("has(self.a) == !has(self.b)", true),
    ] {
        assert_eq!(passes(rule, &fields), expected, "{rule}");
    }
}
