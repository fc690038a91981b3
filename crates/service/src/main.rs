//! usdt-flow.

fn main() {}
