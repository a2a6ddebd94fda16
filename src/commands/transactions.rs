//! Transactions and watched keys.

include!(concat!(env!("OUT_DIR"), "/commands/transactions.rs"));
