//! What a service is given: a cluster IP and node ports.
//!
//! Behaviour: `pkg/registry/core/service/rest.go`, `ipallocator` and `portallocator`.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use super::{list, member, set, text};
use crate::apiserver::cluster::Cluster;
use crate::manifest::Value;
use crate::release::ResourceType;
use crate::request::quote;
use crate::sort::SortedSet;
use crate::status::{FieldError, Qualified, Status};
use crate::world::World;

/// What services can be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranges {
    /// Where the cluster IPs begin; nobody has the first of them.
    base: u128,
    is_ipv6: bool,
    /// How many there are, with the last, which nobody has either.
    size: u32,
    node_ports: RangeInclusive<u16>,
}

impl Ranges {
    /// The ranges that two flags ask for; those that are `""` have their defaults.
    ///
    /// # Errors
    ///
    /// The text with which the server does not start.
    pub fn parse(ips: &str, node_ports: &str) -> Result<Self, String> {
        let (address, host) = address_range(if ips.is_empty() { "10.0.0.0/24" } else { ips })?;
        let size = match host {
            0..=2 => return Err("The service cluster IP range must be at least 8 IP addresses".to_owned()),
            3..=20 => 1 << host,
            _ => return Err("specified --service-cluster-ip-range is too large".to_owned()),
        };
        let (base, is_ipv6) = bits(address);
        Ok(Self { base: base & !u128::from(size - 1), is_ipv6, size, node_ports: port_range(node_ports)? })
    }

    /// The address of the service `kubernetes`.
    pub fn first_ip(&self) -> String {
        self.ip(1)
    }

    fn ip(&self, index: u32) -> String {
        let bits = self.base + u128::from(index);
        let ipv4 = u32::try_from(bits).ok().filter(|_| !self.is_ipv6);
        ipv4.map_or_else(|| IpAddr::from(bits.to_be_bytes()), |bits| IpAddr::from(bits.to_be_bytes())).to_string()
    }

    /// Whether a service can ask for `ip`.
    fn has_ip(&self, ip: &str) -> bool {
        let Ok((ip, is_ipv6)) = ip.parse().map(bits) else { return false };
        is_ipv6 == self.is_ipv6 && self.base < ip && ip < self.base + u128::from(self.size) - 1
    }
}

fn bits(address: IpAddr) -> (u128, bool) {
    match address {
        IpAddr::V4(address) => (address.to_bits().into(), false),
        IpAddr::V6(address) => (address.to_bits(), true),
    }
}

/// `net.ParseCIDR`: the address, and how many of its bits are those of hosts.
pub(in crate::apiserver) fn address_range(text: &str) -> Result<(IpAddr, u32), String> {
    let text = text.trim();
    let (address, network) = text.split_once('/').unwrap_or_default();
    let address = address.parse::<IpAddr>().ok();
    let host = |address: &IpAddr| if address.is_ipv4() { 32_u32 } else { 128 }.checked_sub(network.parse().ok()?);
    let range = address.and_then(|address| Some((address, host(&address)?)));
    range.ok_or_else(|| format!("invalid CIDR address: {text}"))
}

/// `utilnet.PortRange.Set`.
pub(in crate::apiserver) fn port_range(text: &str) -> Result<RangeInclusive<u16>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(30000..=32767);
    }
    let (low, high) = text.split_once('-').ok_or("expected hyphen in port range")?;
    let number = |part: &str| {
        let wrong =
            || format!("unable to parse port range: {text}: strconv.Atoi: parsing {}: invalid syntax", quote(part));
        part.parse::<u32>().map_err(|_| wrong())
    };
    match (number(low)?, number(high)?) {
        (low, high) if low > 65535 || high > 65535 => {
            Err(format!("the port range cannot be greater than 65535: {text}"))
        }
        (low, high) if high < low => Err(format!("end port cannot be less than start port: {text}")),
        (low, high) => Ok(u16::try_from(low).unwrap_or(u16::MAX)..=u16::try_from(high).unwrap_or(u16::MAX)),
    }
}

/// Gives a service what it lacks, and refuses the first of its own wishes that it cannot have. One that replaces an `old` one
/// keeps the ports of that, and gets no other address.
pub(in crate::apiserver) fn allocate(
    cluster: &Cluster,
    services: &ResourceType,
    service: &mut Value,
    old: Option<&Value>,
    world: &mut World,
) -> Result<(), Status> {
    let name = text(service, "metadata.name").to_owned();
    let refuse =
        |error: FieldError| Err(Status::invalid(Qualified { group: "", name: services.kind }, &name, &[error]));
    let kind = text(service, "spec.type").to_owned();
    let has_node_ports = matches!(kind.as_str(), "NodePort" | "LoadBalancer");
    if old.is_some() && !has_node_ports {
        return Ok(());
    }
    let ranges = &cluster.settings.services;
    let node_ports = |service| list(service, "spec.ports").iter().filter_map(|port| member(port, "nodePort")?.as_u64());
    let own: Vec<u64> = old.into_iter().flat_map(node_ports).collect();
    let (first_port, last_port) = (u64::from(*ranges.node_ports.start()), u64::from(*ranges.node_ports.end()));
    let all_ports = last_port - first_port + 1;
    let (mut ips, mut ports) = (SortedSet::new(), SortedSet::new());
    for (_, entry) in cluster.store.range(&services.key("", "")) {
        let Ok(object) = &entry.object else { continue };
        // More than there can be: the rest changes nothing.
        if ips.len() >= ranges.size as usize && (!has_node_ports || ports.len() as u64 >= all_ports) {
            break;
        }
        ips.insert(text(&object.value, "spec.clusterIP").to_owned());
        ports.extend(node_ports(&object.value));
    }
    let ip = text(service, "spec.clusterIP").to_owned();
    if old.is_some() {
        // It has its address.
    } else if kind != "ExternalName" && ip.is_empty() {
        let at = u32::from(u8::from_be_bytes(world.draw()));
        // The first is the API server's own.
        let all = ranges.size - 3;
        let mut free = (0..all).map(|offset| ranges.ip((at + offset) % all + 2));
        let ip = free.find(|ip| !ips.contains(ip));
        let ip = ip.ok_or_else(|| Status::internal("failed to allocate a serviceIP: range is full"))?;
        set(service, &["spec", "clusterIP"], Some(ip.into()));
    } else if !matches!(ip.as_str(), "" | "None") {
        let detail = match ranges.has_ip(&ip) {
            false => "provided IP is not in the valid range",
            true if ips.contains(&ip) => "provided IP is already allocated",
            true => "",
        };
        if !detail.is_empty() {
            return refuse(FieldError::invalid("spec.clusterIP", &ip, detail));
        }
    }
    let start = u64::from(u16::from_be_bytes(world.draw()));
    let Some(Value::Array(wanted)) = service.pointer_mut("/spec/ports") else { return Ok(()) };
    for (index, port) in wanted.iter_mut().enumerate() {
        match member(port, "nodePort").and_then(Value::as_u64).unwrap_or(0) {
            0 if !has_node_ports => {}
            0 => {
                let mut free = (0..all_ports).map(|offset| first_port + (start + offset) % all_ports);
                let free = free.find(|port| ports.insert(*port));
                let free = free.ok_or_else(|| Status::internal("failed to allocate a nodePort: range is full"))?;
                set(port, &["nodePort"], Some(free.into()));
            }
            given if own.contains(&given) => {}
            given => {
                let detail = if !(first_port..=last_port).contains(&given) {
                    let valid = format!("The range of valid ports is {first_port}-{last_port}");
                    format!("provided port is not in the valid range. {valid}")
                } else if !ports.insert(given) {
                    "provided port is already allocated".to_owned()
                } else {
                    continue;
                };
                let field = format!("spec.ports[{index}].nodePort");
                return refuse(FieldError::invalid_value(field, &given.to_string(), &detail));
            }
        }
    }
    Ok(())
}
