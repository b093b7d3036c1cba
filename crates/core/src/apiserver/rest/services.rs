//! What a service is given: a cluster IP and node ports.
//!
//! Behaviour: `pkg/registry/core/service/rest.go`, `ipallocator` and `portallocator`. Ranges are the defaults of the flags.

use super::{list, member, set, text};
use crate::apiserver::cluster::Cluster;
use crate::manifest::Value;
use crate::release::ResourceType;
use crate::sort::SortedSet;
use crate::status::{FieldError, Qualified, Status};
use crate::world::World;

/// Gives a new service what it lacks, and refuses the first of its own wishes that it cannot have.
pub(in crate::apiserver) fn allocate(
    cluster: &Cluster,
    services: &ResourceType,
    service: &mut Value,
    world: &mut World,
) -> Result<(), Status> {
    let name = text(service, "metadata.name").to_owned();
    let refuse =
        |error: FieldError| Err(Status::invalid(Qualified { group: "", name: services.kind }, &name, &[error]));
    let kind = text(service, "spec.type").to_owned();
    let has_node_ports = matches!(kind.as_str(), "NodePort" | "LoadBalancer");
    let (mut ips, mut ports) = (SortedSet::new(), SortedSet::new());
    for (_, entry) in cluster.store.range(&services.key("", "")) {
        let Ok(object) = &entry.object else { continue };
        // More than there can be: the rest changes nothing.
        if ips.len() > 254 && (!has_node_ports || ports.len() >= 2768) {
            break;
        }
        ips.insert(text(&object.value, "spec.clusterIP").to_owned());
        ports.extend(list(&object.value, "spec.ports").iter().filter_map(|port| member(port, "nodePort")?.as_u64()));
    }
    let ip = text(service, "spec.clusterIP").to_owned();
    if kind != "ExternalName" && ip.is_empty() {
        let at = usize::from(u8::from_be_bytes(world.draw()));
        // .1 is the API server's own.
        let mut free = (0..253_usize).map(|offset| format!("10.0.0.{}", (at + offset) % 253 + 2));
        let ip = free.find(|ip| !ips.contains(ip));
        let ip = ip.ok_or_else(|| Status::internal("failed to allocate a serviceIP: range is full"))?;
        set(service, &["spec", "clusterIP"], Some(ip.into()));
    } else if !matches!(ip.as_str(), "" | "None") {
        let number = ip.strip_prefix("10.0.0.").and_then(|last| last.parse::<u8>().ok());
        let detail = match number {
            None | Some(0 | 255) => "provided IP is not in the valid range",
            Some(_) if ips.contains(&ip) => "provided IP is already allocated",
            Some(_) => "",
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
                let mut free = (0..2768).map(|offset| 30000 + (start + offset) % 2768);
                let free = free.find(|port| ports.insert(*port));
                let free = free.ok_or_else(|| Status::internal("failed to allocate a nodePort: range is full"))?;
                set(port, &["nodePort"], Some(free.into()));
            }
            given => {
                let detail = if !(30000..=32767).contains(&given) {
                    "provided port is not in the valid range. The range of valid ports is 30000-32767"
                } else if !ports.insert(given) {
                    "provided port is already allocated"
                } else {
                    continue;
                };
                let field = format!("spec.ports[{index}].nodePort");
                return refuse(FieldError::invalid_value(field, &given.to_string(), detail));
            }
        }
    }
    Ok(())
}
