//! What the API server keeps in etcd: keys, the stored form of objects, and the store itself.
//!
//! Behaviour: `apiserver/pkg/storage/etcd3/store.go`; keys in `apiserver/pkg/registry/generic/registry/store.go`.

/// One write to etcd, as an exchange shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// `/registry/secrets/default/mysecret`.
    pub key: String,
    /// etcd's revision after the write: the object's resourceVersion.
    pub revision: u64,
    /// False for a deletion.
    pub put: bool,
}
