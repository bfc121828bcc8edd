//! What a gRPC stream is addressed to.

/// The `:authority` of streams to a cluster, where its name will not do: Envoy takes the name by itself, and one with a
/// `|` or `/`, as those of Istio (`outbound|port|subset|host`) and Envoy Gateway have, is no authority (RFC 3986, 3.2):
/// servers refuse the stream.
///
/// ```
/// # use wakegate_core::authority;
/// assert_eq!(authority("wakegate-scaler"), None);
/// assert_eq!(authority("outbound|9090||scaler.wakegate.svc.cluster.local"), Some("scaler.wakegate.svc.cluster.local"));
/// assert_eq!(authority("grpcroute/wakegate/scaler/rule/0"), Some("wakegate"));
/// ```
pub fn authority(cluster: &str) -> Option<&str> {
    if is_host(cluster) {
        return None;
    }
    // Byte by byte, because str's own search can panic, as far as the compiler knows.
    let bar = cluster.bytes().rposition(|byte| byte == b'|');
    let host = bar.and_then(|bar| cluster.get(bar.saturating_add(1)..));
    Some(host.filter(|host| is_host(host)).unwrap_or("wakegate"))
}

fn is_host(text: &str) -> bool {
    let is_of_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    !text.is_empty() && text.bytes().all(is_of_host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_cluster_is_called_the_authority_is_a_host() {
        for cluster in [
            "",
            "|",
            "a|",
            "a b",
            "ä",
            "outbound|1||",
            "x/y",
            "[::1]:80",
            "a:b",
        ] {
            let authority = authority(cluster).unwrap_or(cluster);
            assert!(is_host(authority), "{cluster}: {authority}");
        }
    }
}
