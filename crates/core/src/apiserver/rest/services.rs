//! What a service is given: a cluster IP and node ports.
//!
//! Behaviour: `pkg/registry/core/service/rest.go`, `ipallocator` and `portallocator`. Ranges are the defaults of the flags.

use std::collections::BTreeSet;

use super::{Run, list, member, set, text};
use crate::apiserver::status::FieldError;
use crate::manifest::Value;

impl Run<'_> {
    pub(super) fn allocate(&mut self, service: &mut Value, errors: &mut Vec<FieldError>) {
        let (mut ips, mut ports) = (BTreeSet::new(), BTreeSet::new());
        for (_, entry) in self.cluster.store.range(&self.hub.key("", "")) {
            let Ok(object) = &entry.object else { continue };
            ips.insert(text(&object.value, "spec.clusterIP").to_owned());
            ports
                .extend(list(&object.value, "spec.ports").iter().filter_map(|port| member(port, "nodePort")?.as_u64()));
        }
        let kind = text(service, "spec.type").to_owned();
        let ip = text(service, "spec.clusterIP").to_owned();
        if kind != "ExternalName" && ip.is_empty() {
            let at = usize::from(u8::from_be_bytes(self.world.draw()));
            // .1 is the API server's own.
            let free = (2..255_usize).map(|offset| format!("10.0.0.{}", (at + offset) % 253 + 2));
            match free.into_iter().find(|ip| !ips.contains(ip)) {
                Some(ip) => set(service, &["spec", "clusterIP"], Some(ip.into())),
                None => errors.push(FieldError::invalid("spec.clusterIP", "", "range is full")),
            }
        } else if ips.contains(&ip) && ip != "None" && kind != "ExternalName" {
            errors.push(FieldError::invalid("spec.clusterIP", &ip, "provided IP is already allocated"));
        }
        if !matches!(kind.as_str(), "NodePort" | "LoadBalancer") {
            return;
        }
        let start = u64::from(u16::from_be_bytes(self.world.draw()));
        let Some(Value::Array(wanted)) = service.pointer_mut("/spec/ports") else { return };
        for (index, port) in wanted.iter_mut().enumerate() {
            match member(port, "nodePort").and_then(Value::as_u64).unwrap_or(0) {
                0 => {
                    let free = (0..2768).map(|offset| 30000 + (start + offset) % 2768).find(|it| ports.insert(*it));
                    set(port, &["nodePort"], free.map(Value::from));
                }
                given => {
                    let field = format!("spec.ports[{index}].nodePort");
                    if !(30000..=32767).contains(&given) {
                        let detail = "provided port is not in the valid range. The range of valid ports is 30000-32767";
                        errors.push(FieldError::invalid_value(field, &given.to_string(), detail));
                    } else if !ports.insert(given) {
                        let detail = "provided port is already allocated";
                        errors.push(FieldError::invalid_value(field, &given.to_string(), detail));
                    }
                }
            }
        }
    }
}
