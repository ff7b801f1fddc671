//! Where results go: places that clients name, and what becomes of those that refuse.

#![cfg(test)]

mod scopes;
