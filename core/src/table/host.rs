//! The host of a request, read: the name that routes are compared with, or that it is none.

/// The longest name that DNS has, in text. It bounds what a lookup does for a host that someone made up.
const MAX_NAME_BYTES: usize = 253;

/// Where a name is made lower case, when it is not; on the stack, so that no lookup allocates.
pub(super) type Buffer = Option<[u8; MAX_NAME_BYTES]>;

/// The name in `authority` in lower case, without port and trailing dot; an IPv6 address keeps its
/// brackets. None when there is no name that a route could be for.
pub(super) fn name<'a>(authority: &'a [u8], buffer: &'a mut Buffer) -> Option<&'a [u8]> {
    let name = if authority.starts_with(b"[") {
        address(authority)?
    } else {
        dns_name(authority)?
    };
    if name.len() > MAX_NAME_BYTES {
        return None;
    }
    if !name.iter().any(u8::is_ascii_uppercase) {
        return Some(name);
    }
    let lower = buffer.insert([0; MAX_NAME_BYTES]).get_mut(..name.len())?;
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    Some(lower)
}

/// What follows each dot of `name`, the longest first. An address has no labels.
pub(super) fn parents(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    let labels = if name.starts_with(b"[") { &[] } else { name };
    let dots = labels.iter().enumerate().filter(|(_, byte)| **byte == b'.');
    dots.filter_map(move |(at, _)| name.get(at + 1..))
}

/// Whether a request can have this name.
pub(super) fn is_name(text: &[u8]) -> bool {
    name(text, &mut None) == Some(text)
}

/// `[::1]` of `[::1]` or `[::1]:8080`.
fn address(authority: &[u8]) -> Option<&[u8]> {
    let end = authority.iter().position(|byte| *byte == b']')?;
    let (address, rest) = authority.split_at_checked(end + 1)?;
    let is_end = rest.is_empty() || rest.strip_prefix(b":").is_some_and(is_port);
    (is_end && address.is_ascii()).then_some(address)
}

/// `example.com` of `example.com`, `example.com.`, `example.com:8080` or `example.com.:8080`.
fn dns_name(authority: &[u8]) -> Option<&[u8]> {
    let colon = authority.iter().position(|byte| *byte == b':');
    let (name, port) = authority.split_at_checked(colon.unwrap_or(authority.len()))?;
    if !port.strip_prefix(b":").is_none_or(is_port) {
        return None;
    }
    let name = name.strip_suffix(b".").unwrap_or(name);
    if !name.is_ascii() && std::str::from_utf8(name).is_err() {
        return None;
    }
    let has_empty_label = name.split(|byte| *byte == b'.').any(<[u8]>::is_empty);
    (!has_empty_label).then_some(name)
}

/// RFC 3986 allows a port to be empty.
fn is_port(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(authority: &[u8], expected: Option<&str>) {
        let mut buffer = None;
        let name = name(authority, &mut buffer);
        assert_eq!(
            name,
            expected.map(str::as_bytes),
            "{}",
            authority.escape_ascii()
        );
    }

    #[test]
    fn name_has_neither_port_nor_trailing_dot_nor_upper_case() {
        check(b"shop.example.com", Some("shop.example.com"));
        check(b"Shop.EXAMPLE.com", Some("shop.example.com"));
        check(b"shop:80", Some("shop"));
        check(b"shop:", Some("shop"));
        check(b"shop.", Some("shop"));
        check(b"SHOP.:8443", Some("shop"));
        check(b"10.0.0.1:80", Some("10.0.0.1"));
        check("b\u{fc}cher.de".as_bytes(), Some("b\u{fc}cher.de"));
    }

    #[test]
    fn address_keeps_its_brackets() {
        check(b"[::1]", Some("[::1]"));
        check(b"[::1]:8080", Some("[::1]"));
        check(b"[FE80::A]:", Some("[fe80::a]"));
        assert_eq!(parents(b"[::ffff:10.0.0.1]").count(), 0);
    }

    #[test]
    fn what_is_no_name_is_none() {
        let none: [&[u8]; 16] = [
            b"", b".", b"..", b":80", b"a..b", b".a", b"a..", b"a:b", b"a:80:80", b"::1", b"[::1",
            b"[::1]x", b"[::1].", b"[::1]:x", b"a\xff.b", b"[\xff]",
        ];
        for authority in none {
            check(authority, None);
        }
    }

    #[test]
    fn longest_name_is_that_of_dns() {
        let longest = format!("{}a", "a.".repeat(126));
        check(longest.to_uppercase().as_bytes(), Some(&longest));
        check(format!("{longest}.:80").as_bytes(), Some(&longest));
        check(format!("{longest}a").as_bytes(), None);
        assert_eq!(parents(longest.as_bytes()).count(), 126);
    }

    #[test]
    fn parents_come_longest_first() {
        let parents: Vec<&[u8]> = parents(b"a.b.c").collect();
        assert_eq!(parents, [b"b.c".as_slice(), b"c"]);
    }
}
