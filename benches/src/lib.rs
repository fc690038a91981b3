//! Criterion benches of usdt-flow live beside this file; this library is empty.
