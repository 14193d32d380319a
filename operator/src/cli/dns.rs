//! The cluster's name server, as the kubelet tells every pod in `/etc/resolv.conf`.

use crate::plan::ClusterDns;

/// Name servers and domain; `None` outside a cluster, where no search domain begins with `svc.`.
pub(super) fn of_resolv_conf(text: &str) -> Option<ClusterDns> {
    let words = |keyword: &'static str| {
        text.lines().filter_map(move |line| {
            let mut words = line.split_whitespace();
            (words.next() == Some(keyword)).then_some(words)
        })
    };
    let servers: Vec<_> = words("nameserver").filter_map(|mut words| words.next()?.parse().ok()).collect();
    let domain = words("search").flatten().find_map(|domain| domain.strip_prefix("svc."))?;
    (!servers.is_empty()).then(|| ClusterDns { servers, domain: domain.trim_end_matches('.').to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_knows_name_server_and_domain_of_its_cluster() {
        let text = "search shop.svc.example.local svc.example.local example.local corp.test\nnameserver 10.96.0.10\noptions ndots:5\n";
        let dns = of_resolv_conf(text).unwrap();
        assert_eq!((dns.servers[0].to_string().as_str(), dns.domain.as_str()), ("10.96.0.10", "example.local"));
    }

    #[test]
    fn a_machine_outside_knows_none() {
        assert_eq!(of_resolv_conf("nameserver 192.0.2.1\nsearch corp.test\n"), None);
        assert_eq!(of_resolv_conf("search shop.svc.cluster.local svc.cluster.local\n"), None);
        assert_eq!(of_resolv_conf(""), None);
    }
}
