//! What the API server records of a request: policy, events, and the log and webhook backends.
//!
//! Behaviour: <https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/>.
